"""A cluster whose links to Redis go through fault proxies."""

import calendar
import contextlib
import json
import pathlib
import signal
import tempfile
import time

from cluster import Cluster
from faultproxy import FaultProxy

# The grace of these nodes: how long Redis may be away before they say that they are not ready.
GRACE = 2


class FaultyCluster(Cluster):
    """Redis and nodes, each of which has a proxy of its own on its way to Redis; no HAProxy.

    Its tokens are those of another one that runs.
    """

    def __init__(self, other, adapter="redis", nodes=3, settings=None, buffer=None, redis_settings=()):
        super().__init__(other.binary, nodes, settings)
        self.adapter = adapter
        self.redis_settings = redis_settings
        self.tokens, self.token_entries = other.tokens, other.token_entries
        self.jwt_secret, self.token_salt = other.jwt_secret, other.token_salt
        self.proxies = [FaultProxy(self.redis_port, buffer, seed=index) for index in range(nodes)]

    def start(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="socketio-faults-"))
        self.start_redis()
        for proxy in self.proxies:
            proxy.__enter__()
        for node in self.nodes:
            self.start_node(node, wait=False)
        for node in self.nodes:
            self.wait_until_ready(node)

    def start_redis(self):
        super().start_redis()
        for name, value in self.redis_settings:
            self.redis_command("CONFIG", "SET", name, value)

    def stop(self):
        for process in [self.redis, *[node.process for node in self.nodes]]:
            if process is not None and process.is_running:
                # A frozen process hears nothing.
                process.process.send_signal(signal.SIGCONT)
        for proxy in self.proxies:
            proxy.heal()
        try:
            super().stop()
        finally:
            for proxy in self.proxies:
                proxy.close()

    def node_environment(self, node):
        return {
            **super().node_environment(node),
            "SOCKETIO_ADAPTER_TYPE": self.adapter,
            "SOCKETIO_ADAPTER_REDIS_URL": f"redis://127.0.0.1:{self.proxies[node.index - 1].port}",
            "SOCKETIO_ADAPTER_REDIS_READINESS_GRACE": f"{GRACE}s",
            "SOCKETIO_LOGGING_FORMAT": "json",
            "SOCKETIO_HEARTBEAT_INTERVAL": "120s",
            "SOCKETIO_HEARTBEAT_TIMEOUT": "120s",
            "SOCKETIO_GATEWAY_LIMITS_CHANGES_PER_SECOND": "10000",
            **self.settings,
        }

    def signal_redis(self, number):
        self.redis.process.send_signal(number)

    def kill_redis(self):
        self.redis.end(signal.SIGKILL)

    def log(self, node, *words):
        """The lines of a node's log that say so, as objects with their time by the monotonic clock in `at`."""
        offset = time.monotonic() - time.time()
        found = []
        for line in node.process.log.read_text(errors="replace").splitlines():
            if line.startswith("{") and all(word in line for word in words):
                with contextlib.suppress(ValueError):
                    entry = json.loads(line)
                    seconds, _, rest = entry["time"].partition(".")
                    moment = calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) + float("0." + rest[:-1])
                    found.append({**entry, "at": moment + offset})
        return found
