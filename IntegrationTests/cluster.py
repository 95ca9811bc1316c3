#!/usr/bin/env python3
"""The cluster of docker-compose.yml as plain processes: Redis, three nodes, HAProxy, on free ports of the loopback.

    IntegrationTests/cluster.py            starts it, prints its URLs, stops everything on Ctrl-C

Uses the same files: config/cluster.yaml for the nodes, config/haproxy.cfg for HAProxy. Python's standard library is
enough. Everything that it starts it ends by process id.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
# The socketio-node that is tested; run.py sets it.
BINARY = ROOT / ".build/release/socketio-node"

# Name, arguments of `token create`, more for the entry.
TOKENS = [
    ("backend", ["--scopes", "io.*"], ""),
    ("raw-only", ["--scopes", "io.raw"], ""),
    ("machine", ["--scopes", "api::article.article.*,api::author.author.find"], ""),
    ("everything", ["--type", "full-access"], ""),
    ("reading", ["--type", "read-only"], ""),
    ("expired", ["--scopes", "io.raw", "--expires", "2020-01-01"], ""),
    ("revoked", ["--scopes", "io.raw"], ", revoked: true"),
]


class StartError(Exception):
    pass


def free_ports(count):
    """
    Ports nobody listens on. All are held until the last is found, so that they differ.

    A Redis with `cluster-enabled` listens on a second port, 10,000 above its own, and does not start where there is
    none. So ports above 55,535 are held, too, but not used.
    """
    sockets = []
    ports = []
    while len(ports) < count:
        s = socket.socket()
        sockets.append(s)
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        if port + 10_000 <= 65_535:
            ports.append(port)
    for s in sockets:
        s.close()
    return ports


def newest_binary(name):
    """What was built last of a program that `./test` builds."""
    paths = [ROOT / ".build" / kind / name for kind in ("debug", "release")]
    found = max((path for path in paths if path.exists()), key=lambda path: path.stat().st_mtime, default=None)
    if not found:
        raise StartError(f"there is no {name}; build it with: swift build --product {name}")
    return found


def program(name, package=None):
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if not found:
        raise StartError(f"{name} is not installed (Debian: apt-get install {package or name})")
    return found


def sign_jwt(claims, secret, algorithm="HS256"):
    """A JSON Web Token of these claims."""
    encode = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")
    head = encode(json.dumps({"alg": algorithm, "typ": "JWT"}).encode()) + b"." + encode(json.dumps(claims).encode())
    digest = {"HS256": hashlib.sha256, "HS512": hashlib.sha512}[algorithm]
    return (head + b"." + encode(hmac.new(secret.encode(), head, digest).digest())).decode()


class Process:
    """A child with its output in a file."""

    def __init__(self, name, arguments, directory, environment=None):
        self.name = name
        self.log = directory / f"{name}.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT, env=environment
            )

    @property
    def pid(self):
        return self.process.pid

    @property
    def is_running(self):
        return self.process.poll() is None

    def end(self, number=signal.SIGTERM, timeout=30):
        """Sends a signal to this one process and waits for its end; insists if it doesn't come."""
        if self.is_running:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
            raise StartError(f"{self.name} did not end within {timeout} s of signal {number}")

    def tail(self, lines=20):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class Node:
    def __init__(self, index, port, publish_port, console_port=0):
        self.index = index
        self.port = port
        self.publish_port = publish_port
        self.console_port = console_port
        self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def publish_url(self):
        return f"http://127.0.0.1:{self.publish_port}"

    @property
    def console_url(self):
        return f"http://127.0.0.1:{self.console_port}"


class Cluster:
    """Redis, nodes and HAProxy. `with Cluster() as cluster:` starts and stops them."""

    def __init__(self, binary=None, nodes=3, settings=None):
        self.binary = pathlib.Path(binary or BINARY).resolve()
        self.settings = settings or {}
        self.directory = None
        self.redis = None
        self.haproxy = None
        self.jwt_secret = secrets.token_urlsafe(48)
        # The dash: a salt may begin with one, and must not be taken for an option.
        self.token_salt = "-" + secrets.token_urlsafe(24)
        self.tokens = {}
        self.token_entries = ""
        ports = free_ports(2 + 3 * nodes)
        self.redis_port, self.port = ports[:2]
        self.nodes = [Node(i + 1, *ports[2 + 3 * i : 5 + 3 * i]) for i in range(nodes)]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def redis_url(self):
        return f"redis://127.0.0.1:{self.redis_port}"

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    # Life

    def start(self):
        if not self.binary.exists():
            raise StartError(f"{self.binary} is missing; build it with: swift build -c release --product socketio-node")
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="socketio-cluster-"))
        self.make_tokens()
        self.start_redis()
        for node in self.nodes:
            self.start_node(node, wait=False)
        for node in self.nodes:
            self.wait_until_ready(node)
        self.start_haproxy()

    def stop(self):
        """Ends what runs, in the order that spares the clients: HAProxy, the nodes, Redis."""
        failures = []
        for process in [self.haproxy, *[node.process for node in self.nodes], self.redis]:
            if process is not None:
                try:
                    process.end()
                except StartError as error:
                    failures.append(str(error))
        if self.directory and not os.environ.get("KEEP_LOGS"):
            shutil.rmtree(self.directory, ignore_errors=True)
        if failures:
            raise StartError("; ".join(failures))

    def make_tokens(self):
        entries = []
        for name, arguments, more in TOKENS:
            output = self.run("token", "create", name, *arguments, "--salt", self.token_salt, "--compact")
            key, entry = output.strip().splitlines()[:2]
            self.tokens[name] = key
            entries.append(entry.strip()[1:-1].strip()[:-1] + more + "}")
        self.token_entries = "{" + ", ".join(entries) + "}"

    def run(self, *arguments, environment=None, check=True):
        """Runs a command of socketio-node to its end; its standard output."""
        result = subprocess.run(
            [str(self.binary), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=ROOT,
            env={**self.clean_environment(), **(environment or {})},
        )
        if check and result.returncode != 0:
            raise StartError(f"socketio-node {' '.join(arguments)}: {result.stderr or result.stdout}")
        return result.stdout if check else result

    @staticmethod
    def clean_environment():
        return {name: value for name, value in os.environ.items() if not name.startswith("SOCKETIO_")}

    # Redis

    def start_redis(self):
        arguments = ["--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.redis = Process("redis", [program("redis-server"), *arguments, "--dir", str(self.directory)], self.directory)
        self.wait_for("redis", self.redis, lambda: self.redis_command("PING") == b"+PONG")

    def stop_redis(self):
        self.redis.end()

    def redis_command(self, *arguments):
        """Sends one command; the first line of the reply."""
        parts = [a if isinstance(a, bytes) else str(a).encode() for a in arguments]
        request = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)
        with socket.create_connection(("127.0.0.1", self.redis_port), timeout=5) as s:
            s.sendall(request)
            reply = b""
            while b"\r\n" not in reply:
                chunk = s.recv(4096)
                if not chunk:
                    raise OSError("Redis closed the connection")
                reply += chunk
        return reply.split(b"\r\n")[0]

    # Nodes

    def node_environment(self, node):
        return {
            **self.clean_environment(),
            "SOCKETIO_CONFIG": "config/cluster.yaml",
            "SOCKETIO_LISTEN_PORT": str(node.port),
            "SOCKETIO_PUBLISH_PORT": str(node.publish_port),
            "SOCKETIO_CONSOLE_PORT": str(node.console_port),
            "SOCKETIO_ADAPTER_REDIS_URL": self.redis_url,
            "SOCKETIO_GATEWAY_AUTHENTICATION_JWT_SECRET": self.jwt_secret,
            "SOCKETIO_GATEWAY_API_TOKEN_SALT": self.token_salt,
            "SOCKETIO_GATEWAY_API_TOKENS": self.token_entries,
            "SOCKETIO_GATEWAY_SECURITY_TRUSTED_PROXIES": "127.0.0.1",
            **self.settings,
        }

    def start_node(self, node, wait=True):
        node.process = Process(f"node{node.index}", [str(self.binary), "serve"], self.directory, self.node_environment(node))
        if wait:
            self.wait_until_ready(node)

    def kill_node(self, node):
        """As a power failure would: without a word to anybody."""
        node.process.end(signal.SIGKILL)

    def wait_until_ready(self, node):
        self.wait_for(f"node{node.index}", node.process, lambda: self.answers(node.url + "/readyz"))

    @staticmethod
    def answers(url):
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200

    # HAProxy

    def start_haproxy(self):
        environment = {**os.environ, "BIND": f"127.0.0.1:{self.port}"}
        for node in self.nodes:
            environment[f"NODE_{node.index}"] = f"127.0.0.1:{node.port}"
        arguments = [program("haproxy"), "-db", "-f", str(ROOT / "config/haproxy.cfg")]
        self.haproxy = Process("haproxy", arguments, self.directory, environment)
        self.wait_for("haproxy", self.haproxy, lambda: self.answers(self.url + "/readyz"))

    # Waiting

    @staticmethod
    def wait_for(name, process, condition, timeout=30):
        """Asks again and again, every 50 ms, until the condition holds."""
        end = time.monotonic() + timeout
        while True:
            if not process.is_running:
                raise StartError(f"{name} ended with status {process.process.returncode}:\n{process.tail()}")
            try:
                if condition():
                    return
            except (OSError, urllib.error.URLError):
                pass
            if time.monotonic() > end:
                raise StartError(f"{name} did not come up within {timeout} s:\n{process.tail()}")
            time.sleep(0.05)

    def describe(self):
        lines = [f"cluster   {self.url}   (HAProxy)"]
        for node in self.nodes:
            lines.append(f"node {node.index}    {node.url}   publish API {node.publish_url}   pid {node.process.pid}")
        lines.append(f"redis     {self.redis_url}   pid {self.redis.pid}")
        lines.append(f"logs      {self.directory}")
        lines.append("")
        lines.append("A token that may publish, and one that a reader connects with:")
        lines.append(f"export SOCKETIO_URL={self.nodes[0].publish_url} SOCKETIO_TOKEN={self.tokens['backend']}")
        lines.append("JWT=" + sign_jwt({"id": 1, "username": "rita", "role": "reader"}, self.jwt_secret))
        return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description="Start Redis, three nodes and HAProxy; stop them on Ctrl-C.")
    parser.add_argument("--binary", help="socketio-node; .build/release/socketio-node if not given")
    parser.add_argument("--nodes", type=int, default=3, choices=[3], help=argparse.SUPPRESS)
    options = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        with Cluster(options.binary) as cluster:
            print(cluster.describe(), flush=True)
            print("\nCtrl-C stops everything.", flush=True)
            stopped.wait()
    except StartError as error:
        sys.exit(f"cluster: {error}")


if __name__ == "__main__":
    main()
