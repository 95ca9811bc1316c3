"""Clients whose links come and go, and connection state recovery: row B12 of docs/conformance.md; started by run.py."""

import asyncio
import collections
import json
import os
import pathlib
import random
import socket
import tempfile
import unittest

from cluster import Cluster, Process, free_ports, newest_binary
from wire import TIMEOUT, Closed, Wire, frame

# Written into every failure, so that a run can be repeated; the moments of the cuts depend on the machine as well.
SEED = int(os.environ.get("SEED", "20261121"))

ROOMS = ["north", "east", "south", "west"]
CLIENTS = 300
PUBLISHERS = 4
# How long links are cut, in seconds.
CHURN = 6
# How long `conformance-server recovery` remembers a client.
REMEMBERED = 3


class Roamer:
    """A client whose link is cut again and again, and which comes back as the official client does."""

    def __init__(self, port, index, generator):
        self.port = port
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
        # Links that were neither closed nor read any more.
        self.abandoned = []
        self.news = asyncio.Event()

    @property
    def has_ended(self):
        return bool(self.segments[-1]) and self.segments[-1][-1] == "end"

    async def connect(self):
        """Opens a link and asks to be the client that it was."""
        self.back_at = asyncio.get_running_loop().time()
        self.wire = await Wire.websocket(self.port)
        self.buffer = bytearray()
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
            self.buffer += data
            self.take_frames()

    def take_frames(self):
        start = 0
        while len(self.buffer) - start >= 2:
            count, head = self.buffer[start + 1], 2
            if count == 126:
                if len(self.buffer) - start < 4:
                    break
                count, head = int.from_bytes(self.buffer[start + 2 : start + 4], "big"), 4
            assert count <= 0xFFFF, "a frame of more than 64 KiB"
            if len(self.buffer) - start < head + count:
                break
            opcode = self.buffer[start] & 0x0F
            payload = bytes(self.buffer[start + head : start + head + count])
            start += head + count
            if opcode == 8:
                raise Closed(f"close frame {payload!r}")
            self.take(payload.decode())
        del self.buffer[:start]

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
        for name, value, offset in self.missed:
            assert name == "event" and isinstance(offset, str), (name, value, offset)
            self.offset = offset
            self.segments[-1].append(value if value == "end" else tuple(value))
        self.missed.clear()

    def greet(self, answer):
        now = asyncio.get_running_loop().time()
        self.is_greeted = True
        if self.sid != answer["sid"]:
            if self.sid is not None:
                self.was_told += 1
                away = now - self.cut_at
                assert away >= REMEMBERED, f"a new client after {away:.2f} s"
            assert not self.missed, "events for a new client"
            self.offset = None
            self.segments.append([])
            self.is_joined = False
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

    async def be_away(self, seconds):
        """Is away for longer than the server remembers."""
        await self.stay(asyncio.get_running_loop().time() + self.generator.random())
        self.cut_at = asyncio.get_running_loop().time()
        self.wire.reset()
        await asyncio.sleep(seconds)
        await self.connect()
        await self.settle()

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


class LinksThatComeAndGo(unittest.IsolatedAsyncioTestCase):
    """B12, promise 3: whoever comes back gets all that it missed, once and in order, or is told that it is new."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.port = free_ports(1)[0]
        binary = newest_binary("conformance-server")
        cls.server = Process("recovery", [str(binary), "recovery", str(cls.port)], pathlib.Path(folder.name))
        cls.addClassCleanup(cls.server.end)
        Cluster.wait_for("conformance-server", cls.server, cls.is_listening)

    @classmethod
    def is_listening(cls):
        socket.create_connection(("127.0.0.1", cls.port), timeout=1).close()
        return True

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)

    async def test_b12_links_that_come_and_go(self):
        clock = asyncio.get_running_loop().time
        clients = [Roamer(self.port, index, random.Random(f"{SEED} {index}")) for index in range(CLIENTS)]
        self.addCleanup(lambda: [client.close() for client in clients])
        limit = asyncio.Semaphore(50)

        async def come(client):
            async with limit:
                await client.connect()
                await client.settle()

        await asyncio.gather(*(come(client) for client in clients))
        publishers = [await Wire.joined(self.port) for _ in range(PUBLISHERS)]
        self.addCleanup(lambda: [publisher.close() for publisher in publishers])
        # (publisher, room) -> how many events
        published = collections.Counter()
        end = clock() + CHURN

        def send(index, room):
            event = json.dumps(["publish", room, [index, published[index, room]]])
            published[index, room] += 1
            publishers[index].send(frame("42" + event))

        async def publish(index):
            generator = random.Random(f"{SEED} publisher {index}")
            while clock() < end:
                # A burst now and then, as one event alone is easily neither lost nor sent twice.
                for _ in range(generator.choice([1, 1, 1, 5])):
                    send(index, generator.choice(ROOMS))
                await asyncio.sleep(generator.random() * 0.15)

        distant = clients[:: CLIENTS // 10]
        await asyncio.gather(
            *(client.be_away(REMEMBERED + 1) if client in distant else client.roam(end) for client in clients),
            *(publish(index) for index in range(PUBLISHERS)),
        )
        # Everybody is there for the last events. Each publisher is answered after its own, so "end" stands behind them all.
        for index, publisher in enumerate(publishers):
            for room in ROOMS:
                send(index, room)
            await publisher.call("join", "nowhere")
        for room in ROOMS:
            publishers[0].send(frame("42" + json.dumps(["publish", room, "end"])))
        await asyncio.gather(*(client.until(lambda c=client: c.has_ended, "the last event") for client in clients))

        for client in clients:
            self.check(client, published)
        for client in distant:
            self.assertEqual(client.was_told, 1, "away for longer than the server remembers")
        cuts = sum((client.cuts for client in clients), collections.Counter())
        self.assertGreater(cuts.total(), 3 * CLIENTS)
        events = sum(published.values())
        received = sum(len(segment) for client in clients for segment in client.segments)
        times = sorted(time for client in clients for time in client.times_back)
        print(
            f"      {CLIENTS} clients lost {cuts.total()} links ({dict(cuts)}) during {events} events and received "
            f"{received}; back within {times[len(times) // 2]:.3f} s, 99 % within {times[len(times) * 99 // 100]:.3f} s"
        )

    def check(self, client, published):
        """Every event of the room, once and in the order of its publisher; gaps only where the client was told."""
        events = [event for segment in client.segments for event in segment]
        self.assertEqual(events.count("end"), 1, f"seed {SEED}")
        for publisher in range(PUBLISHERS):
            next_number = 0
            for segment in client.segments:
                numbers = [number for source, number in (e for e in segment if e != "end") if source == publisher]
                # The first segment is what was before the first answer: nothing.
                if numbers and segment is not client.segments[1]:
                    self.assertGreaterEqual(numbers[0], next_number, f"seed {SEED}: a new client gets old events")
                    next_number = numbers[0]
                self.assertEqual(
                    numbers, list(range(next_number, next_number + len(numbers))), f"seed {SEED}: publisher {publisher}"
                )
                next_number += len(numbers)
            self.assertEqual(next_number, published[publisher, client.room], f"seed {SEED}: the last events")


if __name__ == "__main__":
    unittest.main()
