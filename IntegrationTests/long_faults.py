"""The faults that need seconds to minutes, or root: `IntegrationTests/faults` runs them, `./test` does not.

They use the cases and the history check of `test_redis_faults.py`. Those that drop packets want root and `nft`
(Debian: apt-get install nftables), and a network of their own: `IntegrationTests/faults` makes one.
"""

import asyncio
import contextlib
import signal
import subprocess
import time

import test_faults
import test_recovery
import test_redis_faults
from cluster import program
from faulty import FaultyClusterTestCase, for_each_adapter
from faulty_cluster import GRACE
from support import eventually
from wire import Meter, Wire, resources

# How long a node may take to notice that messages do not come back to it: the probes' patience, and a busy machine.
NOTICED = 2 + 1


class Packets:
    """Drops packets to or from a port of this machine, by rules of nftables in a table of its own."""

    def __init__(self, *rules):
        self.rules = rules

    def __enter__(self):
        chain = ["type filter hook input priority 0; policy accept;", *self.rules]
        text = "\n".join(["table inet faults {", "chain input {", *chain, "}", "}", ""])
        subprocess.run([program("nft"), "-f", "-"], input=text, text=True, check=True)

    def __exit__(self, *_):
        subprocess.run([program("nft"), "delete", "table", "inet", "faults"], check=True)


class LongOutages(FaultyClusterTestCase):
    """A1 to A4: Redis, or the way to it, is gone for longer, or not quite."""

    settings = {"SOCKETIO_ADAPTER_REDIS_KEPT_BYTES": "1MiB"}

    async def outage(self, seconds, begin, end, label, rate=300):
        """Traffic before, during and behind an outage of all nodes, and what the nodes have to say meanwhile."""
        for index in range(self.nodes):
            await self.api_of(index).get("/io/rooms/lobby/sockets")
        traffic = await self.traffic(rate)
        await traffic.flow(100)
        meters = [await Meter.start(node.port) for node in self.bed.nodes]
        for meter in meters:
            self.addAsyncCleanup(meter.stop)
        memory = [resources(node.process.pid)[0] for node in self.bed.nodes]
        await asyncio.to_thread(begin)
        began = time.monotonic()
        for node in self.bed.nodes:
            reasons = await self.not_ready(node, GRACE + NOTICED)
            self.assertTrue(reasons[0].startswith("redis unreachable"), reasons)
        noticed = time.monotonic() - began
        question = asyncio.create_task(self.question_fails())
        while time.monotonic() - began < seconds:
            await traffic.flow(20)
            for node in self.bed.nodes:
                self.assertTrue(await asyncio.to_thread(self.bed.answers, node.url + "/healthz"))
                self.assertTrue(await self.reasons(node), "ready without Redis")
        asked = await question
        for before, node in zip(memory, self.bed.nodes):
            self.assertLess(resources(node.process.pid)[0] - before, 48 * 2**20)
        slowest = max(max(meter.times) for meter in meters)
        self.assertLess(slowest, 2, "a loop stood still")
        await asyncio.to_thread(end)
        back = time.monotonic()
        await self.ready_means_subscribed()
        print(
            f"      {label}: not ready within {noticed:.1f} s, a question failed within {asked:.1f} s, the slowest of "
            f"{sum(len(meter.times) for meter in meters)} answers to clients took {slowest * 1000:.0f} ms, all ready "
            f"{time.monotonic() - back:.1f} s after the end"
        )
        await traffic.flow(100)
        figures = await self.finish(traffic, label)
        self.assertGreater(figures["queued"], 0)
        return figures

    async def question_fails(self):
        """Asks the cluster, which can't be asked; how long the answer took."""
        started = time.monotonic()
        status, answer = await self.api_of(0).request("GET", "/io/rooms/lobby/sockets")
        self.assertIn(status, (503, 504), answer)
        took = time.monotonic() - started
        self.assertLess(took, 5 + 1)
        return took

    async def ready_means_subscribed(self):
        """Each node that says it is ready gets what others publish from then on."""

        async def look(node):
            client = await Wire.joined(node.port)
            self.addCleanup(client.close)
            end = time.monotonic() + 30
            while await self.reasons(node):
                self.assertLess(time.monotonic(), end, f"node {node.index} is not ready")
                await asyncio.sleep(0.01)
            other = self.bed.nodes.index(node) - 1

            async def others_publish():
                # Another node may not be back itself, and queue this.
                return (await self.api_of(other).post("/io/raw", {"event": "heard"}))["delivery"] == "published"

            await eventually(others_publish, "a publish of another node", pause=0.02)
            self.assertEqual((await client.event())[0], "heard")

        await asyncio.gather(*(look(node) for node in self.bed.nodes))

    async def killed(self, seconds):
        return await self.outage(seconds, self.bed.kill_redis, self.bed.start_redis, f"killed for {seconds} s", 1000)

    async def test_a1_redis_is_killed_for_10_s(self):
        await self.killed(10)

    async def test_a1_redis_is_killed_for_60_s(self):
        await self.killed(60)

    async def frozen(self, seconds):
        stop, go = signal.SIGSTOP, signal.SIGCONT
        signal_redis = self.bed.signal_redis
        await self.outage(seconds, lambda: signal_redis(stop), lambda: signal_redis(go), f"frozen for {seconds} s")

    async def test_a2_redis_is_frozen_for_5_s(self):
        await self.frozen(5)

    async def test_a2_redis_is_frozen_for_30_s(self):
        await self.frozen(30)

    async def test_a2_redis_is_frozen_for_120_s(self):
        await self.frozen(120)

    async def one_node_cut_off(self, label, fault, seconds=15, events_after=60):
        """One node's link has this fault for a while; the others go on as if nothing were."""
        traffic = await self.traffic()
        await traffic.flow(60)
        node = self.bed.nodes[0]
        began = time.monotonic()
        with fault:
            await self.not_ready(node, GRACE + NOTICED)
            noticed = time.monotonic() - began
            while time.monotonic() - began < seconds:
                await traffic.flow(20)
                for other in self.bed.nodes[1:]:
                    self.assertEqual(await self.reasons(other), [])
        healed = time.monotonic()
        await self.all_back()
        print(f"      {label}: not ready after {noticed:.1f} s, back {time.monotonic() - healed:.1f} s after its end")
        await traffic.flow(events_after)
        await self.finish(traffic, label)

    @contextlib.contextmanager
    def silence(self, *ways):
        for way in ways:
            way.is_silent = True
        yield
        self.bed.proxies[0].heal()

    async def test_a3_nothing_reaches_redis(self):
        await self.one_node_cut_off("silence towards Redis", self.silence(self.bed.proxies[0].up))

    async def test_a3_nothing_comes_from_redis(self):
        await self.one_node_cut_off("silence from Redis", self.silence(self.bed.proxies[0].down))

    async def test_a3_packets_to_redis_are_dropped(self):
        rule = f"tcp dport {self.bed.proxies[0].port} counter drop"
        await self.one_node_cut_off("packets to Redis dropped", Packets(rule))

    async def test_a3_packets_from_redis_are_dropped(self):
        rule = f"tcp sport {self.bed.proxies[0].port} counter drop"
        await self.one_node_cut_off("packets from Redis dropped", Packets(rule))

    async def test_a3_what_a_dead_link_held_never_arrives(self):
        """The node gives this link up and makes another; the kernel must not send what the first one held behind it."""
        rule = f"tcp dport {self.bed.proxies[0].port} counter drop"
        await self.one_node_cut_off("packets to Redis dropped", Packets(rule), seconds=40, events_after=60 * 300)

    async def lossy(self, label, fault):
        """Ten seconds of loss: nothing is missing, and no connection is made anew."""
        traffic = await self.traffic()
        accepted = [proxy.accepted for proxy in self.bed.proxies]
        lost = [self.said(node, '"Redis is out of reach') for node in self.bed.nodes]
        with fault:
            end = time.monotonic() + 10
            while time.monotonic() < end:
                await traffic.flow(20)
        figures = await self.finish(traffic, label)
        if self.said(self.bed.nodes[0], '"Redis is out of reach') == lost[0]:
            self.assertEqual(figures["missing and told"], 0)
        # A pause of a link may be taken for its end; not again and again.
        again = [proxy.accepted - before for proxy, before in zip(self.bed.proxies, accepted)]
        self.assertLess(sum(again), 6 * self.nodes, f"a storm of reconnections: {again}")
        return figures

    @contextlib.contextmanager
    def pauses(self, share):
        for proxy in self.bed.proxies:
            proxy.up.loss = proxy.down.loss = share
        yield
        for proxy in self.bed.proxies:
            proxy.heal()

    async def test_a4_segments_are_lost(self):
        for percent in (1, 5, 20):
            await self.lossy(f"{percent} % of segments late", self.pauses(percent / 100))

    async def test_a4_packets_are_lost(self):
        for percent in (1, 5, 20):
            ports = ", ".join(str(proxy.port) for proxy in self.bed.proxies)
            share = f"numgen random mod 100 < {percent} counter drop"
            rules = [f"tcp {end}port {{ {ports} }} {share}" for end in "sd"]
            figures = await self.lossy(f"{percent} % of packets lost", Packets(*rules))
            self.assertGreater(figures["published"], 100)


class SlowLinks(FaultyClusterTestCase):
    """A6: a node reads from Redis more slowly than messages come, until Redis cuts it off."""

    nodes = 2
    buffer = 4096
    redis_settings = (("client-output-buffer-limit", "pubsub 64kb 32kb 1"),)

    async def test_a6_what_redis_threw_away_is_told(self):
        traffic = await self.traffic(rate=100)
        await traffic.flow(40)
        node, proxy = self.bed.nodes[0], self.bed.proxies[0]
        before = self.gaps_told(node)
        accepted = proxy.accepted
        proxy.down.rate = 20_000
        padding = {"event": "padding", "rooms": ["chat-1"], "data": "x" * 8000}
        sent = 0
        while proxy.accepted == accepted:
            self.assertLess(sent, 4000, "Redis did not cut the node off")
            answer = await self.api_of(1).post("/io/batch", {"operations": [{"path": "/io/raw", "body": padding}] * 20})
            self.assertEqual({result["status"] for result in answer["results"]} - {200, 202}, set())
            sent += 20
            await traffic.flow(1)
        proxy.heal()
        await self.tells_a_gap(node, before)
        await traffic.flow(40)
        figures = await self.finish(traffic, f"cut off by Redis after {sent * 8 / 1000:.1f} MB")
        if self.adapter != "streams":
            self.assertGreater(figures["missing and told"], 0, "nothing was lost: the test is too gentle")


class LongNodes(test_redis_faults.Nodes):
    """A15, A16: nodes that are gone, or frozen, for longer than anybody waits for them."""

    # That `./test` has.
    test_a15_a_killed_node_costs_nobody_a_timeout = None
    test_a16_a_frozen_node_wakes_and_is_right = None

    async def test_a16_a_frozen_node_wakes_after_20_s(self):
        await self.freeze(20)


class LongLinks(test_recovery.LinksThatComeAndGo):
    """B12 for longer. With more clients the test's own ones fall behind, and ask for events older than they think."""

    churn = 60


class LongAvalanche(test_faults.Avalanche):
    """B11 with more clients."""

    count = 4000


of_each_adapter = for_each_adapter(globals(), (LongOutages, SlowLinks, LongNodes))


def load_tests(loader, *_):
    suite = of_each_adapter(loader)
    suite.addTests(map(loader.loadTestsFromTestCase, (LongLinks, LongAvalanche)))
    return suite
