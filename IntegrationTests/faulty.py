"""What the tests of group A of docs/conformance.md share: `test_redis_faults.py` has those of a few seconds,
`long_faults.py` the others.
"""

import asyncio
import functools
import os
import pathlib
import random
import signal
import tempfile
import unittest

import aiohttp

import cluster
from cluster import Cluster
from faulty_cluster import FaultyCluster
from support import API, ClusterTestCase, eventually
from traffic import Traffic


@functools.cache
def known_adapters(binary):
    """The adapters through Redis that this build of socketio-node knows, by its own word."""
    runner = Cluster(binary, nodes=0)
    if not runner.binary.exists():
        # Said by whoever starts the nodes.
        return ["redis"]
    known = []
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "node.yaml"
        for adapter in ("redis", "sharded", "streams"):
            path.write_text(f"adapter: {{type: {adapter}, redis: {{url: 'redis://127.0.0.1:1'}}}}\n")
            if runner.run("check-config", "--config", str(path), check=False).returncode == 0:
                known.append(adapter)
    return known


def for_each_adapter(namespace, cases):
    """Puts a copy of each test case into a module for each adapter that the node knows: `OutagesOfStreams`.

    The result is the module's `load_tests`, which runs the copies and not the cases themselves.
    """
    copies = []
    for case in cases:
        for adapter in known_adapters(cluster.BINARY):
            name = f"{case.__name__}Of{adapter.capitalize()}"
            members = {"adapter": adapter, "__module__": case.__module__, "__doc__": case.__doc__}
            namespace[name] = type(name, (case,), members)
            copies.append(namespace[name])
    return lambda loader, *_: unittest.TestSuite(map(loader.loadTestsFromTestCase, copies))


class FaultyClusterTestCase(ClusterTestCase):
    """Tests against a cluster of their own; what a test breaks is mended behind it."""

    adapter = "redis"
    settings = {}
    nodes = 3
    buffer = None
    redis_settings = ()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bed = FaultyCluster(cls.cluster, cls.adapter, cls.nodes, cls.settings, cls.buffer, cls.redis_settings)
        cls.addClassCleanup(cls.bed.stop)
        cls.bed.start()

    def api_of(self, index):
        return API(self.http, self.bed.nodes[index], self.bed.tokens["backend"])

    @property
    def speaks_classic(self):
        """Whether the official Redis emitter reaches these nodes."""
        return self.adapter == "redis"

    async def asyncTearDown(self):
        """The next test finds a cluster that is well."""
        for proxy in self.bed.proxies:
            proxy.heal()
        if not self.bed.redis.is_running:
            await asyncio.to_thread(self.bed.start_redis)
        self.bed.signal_redis(signal.SIGCONT)
        for node in self.bed.nodes:
            if not node.process.is_running:
                await asyncio.to_thread(self.bed.start_node, node)
            node.process.process.send_signal(signal.SIGCONT)
        await self.all_back()

    async def traffic(self, rate=300):
        traffic = Traffic(self, rate, int(os.environ.get("SEED") or random.randrange(2**32)))
        self.addCleanup(traffic.close)
        await traffic.start()
        return traffic

    async def finish(self, traffic, label):
        await traffic.settle()
        figures = traffic.check()
        print(f"      {label}, seed {traffic.seed}: {traffic.history.describe(figures)}")
        return figures

    async def reasons(self, node):
        """Why a node is not ready; nothing if it is."""
        async with self.http.get(node.url + "/readyz", timeout=aiohttp.ClientTimeout(total=5)) as response:
            return (await response.json())["reasons"]

    async def all_ready(self, timeout=20):
        for node in self.bed.nodes:
            if not node.process.is_running:
                continue

            async def is_ready():
                return not await self.reasons(node)

            await eventually(is_ready, f"readiness of node {node.index}", timeout, pause=0.02)

    async def all_back(self, timeout=20):
        """Waits until all nodes say that they are ready, and none is in the middle of an outage."""
        await self.all_ready(timeout)
        for node in self.bed.nodes:
            if not node.process.is_running:
                continue

            async def is_back():
                lines = self.bed.log(node, '"Redis is ')
                return not lines or lines[-1]["message"] == "Redis is back"

            await eventually(is_back, f"the end of the outage of node {node.index}", timeout, pause=0.02)

    async def not_ready(self, node, timeout):
        async def look():
            return await self.reasons(node)

        return await eventually(look, f"node {node.index} saying that it is not ready", timeout, pause=0.02)

    async def lines(self, node, *words, count=1, timeout=10):
        """The lines of a node's log that say so, once there are so many."""

        async def look():
            found = self.bed.log(node, *words)
            return found if len(found) >= count else None

        return await eventually(look, f"{count} lines with {words} in node {node.index}'s log", timeout)

    def said(self, node, words):
        return len(self.bed.log(node, words))

    def gaps_told(self, node):
        """How often a node said that messages may be missing."""
        return self.said(node, "may not have arrived")

    async def tells_a_gap(self, node, before):
        """Waits until it has said so once more; nodes that read a stream lose nothing, and have nothing to say."""
        if self.adapter != "streams":
            await self.lines(node, '"Redis is back"', "may not have arrived", count=before + 1)
        await self.all_back()
