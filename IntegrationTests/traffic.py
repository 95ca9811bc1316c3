"""Publishers and members of a faulty cluster, and what they write down for the history check."""

import asyncio
import collections
import contextlib
import json
import random
import re
import time

import aiohttp

from history import LOG_SLACK, History
from support import API, emitter_message
from wire import Closed, Texts, Wire, frame

ROOMS = ["chat-1", "chat-2", "chat-3"]


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
        except Exception as error:  # noqa: BLE001 — whoever waits must hear of it, whatever it is
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
            told = (status, body["delivery"])
            assert told in ((200, "published"), (202, "queued"), (202, "unconfirmed")), (status, body)
            # Whoever says "unconfirmed" does not know: neither does the check.
            if body["delivery"] != "unconfirmed":
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
            everybody = self.members + self.walkers
            nodes = {node.index: node for node in self.bed.nodes}
            lost = [m for m in everybody if m.lost and nodes[m.log.node].process.is_running]
            assert not lost, f"seed {self.seed}: {lost[0].log.name} was lost: {lost[0].lost}"
            members = [member for member in everybody if member.lost is None]
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
