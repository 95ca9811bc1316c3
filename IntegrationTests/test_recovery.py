"""Clients whose links come and go, and connection state recovery: rows A10, A11 and B12 of docs/conformance.md.

`conformance-server recovery` is one node that remembers. For each adapter that `bench-server` can remember with there
are two of them, between which clients move. Started by run.py.
"""

import asyncio
import collections
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import tempfile
import unittest

from cluster import Cluster, Process, StartError, free_ports, newest_binary, program
from wire import TIMEOUT, Closed, Texts, Wire, frame

# Written into every failure, so that a run can be repeated; the moments of the cuts depend on the machine as well.
SEED = int(os.environ.get("SEED", "20261121"))

ROOMS = ["north", "east", "south", "west"]
PUBLISHERS = 4
# How long the servers remember a client.
REMEMBERED = 3


def recovering_adapters():
    """The adapters with which bench-server remembers clients, by its own word."""
    try:
        usage = subprocess.run([newest_binary("bench-server")], capture_output=True, text=True, timeout=10).stdout
    except StartError:
        # `./test` builds it where it is asked for.
        return []
    named = re.search(r"--adapter ([a-z|]+)", usage)
    return named.group(1).split("|") if named and "--recovery" in usage else []


class Servers:
    """One server that remembers its clients, or two with Redis between them."""

    def __init__(self, adapter, folder):
        self.adapter = adapter
        self.folder = pathlib.Path(folder)
        # Whether a client may come back to any of them; otherwise each remembers its own.
        self.is_shared = adapter == "streams"
        self.publish, self.event = ("publish", "event") if adapter == "memory" else ("broadcast", "msg")
        self.redis = None
        # When events without an offset were seen, and in which rooms.
        self.without_offset = []
        self.ports = free_ports(1 if adapter == "memory" else 2)
        self.processes = []

    def start(self):
        if self.adapter != "memory":
            self.redis_port = free_ports(1)[0]
            self.start_redis()
        for port in self.ports:
            if self.adapter == "memory":
                arguments = [newest_binary("conformance-server"), "recovery", port]
            else:
                url = f"redis://127.0.0.1:{self.redis_port}"
                recovery = ["--adapter", self.adapter, "--recovery", REMEMBERED]
                arguments = [newest_binary("bench-server"), port, url, *recovery]
            process = Process(f"server-{port}", list(map(str, arguments)), self.folder)
            self.processes.append(process)
            Cluster.wait_for(process.name, process, lambda: self.is_listening(port))

    @staticmethod
    def is_listening(port):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True

    def start_redis(self):
        arguments = ["--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        self.redis = Process("redis", [program("redis-server"), *arguments], self.folder)
        Cluster.wait_for("redis", self.redis, lambda: self.redis_command("PING") == b"+PONG")

    def redis_command(self, *arguments):
        return Cluster.redis_command(self, *arguments)

    def stop(self):
        for process in [*self.processes, *([self.redis] if self.redis else [])]:
            process.end()


class Roamer:
    """A client whose link is cut again and again, and which comes back as the official client does."""

    # Whether it comes back to any server.
    roams = True

    def __init__(self, servers, index, generator):
        self.servers = servers
        self.port = servers.ports[index % len(servers.ports)]
        # Where it was when it was last answered.
        self.answered_by = None
        self.room = ROOMS[index % len(ROOMS)]
        self.generator = generator
        self.wire = None
        self.sid = self.pid = self.offset = None
        self.is_joined = False
        self.was_told = 0
        # What was received since the server last said that this is a new client, in order.
        self.segments = [[]]
        self.cut_at = None
        self.times_back = []
        self.cuts = collections.Counter()
        # Since when something may have happened that makes it a new client, though it was not away for long.
        self.answered_at = 0
        # Whether it lost a link before it was answered: then a node may have its session, which has no client any more.
        self.was_unanswered = False
        # When it was told that it is new for a reason that others have to confirm: from when on, and its room.
        self.doubts = []
        # Links that were neither closed nor read any more.
        self.abandoned = []
        self.news = asyncio.Event()

    @property
    def has_ended(self):
        """Whether the last event of each publisher is here."""
        return sum(number == "end" for segment in self.segments for _, number in segment) == PUBLISHERS

    async def connect(self):
        """Opens a link and asks to be the client that it was."""
        self.back_at = asyncio.get_running_loop().time()
        if self.wire is not None and self.roams and self.generator.random() < 0.5:
            self.port = self.generator.choice(self.servers.ports)
        self.wire = await Wire.websocket(self.port)
        self.texts = Texts()
        self.is_greeted = False
        # Missed events come before the answer to CONNECT, as from the official server.
        self.missed = []
        # As the official client's: what is undefined there is left out.
        auth = {"pid": self.pid, "offset": self.offset}
        auth = {key: value for key, value in auth.items() if value is not None}
        self.wire.send(frame("40" + (json.dumps(auth) if auth else "")))

    def cut(self):
        """Ends the link, in one of the ways in which links end; what is on its way to the client is lost."""
        way = self.generator.choice(["reset", "reset", "end", "silence"])
        self.cuts[way] += 1
        self.was_unanswered = self.was_unanswered or not self.is_greeted
        self.cut_at = asyncio.get_running_loop().time()
        if way == "reset":
            self.wire.reset()
        elif way == "end":
            self.wire.close()
        else:
            self.wire.writer.transport.pause_reading()
            self.abandoned.append(self.wire)

    async def stay(self, until):
        """Receives until that moment, or until an event is set."""
        clock = asyncio.get_running_loop().time
        while (left := until - clock()) > 0:
            try:
                data = await asyncio.wait_for(self.wire.reader.read(65536), left)
            except asyncio.TimeoutError:
                return
            if not data:
                raise Closed("the server ended the link")
            for text in self.texts.take(data):
                self.take(text)

    def take(self, text):
        if text == "2":
            self.wire.send(frame("3"))
        elif text.startswith("42"):
            self.missed.append(json.loads(text[2:]))
            if self.is_greeted:
                self.take_events()
        elif text.startswith("40"):
            self.greet(json.loads(text[2:]))
        elif text.startswith("431"):
            self.is_joined = True
        else:
            raise AssertionError(text)
        self.news.set()

    def take_events(self):
        for name, value, *rest in self.missed:
            assert name == self.servers.event and len(rest) <= 1, (name, value, rest)
            assert rest or self.servers.is_shared, f"no offset: {name} {value}"
            # An event that the stream did not take in time goes out without an offset.
            if not rest:
                self.servers.without_offset.append((asyncio.get_running_loop().time(), self.room))
            else:
                assert isinstance(rest[0], str), (name, value, rest)
                self.offset = rest[0]
            self.segments[-1].append(tuple(value))
        self.missed.clear()

    def greet(self, answer):
        now = asyncio.get_running_loop().time()
        self.is_greeted = True
        if self.sid != answer["sid"]:
            if self.sid is not None:
                self.was_told += 1
                away = now - self.cut_at
                is_forgotten = away >= REMEMBERED or not self.servers.is_shared and self.answered_by != self.port
                if not is_forgotten:
                    assert self.servers.is_shared, f"a new client after {away:.2f} s"
                    # With a stream there are two reasons more. A node has taken the session for a link that was lost
                    # before the answer, and another node finds it taken.
                    if not self.was_unanswered:
                        # Or an event went to the room that the stream did not take in time: whoever was sent it without
                        # an offset, or should have been, can't say what it has seen.
                        self.doubts.append((self.answered_at, now, self.room))
            assert not self.missed, "events for a new client"
            self.offset = None
            self.segments.append([])
            self.is_joined = False
        else:
            assert self.servers.is_shared or self.answered_by == self.port, "another node claims to remember"
        self.answered_by = self.port
        self.answered_at, self.was_unanswered = now, False
        if self.cut_at is not None:
            self.times_back.append(now - self.back_at)
        self.sid, self.pid = answer["sid"], answer["pid"]
        self.take_events()
        if not self.is_joined:
            self.wire.send(frame(f'421["join","{self.room}"]'))

    async def roam(self, until):
        """Loses the link and comes back, until that moment; the last link stays."""
        clock = asyncio.get_running_loop().time
        random = self.generator.random
        while clock() < until:
            # Sometimes at once, while the server is still busy with the return.
            await self.stay(clock() + (random() * 0.01 if random() < 0.2 else random() * 1.5))
            self.cut()
            await asyncio.sleep(random() * 0.5)
            await self.connect()
        await self.settle()

    async def be_away(self, seconds, until):
        """Is away for longer than the server remembers, and then there until that moment."""
        await self.stay(asyncio.get_running_loop().time() + self.generator.random())
        self.cut_at = asyncio.get_running_loop().time()
        self.wire.reset()
        await asyncio.sleep(seconds)
        await self.connect()
        await self.settle()
        await self.stay(until)

    async def until(self, condition, what):
        end = asyncio.get_running_loop().time() + TIMEOUT
        while not condition():
            assert asyncio.get_running_loop().time() < end, f"{what} did not happen within {TIMEOUT} s"
            # Reads in short steps: each of them may bring it.
            await self.stay(min(end, asyncio.get_running_loop().time() + 0.05))

    async def settle(self):
        await self.until(lambda: self.is_greeted and self.is_joined, "the return")

    def close(self):
        for link in [self.wire, *self.abandoned]:
            if link is not None:
                link.reset()


class RecoveryTestCase(unittest.IsolatedAsyncioTestCase):
    """Tests against servers that are started for the class."""

    adapter = "memory"

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.servers = Servers(cls.adapter, folder.name)
        cls.addClassCleanup(cls.servers.stop)
        cls.servers.start()

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)

    async def publishers(self, count):
        ports = self.servers.ports
        publishers = [await Wire.joined(ports[index % len(ports)]) for index in range(count)]
        self.addCleanup(lambda: [publisher.close() for publisher in publishers])
        return publishers

    def send(self, publisher, room, value):
        publisher.send(frame("42" + json.dumps([self.servers.publish, room, value])))


class LinksThatComeAndGo(RecoveryTestCase):
    """B12, promise 3: whoever comes back gets all that it missed, once and in order, or is told that it is new."""

    clients = 300
    # How long links are cut, in seconds.
    churn = 6

    async def test_b12_links_that_come_and_go(self):
        clock = asyncio.get_running_loop().time
        clients = [Roamer(self.servers, index, random.Random(f"{SEED} {index}")) for index in range(self.clients)]
        self.addCleanup(lambda: [client.close() for client in clients])
        limit = asyncio.Semaphore(50)

        async def come(client):
            async with limit:
                await client.connect()
                await client.settle()

        await asyncio.gather(*(come(client) for client in clients))
        publishers = await self.publishers(PUBLISHERS)
        # (publisher, room) -> how many events
        published = collections.Counter()
        end = clock() + self.churn

        def send(index, room):
            self.send(publishers[index], room, [index, published[index, room]])
            published[index, room] += 1

        async def publish(index):
            generator = random.Random(f"{SEED} publisher {index}")
            while clock() < end:
                # A burst now and then, as one event alone is easily neither lost nor sent twice.
                for _ in range(generator.choice([1, 1, 1, 5])):
                    send(index, generator.choice(ROOMS))
                await asyncio.sleep(generator.random() * 0.15)

        distant = clients[:: self.clients // 10]
        await asyncio.gather(
            *(client.be_away(REMEMBERED + 1, end) if client in distant else client.roam(end) for client in clients),
            *(publish(index) for index in range(PUBLISHERS)),
        )
        # Everybody is there for the last events.
        for index, publisher in enumerate(publishers):
            for room in ROOMS:
                send(index, room)
                self.send(publisher, room, [index, "end"])
        await asyncio.gather(*(client.until(lambda c=client: c.has_ended, "the last event") for client in clients))

        for client in clients:
            self.check(client, published)
            for since, until, room in client.doubts:
                seen = [time for time, where in self.servers.without_offset if where == room]
                # Somebody else of the room was there, and saw that event.
                self.assertTrue(
                    any(since - 1 <= time <= until + 1 for time in seen),
                    f"seed {SEED}: told that it is new after {until - since:.2f} s, and every event had its offset",
                )
        for client in distant:
            self.assertEqual(client.was_told, 1, "away for longer than the server remembers")
        told = sum(client.was_told for client in clients)
        if self.servers.is_shared or len(self.servers.ports) == 1:
            self.assertLessEqual(told, 2 * len(distant), "told that they are new though they were not away for long")
        cuts = sum((client.cuts for client in clients), collections.Counter())
        self.assertGreater(cuts.total(), 3 * self.clients)
        events = sum(published.values())
        received = sum(len(segment) for client in clients for segment in client.segments)
        times = sorted(time for client in clients for time in client.times_back)
        print(
            f"      {self.clients} lost {cuts.total()} links ({dict(cuts)}) during {events} events, and received "
            f"{received}; back within {times[len(times) // 2]:.3f} s, 99 % within {times[len(times) * 99 // 100]:.3f} s"
        )

    def check(self, client, published):
        """Every event of the room, once and in the order of its publisher; gaps only where the client was told."""
        ends = [publisher for segment in client.segments for publisher, number in segment if number == "end"]
        self.assertEqual(sorted(ends), list(range(PUBLISHERS)), f"seed {SEED}")
        for publisher in range(PUBLISHERS):
            next_number = 0
            for segment in client.segments:
                numbers = [number for source, number in segment if source == publisher and number != "end"]
                # The first segment is what was before the first answer: nothing.
                if numbers and segment is not client.segments[1]:
                    # Another node may be behind the one before.
                    if len(self.servers.ports) == 1:
                        self.assertGreaterEqual(numbers[0], next_number, f"seed {SEED}: a new client gets old events")
                    next_number = numbers[0]
                self.assertEqual(
                    numbers, list(range(next_number, next_number + len(numbers))), f"seed {SEED}: publisher {publisher}"
                )
                next_number += len(numbers)
            self.assertEqual(next_number, published[publisher, client.room], f"seed {SEED}: the last events")


class ForeignSessions(RecoveryTestCase):
    """B10: nobody comes back as somebody else."""

    async def test_b10_guessed_sessions_make_new_clients(self):
        client = Roamer(self.servers, 0, random.Random(SEED))
        client.roams = False
        self.addCleanup(client.close)
        await client.connect()
        await client.settle()
        [publisher] = await self.publishers(1)
        self.send(publisher, client.room, [0, 0])
        await client.until(lambda: client.segments[-1], "the first event")
        client.cut_at = asyncio.get_running_loop().time()
        client.wire.reset()
        self.send(publisher, client.room, [0, 1])
        last = "A" if client.pid[-1] != "A" else "B"
        guesses = [client.sid, client.pid[:-1] + last, client.pid.swapcase(), client.pid + "A", client.pid[:-1], ""]
        guesses += ["*", None, 5, [client.pid], {"": client.pid}, "A" * 20, client.pid + "\0", "..", "x" * 5000]
        for port in self.servers.ports:
            for guess in guesses:
                wire = await Wire.websocket(port)
                self.addCleanup(wire.close)
                wire.send(frame("40" + json.dumps({"pid": guess, "offset": client.offset})))
                # What is missed would come first.
                answer = await wire.text()
                self.assertTrue(answer.startswith("40{"), answer)
                self.assertNotIn(client.sid, answer)
                self.assertNotIn(client.pid, answer)
        await client.connect()
        await client.until(lambda: len(client.segments[-1]) == 2, "what the client itself missed")
        self.assertEqual(client.was_told, 0)


class LostHistory(RecoveryTestCase):
    """A10, A11: Redis loses what happened while a client was away; it gets all of it, or is told that it is new."""

    adapter = "streams"

    async def away_during(self, lose):
        """A client is cut off, others publish, Redis loses that, and the client comes back."""
        # Where it was before, and where it never was.
        for port in self.servers.ports:
            client = Roamer(self.servers, 0, random.Random(SEED))
            self.addCleanup(client.close)
            await client.connect()
            await client.settle()
            publisher, other = await self.publishers(2)
            self.send(publisher, client.room, [0, 0])
            await client.until(lambda: client.segments[-1], "the first event")
            other.send(frame("421" + json.dumps(["join", client.room])))
            await other.matching(lambda text: text.startswith("431"))
            client.wire.reset()
            client.cut_at = asyncio.get_running_loop().time()
            for number in range(1, 6):
                self.send(publisher, client.room, [0, number])
            for number in range(1, 6):
                await other.event()
            await asyncio.to_thread(lose)
            before = client.sid
            # It may be told that it is new, however short it was away.
            client.cut_at -= REMEMBERED
            client.port, client.roams = port, False
            await client.connect()
            await client.until(lambda: client.is_greeted, "the answer")
            numbers = [number for _, number in client.segments[-1]]
            # All or nothing. A node that has the last part of the log in its memory needs no Redis for it.
            is_back = client.sid == before
            self.assertEqual(numbers, list(range(6)) if is_back else [], "a part of what was missed")
            self.assertEqual(client.was_told, 0 if is_back else 1)
            # And either way it is served from there on.
            await client.settle()
            self.send(publisher, client.room, [0, 6])
            await client.until(lambda: client.segments[-1][len(numbers) :], "the next event")
            self.assertEqual([number for _, number in client.segments[-1]], [*numbers, 6])

    async def test_a10_everything_is_flushed(self):
        await self.away_during(lambda: self.servers.redis_command("FLUSHALL"))

    async def test_a10_the_stream_is_trimmed(self):
        await self.away_during(lambda: self.servers.redis_command("XTRIM", "socket.io", "MAXLEN", "0"))

    async def test_a10_the_stream_is_evicted(self):
        await self.away_during(lambda: self.servers.redis_command("DEL", "socket.io"))

    async def test_a11_redis_is_restarted_empty(self):
        def restart():
            self.servers.redis.end(signal.SIGKILL)
            self.servers.start_redis()

        await self.away_during(restart)


copies = [LinksThatComeAndGo, ForeignSessions]
for kind in recovering_adapters():
    for case in (LinksThatComeAndGo, ForeignSessions, LostHistory):
        name = f"{case.__name__}Of{kind.capitalize()}"
        globals()[name] = type(name, (case,), {"adapter": kind, "__module__": __name__, "__doc__": case.__doc__})
        copies.append(globals()[name])


def load_tests(loader, *_):
    return unittest.TestSuite(map(loader.loadTestsFromTestCase, copies))


if __name__ == "__main__":
    unittest.main()
