"""A cluster whose links to Redis go through fault proxies, traffic on it, and the history of that traffic.

For the tests of group A of docs/conformance.md: `test_redis_faults.py` has those of a few seconds, `long_faults.py` the
others.
"""

import asyncio
import calendar
import collections
import contextlib
import functools
import json
import os
import pathlib
import random
import re
import signal
import tempfile
import time
import unittest

import aiohttp

import cluster
from cluster import Cluster
from faultproxy import FaultProxy
from history import LOG_SLACK, History
from support import API, ClusterTestCase, emitter_message, eventually
from wire import Closed, Texts, Wire, frame

ROOMS = ["chat-1", "chat-2", "chat-3"]
# The grace of these nodes: how long Redis may be away before they say that they are not ready.
GRACE = 2


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


class Member:
    """A client of one node that stays, or comes and goes, and writes down what it sees."""

    def __init__(self, log, port):
        self.log = log
        self.port = port
        self.wire = None
        self.texts = Texts()
        self.waiting = {}
        self.last_id = 0
        self.ends = set()
        self.news = asyncio.Event()
        self.reading = None
        self.lost = None

    async def connect(self):
        self.wire = await Wire.joined(self.port)
        self.log.note("connected", True)
        self.reading = asyncio.create_task(self.read())

    async def read(self):
        try:
            while data := await self.wire.reader.read(65536):
                for text in self.texts.take(data):
                    self.take(text)
                self.news.set()
            self.lost = "the node ended the connection"
        except (Closed, ConnectionError) as error:
            self.lost = repr(error)
        self.log.note("lost")
        self.news.set()
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(Closed(self.lost))

    def take(self, text):
        if text.startswith("42["):
            event = json.loads(text[2:])
            if event[0] == "h":
                self.log.note("event", tuple(event[1]))
            elif event[0] == "end":
                self.ends.add(tuple(event[1]))
        elif text.startswith("43"):
            number, _, rest = text[2:].partition("[")
            kind, room, future = self.waiting.pop(int(number))
            assert json.loads("[" + rest)[0]["success"], text
            # Here, so that it stands at its place among the events.
            self.log.note(kind, room)
            if not future.done():
                future.set_result(None)
        elif text == "2":
            self.wire.send(frame("3"))
        elif text == "41":
            raise Closed("the node disconnected the socket")

    async def change(self, event, room, asks, done):
        if self.lost:
            raise Closed(self.lost)
        self.last_id += 1
        future = asyncio.get_running_loop().create_future()
        self.waiting[self.last_id] = (done, room, future)
        self.log.note(asks, room)
        self.wire.send(frame(f"42{self.last_id}" + json.dumps([event, room])))
        # Asked again before that, the answers would mean both.
        await asyncio.wait_for(future, 300)

    async def join(self, room):
        await self.change("join-room", room, "asks to join", "joined")

    async def leave(self, room):
        await self.change("leave-room", room, "asks to leave", "left")

    async def lacks(self, ends, timeout):
        """Waits for last events; those that did not come."""
        end = time.monotonic() + timeout
        while not ends <= self.ends and time.monotonic() < end and self.lost is None:
            self.news.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.news.wait(), max(0.001, end - time.monotonic()))
        return ends - self.ends

    def close(self):
        if self.reading:
            self.reading.cancel()
        if self.wire:
            self.wire.reset()


class Emitter:
    """A back end that publishes through Redis itself, as the official emitter does."""

    def __init__(self, port):
        self.port = port
        self.reader = self.writer = None

    async def publish(self, *arguments, **options):
        """How many subscribers Redis gave it to; an OSError or a time-out if there was no answer."""
        try:
            if self.writer is None:
                self.reader, self.writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", self.port), 2)
            parts = (b"PUBLISH", *emitter_message(*arguments, **options))
            self.writer.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
            line = await asyncio.wait_for(self.reader.readline(), 2)
            if not line.startswith(b":"):
                raise OSError(f"Redis answered {line!r}")
            return int(line[1:])
        except (OSError, asyncio.TimeoutError):
            self.close()
            raise

    def close(self):
        if self.writer is not None:
            self.writer.close()
        self.writer = None


class Traffic:
    """Publishers on each node and an emitter, members on each node; what they did and saw."""

    def __init__(self, case, rate, seed, members=2):
        self.case = case
        self.bed = case.bed
        self.rate = rate
        self.seed = seed
        self.history = History()
        self.members = [
            Member(self.history.member(f"member {index} of node {node.index}", node.index), node.port)
            for node in self.bed.nodes
            for index in range(members)
        ]
        # One for each node comes and goes.
        self.walkers = [
            Member(self.history.member(f"walker of node {node.index}", node.index), node.port)
            for node in self.bed.nodes
        ]
        self.emitter = Emitter(self.bed.redis_port)
        self.names = [f"node {node.index}" for node in self.bed.nodes]
        self.count = 0
        self.is_flowing = True
        self.tasks = []
        # Nodes that a test froze or killed: they are not published through.
        self.silent = set()
        # Why publishes were refused.
        self.refusals = collections.Counter()
        self.began = time.monotonic()

    async def start(self):
        for member in self.members + self.walkers:
            await member.connect()
        for index, member in enumerate(self.members):
            # The rooms overlap.
            await member.join(ROOMS[index % 3])
            await member.join(ROOMS[(index + 1) % 3])
        self.tasks = [asyncio.create_task(self.publish(index)) for index in range(len(self.names))]
        if self.case.speaks_classic:
            self.tasks.append(asyncio.create_task(self.emit()))
        self.tasks += [asyncio.create_task(self.walk(index)) for index in range(len(self.walkers))]

    async def publish(self, index):
        """Batches of ten through the publish API of one node, one batch after the other."""
        generator = random.Random(f"{self.seed} {index}")
        # A frozen node answers when it wakes: whoever asks again before that has two requests under way, in no order.
        api = API(self.case.http, self.bed.nodes[index], self.bed.tokens["backend"], timeout=600)
        publishers = len(self.names) + 1
        while self.is_flowing:
            if index in self.silent:
                await asyncio.sleep(0.02)
                continue
            started = time.monotonic()
            node = self.bed.nodes[index].index
            batch = [self.history.begin(self.names[index], generator.choice(ROOMS), node) for _ in range(10)]
            self.count += len(batch)
            operations = [
                {"path": "/io/raw", "body": {"event": "h", "rooms": [p.room], "data": p.stamp}} for p in batch
            ]
            # Without an answer the outcome stays unknown.
            with contextlib.suppress(aiohttp.ClientError, asyncio.TimeoutError, OSError):
                status, answer = await api.request("POST", "/io/batch", {"operations": operations})
                assert status == 200, answer
                for publication, result in zip(batch, answer["results"]):
                    self.answered(publication, result["status"], result["body"])
            await asyncio.sleep(max(0.001, started + 10 * publishers / self.rate - time.monotonic()))

    def answered(self, publication, status, body):
        if status == 503:
            reason = body["error"]["message"]
            self.refusals[reason] += 1
            # Whoever says that does not know: neither does the check.
            if "may or may not have been executed" not in reason:
                publication.answer("refused")
        else:
            assert (status, body["delivery"]) in ((200, "published"), (202, "queued")), (status, body)
            publication.answer(body["delivery"])

    async def emit(self):
        generator = random.Random(f"{self.seed} emitter")
        while self.is_flowing:
            for _ in range(5):
                publication = self.history.begin("emitter", generator.choice(ROOMS))
                self.count += 1
                with contextlib.suppress(OSError, asyncio.TimeoutError):
                    await self.emitter.publish("h", *[list(publication.stamp)], rooms=[publication.room])
                    publication.answer("published")
            await asyncio.sleep(5 * (len(self.names) + 1) / self.rate)

    async def walk(self, index):
        generator = random.Random(f"{self.seed} walker {index}")
        walker = self.walkers[index]
        while self.is_flowing:
            room = generator.choice(ROOMS)
            # A node that froze or died answers nothing.
            with contextlib.suppress(Closed, asyncio.TimeoutError):
                await walker.join(room)
                await asyncio.sleep(generator.random() * 0.1)
                await walker.leave(room)
            if walker.lost:
                return

    async def flow(self, events):
        """Returns when so many more events have been published."""
        target = self.count + events
        end = time.monotonic() + 20 + 10 * events / self.rate
        while self.count < target:
            for task in self.tasks:
                if task.done() and task.exception():
                    raise task.exception()
            assert time.monotonic() < end, f"only {self.count + events - target} of {events} events were published"
            await asyncio.sleep(0.01)

    async def stop(self):
        self.is_flowing = False
        await asyncio.gather(*self.tasks)

    async def settle(self, timeout=20):
        """Waits until every member has something that each publisher said after all the rest.

        What is said while a node is about to come back may be lost to that node; so it is said again.
        """
        await self.stop()
        end = time.monotonic() + timeout
        missing = ["everything"]
        number = 0
        while missing:
            assert time.monotonic() < end, f"after {timeout} s last words are still missing: {missing}"
            await self.case.all_back(timeout)
            number += 1
            ends = {(name, number) for index, name in enumerate(self.names) if index not in self.silent}
            for name, _ in ends:
                await self.case.api_of(self.names.index(name)).post("/io/raw", {"event": "end", "data": [name, number]})
            if self.case.speaks_classic:
                ends.add(("emitter", number))
                await self.emitter.publish("end", ["emitter", number])
            members = [member for member in self.members + self.walkers if member.lost is None]
            lacks = await asyncio.gather(*(member.lacks(ends, 2) for member in members))
            missing = [f"{member.log.name}: {sorted(lack)}" for member, lack in zip(members, lacks) if lack]

    def collect_gaps(self):
        """What the nodes said about gaps, in their logs."""
        for node in self.bed.nodes:
            for line in self.bed.log(node, '"Redis is back"'):
                if line["at"] < self.began:
                    continue
                if "missed" in line:
                    seconds = float(re.search(r"in the last ([\d.]+) s ", line["missed"]).group(1))
                    self.history.gaps.append((node.index, line["at"] - seconds - LOG_SLACK, line["at"] + LOG_SLACK))
                if line["publishes.dropped"] != "0" or "peers.missing" in line:
                    self.history.dropping.add(f"node {node.index}")

    def check(self):
        """Fails with the broken promises; otherwise the figures."""
        self.collect_gaps()
        broken, figures = self.history.check()
        if broken:
            told = [(node, round(start, 2), round(end, 2)) for node, start, end in self.history.gaps]
            lines = "\n".join(broken[:10])
            self.case.fail(
                f"seed {self.seed}: {len(broken)} promises were broken, first\n{lines}\n"
                f"gaps {told}, {self.history.describe(figures)}"
            )
        assert figures["due"] and figures["delivered"], "nothing was tested"
        return figures

    def close(self):
        self.is_flowing = False
        for task in self.tasks:
            task.cancel()
        for member in self.members + self.walkers:
            member.close()
        self.emitter.close()


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
