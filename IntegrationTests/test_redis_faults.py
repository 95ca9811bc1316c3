"""Redis and the links to it break under traffic, in a few seconds: group A of docs/conformance.md; started by run.py.

After each fault the history check holds what publishers were told against what clients saw. `long_faults.py` has the
faults that need minutes.
"""

import asyncio
import json
import random
import re
import signal
import socket
import time

from cluster import sign_jwt
from faulty import FaultyClusterTestCase, for_each_adapter
from support import emitter_message, eventually
from wire import Closed, Wire, resources


class Outages(FaultyClusterTestCase):
    """A1, A3, A5: Redis, or the way to it, is gone for a moment."""

    async def test_a1_redis_is_killed_and_comes_back(self):
        before = [self.gaps_told(node) for node in self.bed.nodes]
        for index in range(self.nodes):
            # Whoever asks the others counts them; otherwise a node learns of later ones within five seconds.
            await self.api_of(index).get("/io/rooms/lobby/sockets")
        traffic = await self.traffic()
        await traffic.flow(100)
        self.bed.kill_redis()
        # What clients of this node are sent goes on; what others should get is queued, and told so.
        await traffic.flow(200)
        for node in self.bed.nodes:
            self.assertTrue(self.bed.answers(node.url + "/healthz"))
        await asyncio.to_thread(self.bed.start_redis)
        await self.all_back()
        await traffic.flow(100)
        figures = await self.finish(traffic, "killed and back")
        self.assertGreater(figures["queued"], 50)
        # What was kept waits for those that come back later.
        self.assertEqual(figures["queued, missing and told"], 0)
        for node, told in zip(self.bed.nodes, before):
            await self.tells_a_gap(node, told)

    async def test_a5_only_the_subscriptions_are_killed(self):
        traffic = await self.traffic()
        await traffic.flow(50)
        for _ in range(3):
            before = [self.gaps_told(node) for node in self.bed.nodes]
            self.bed.redis_command("CLIENT", "KILL", "TYPE", "pubsub")
            for node, told in zip(self.bed.nodes, before):
                await self.tells_a_gap(node, told)
            await traffic.flow(50)
        await self.finish(traffic, "three times without subscriptions")

    async def test_a5_links_are_cut_after_any_number_of_bytes(self):
        traffic = await self.traffic()
        generator = random.Random(traffic.seed)
        for _ in range(4):
            proxy = generator.choice(self.bed.proxies)
            node = self.bed.nodes[self.bed.proxies.index(proxy)]
            before = self.gaps_told(node)
            way = generator.choice([proxy.up, proxy.down])
            way.cut_after = generator.randrange(1, 3000)
            await traffic.flow(60)
            await self.tells_a_gap(node, before)
        await self.finish(traffic, "four links cut")

    async def test_a5_redis_half_closes(self):
        traffic = await self.traffic()
        await traffic.flow(30)
        node, proxy = self.bed.nodes[0], self.bed.proxies[0]
        for side in ("client", "server"):
            before = self.gaps_told(node)
            proxy.half_close(side)
            await self.tells_a_gap(node, before)
            await traffic.flow(30)
        await self.finish(traffic, "half-closed")

    async def test_a4_every_byte_comes_alone(self):
        for proxy in self.bed.proxies:
            proxy.up.piece = proxy.down.piece = 1
        traffic = await self.traffic(rate=60)
        await traffic.flow(60)
        figures = await self.finish(traffic, "bytes alone")
        self.assertEqual(figures["published"], sum(map(len, traffic.history.published.values())))
        self.assertEqual(figures["missing and told"], 0)


class Nodes(FaultyClusterTestCase):
    """A15, A16: a node dies, or freezes and wakes."""

    async def ask(self, index, room):
        answer = await self.api_of(index).get(f"/io/rooms/{room}/sockets")
        return {socket["id"] for socket in answer["sockets"]}

    async def test_a15_a_killed_node_costs_nobody_a_timeout(self):
        traffic = await self.traffic()
        mine = [await Wire.joined(node.port) for node in self.bed.nodes]
        for client in mine:
            self.addCleanup(client.close)
            await client.call("join-room", "chat-asked")
        self.assertEqual(await self.ask(0, "chat-asked"), {client.sid for client in mine})
        victim = self.bed.nodes[2]
        traffic.silent.add(2)
        self.bed.kill_node(victim)
        expected = {client.sid for client in mine[:2]}
        for index in (0, 1):
            started = time.monotonic()
            # Never a wrong list. Redis may still have counted the node: then its connection is gone by one of the first
            # looks, after 0.1, 0.3 or 0.7 seconds.
            self.assertEqual(await self.ask(index, "chat-asked"), expected)
            self.assertLess(time.monotonic() - started, 1)
        await eventually(self.only(2), "a count without the killed node")
        for index in (0, 1):
            started = time.monotonic()
            # Its connection is gone, and its lease is not over: it costs nothing.
            self.assertEqual(await self.ask(index, "chat-asked"), expected)
            self.assertLess(time.monotonic() - started, 0.5)
        await traffic.flow(100)
        await self.finish(traffic, "a node killed")

    def only(self, count):
        """Whether Redis counts so many nodes."""
        channel = "socket.io-request#/#" if self.adapter == "redis" else "socket.io#/#"
        question = "SHARDNUMSUB" if self.adapter == "sharded" else "NUMSUB"

        async def is_counted():
            return await asyncio.to_thread(self.subscribers, question, channel) == count

        return is_counted

    def subscribers(self, question, channel):
        with socket.create_connection(("127.0.0.1", self.bed.redis_port), timeout=5) as link:
            link.sendall(f"PUBSUB {question} {channel}\r\n".encode())
            lines = link.makefile("rb")
            # An array of two: the channel, and the number.
            for _ in range(3):
                lines.readline()
            return int(lines.readline()[1:])

    async def test_a16_a_frozen_node_wakes_and_is_right(self):
        await self.freeze(3)

    async def freeze(self, seconds):
        """Stops a node for so long; what was revoked meanwhile stays revoked when it wakes."""
        traffic = await self.traffic()
        await traffic.flow(50)
        victim = self.bed.nodes[2]
        token = sign_jwt({"id": 4711, "username": "uma", "role": "reader"}, self.bed.jwt_secret)
        uma = await Wire.joined(victim.port, auth={"token": token})
        self.addCleanup(uma.close)
        traffic.silent.add(2)
        victim.process.process.send_signal(signal.SIGSTOP)
        frozen = time.monotonic()
        for event in ("before", "after"):
            await self.api_of(0).post("/io/users/4711/message", {"event": event})
            if event == "before":
                await self.api_of(0).post("/io/users/4711/disconnect", {})
        while time.monotonic() - frozen < seconds:
            await traffic.flow(20)
        victim.process.process.send_signal(signal.SIGCONT)
        woken = time.monotonic()
        seen = []
        with self.assertRaises(Closed):
            while True:
                text = await uma.text()
                seen.append(text)
                if text == "41":
                    raise Closed(text)
        self.assertNotIn("after", "".join(seen))
        traffic.silent.discard(2)
        await self.all_back()
        print(f"      back {time.monotonic() - woken:.1f} s after it woke")
        await traffic.flow(50)
        await self.finish(traffic, f"frozen for {woken - frozen:.1f} s")


class HostileMessages(FaultyClusterTestCase):
    """A12: whatever stands on our channels, nothing else is affected."""

    nodes = 2
    # Otherwise Redis cuts the nodes off before they see a long message.
    redis_settings = (("client-output-buffer-limit", "pubsub 0 0 0"),)

    def places(self, message):
        """The commands that put this message wherever nodes of this adapter look."""
        if self.adapter == "sharded":
            return [("SPUBLISH", channel, message) for channel in ("socket.io#/#", "socket.io#/#chat-1#")]
        if self.adapter == "streams":
            fields = ("uid", "x", "nsp", "/", "type", "3", "data")
            return [
                ("XADD", "socket.io", "*", *fields, message),
                ("XADD", "socket.io", "*", message, message),
                ("PUBLISH", "socket.io#/#", message),
            ]
        channels = ("socket.io#/#", "socket.io#/#chat-1#", "socket.io-request#/#", "socket.io-response#/#")
        return [("PUBLISH", channel, message) for channel in channels]

    def messages(self, generator):
        """Rubbish of many kinds: random, of wrong types, cut, spoiled, deep."""
        nobody = {"requestId": "1", "rooms": ["x"], "opts": {"rooms": ["no"], "except": []}}
        good = [emitter_message("spoiled", {"a": [1, b"x", None]}, rooms=["chat-1"])[1]]
        good += [
            # Spoiled or not, it means nobody.
            json.dumps({"uid": "x", "type": kind, **nobody}).encode()
            for kind in range(9)
        ]
        for kind in range(1, 13):
            data = {**nobody, "opts": {**nobody["opts"], "flags": {}}}
            good.append(json.dumps({"uid": "x", "nsp": "/", "type": kind, "data": data}).encode())
        for one in good:
            # Whoever leaves `rooms` out means everybody, as with the official server: that would be no rubbish.
            start = one.find(b'"rooms": ["no"]')
            kept = range(start, start + 15) if start >= 0 else ()
            places = [place for place in range(len(one)) if place not in kept]
            for _ in range(10):
                spoiled = bytearray(one)
                spoiled[generator.choice(places)] = generator.randrange(256)
                yield bytes(spoiled)
            yield one[: generator.randrange(len(one))]
        for length in (0, 1, 2, 16, 300, 5000):
            yield generator.randbytes(length)
        for value in (b"null", b"{}", b"[]", b'"x"', b"1e999", b'{"type":99}', b'{"type":"1","requestId":{}}'):
            yield value
        yield b"[" * 100_000
        yield b"\x91" * 100_000
        yield b'{"type":' + b'{"a":' * 100_000
        yield b"\xdd\xff\xff\xff\xff"
        yield b"\x93\xa1x\xdf\xff\xff\xff\xff"
        yield b'{"requestId":"' + b"9" * 100_000 + b'","type":0}'

    async def send(self, message):
        for command in self.places(message):
            await asyncio.to_thread(self.bed.redis_command, *command)

    async def test_a12_rubbish(self):
        traffic = await self.traffic()
        generator = random.Random(traffic.seed)
        memory = [resources(node.process.pid)[0] for node in self.bed.nodes]
        messages = list(self.messages(generator))
        for message in messages:
            await self.send(message)
        figures = await self.finish(traffic, f"{len(messages)} hostile messages in {len(self.places(b''))} places")
        self.assertEqual(figures["missing and told"], 0, "a link was lost over it")
        for node, before in zip(self.bed.nodes, memory):
            self.assertLess(resources(node.process.pid)[0] - before, 32 * 2**20)
            self.assertTrue(node.process.is_running)

    async def test_a12_a_message_of_100_MB(self):
        traffic = await self.traffic()
        await traffic.flow(30)
        await self.send(b"\xc6\x05\xf5\xe1\x00" + b"x" * 100_000_000)
        await traffic.flow(30)
        await self.finish(traffic, "messages of 100 MB")
        # What was too long for a node may cost it its connection, which it tells; not the memory.
        for node in self.bed.nodes:

            async def memory_is_back():
                return resources(node.process.pid)[0] < 300 * 2**20

            await eventually(memory_is_back, "less than 300 MiB of memory", pause=0.2)

    async def test_a12_replayed_messages(self):
        """What was recorded and comes again: no node can know that it is old; nothing else is affected."""
        client = await Wire.joined(self.bed.nodes[0].port)
        self.addCleanup(client.close)
        await client.call("join-room", "chat-replay")
        recorder = await Recorder.start(self.bed.redis_port)
        self.addCleanup(recorder.close)
        traffic = await self.traffic()
        await traffic.flow(30)
        self.assertEqual(len((await self.api_of(1).get("/io/rooms/chat-replay/sockets"))["sockets"]), 1)
        await traffic.stop()
        commands = recorder.commands()
        # The check would call a repeated event a broken promise.
        commands = [c for c in commands if not any(b'"h"' in part or b"\xa1h" in part for part in c)]
        self.assertTrue(commands, "nothing but events was recorded")
        for command in commands:
            await asyncio.to_thread(self.bed.redis_command, *command)
        self.assertTrue((await client.call("get-rooms"))["success"])
        await self.finish(traffic, f"{len(commands)} recorded messages played again")


class Recorder:
    """Watches what nodes say to each other, as Redis executes it: it subscribes to nothing, so no node counts it."""

    # What MONITOR writes for a byte that is no plain character.
    ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b", b'"': b'"', b"\\": b"\\"}

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.recorded = []

    @classmethod
    async def start(cls, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**26)
        writer.write(b"MONITOR\r\n")
        assert await reader.readline() == b"+OK\r\n"
        recorder = cls(reader, writer)
        recorder.task = asyncio.create_task(recorder.run())
        return recorder

    @classmethod
    def words(cls, line):
        """The words of a command: `+1700000000.000001 [0 127.0.0.1:1] "PUBLISH" "channel" "a\\x00message"`."""

        def plain(match):
            return bytes([int(match[1], 16)]) if match[1] else cls.ESCAPES[match[2]]

        quoted = re.findall(rb'"((?:[^"\\]|\\.)*)"', line[line.index(b"]") :])
        return [re.sub(rb"\\(?:x([0-9a-f]{2})|(.))", plain, word) for word in quoted]

    async def run(self):
        while line := await self.reader.readline():
            words = self.words(line)
            if words[0].upper() in (b"PUBLISH", b"SPUBLISH", b"XADD") and words[1].startswith(b"socket.io"):
                self.recorded.append(words)

    def commands(self):
        """What repeats all that was recorded, questions and answers among it."""
        return list(self.recorded)

    def close(self):
        self.task.cancel()
        self.writer.close()


load_tests = for_each_adapter(globals(), (Outages, Nodes, HostileMessages))
