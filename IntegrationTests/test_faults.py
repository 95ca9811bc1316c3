"""What Redis, clients and networks do wrong: the rows A, B and C of docs/conformance.md that need a real node.

Most of them meet a node of their own with short deadlines; started by run.py.
"""

import asyncio
import collections
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request

import wire
from cluster import Node, Process, free_ports, program
from support import API, ClusterTestCase, eventually
from wire import Closed, Meter, Wire, exchange, frame, poll, polling, post, request, resources, upgrade

# Where a deadline of the node is awaited, this much more is granted to a busy machine.
SLACK = 5
# An honest client is served within this while others attack, in seconds; unhindered it takes less than a millisecond.
UNHINDERED = 0.1
# Written into every failure, so that a run can be repeated.
SEED = int(os.environ.get("SEED", "20261121"))


class LoneNode:
    """A node without others: little room to queue, and a second for everything that clients should do soon."""

    settings = {
        "SOCKETIO_ADAPTER_TYPE": "memory",
        "SOCKETIO_LOGGING_LEVEL": "debug",
        "SOCKETIO_LISTEN_CONNECT_TIMEOUT": "1s",
        "SOCKETIO_HEARTBEAT_INTERVAL": "1s",
        "SOCKETIO_HEARTBEAT_TIMEOUT": "1s",
        "SOCKETIO_HEARTBEAT_UPGRADE_TIMEOUT": "1s",
        "SOCKETIO_LIMITS_QUEUED_BYTES": "1MiB",
        "SOCKETIO_LIMITS_REQUEST_TIMEOUT": "1s",
        "SOCKETIO_LIMITS_KEEP_ALIVE_TIMEOUT": "2s",
        "SOCKETIO_PUBLISH_BATCH_SIZE": "1000",
    }

    def __init__(self, cluster, settings, prefix=()):
        ports = free_ports(2)
        self.node = Node("lone", *ports)
        environment = {**cluster.node_environment(self.node), **self.settings, **settings}
        arguments = [*prefix, str(cluster.binary), "serve"]
        self.process = Process(f"lone-{ports[0]}", arguments, cluster.directory, environment)
        cluster.wait_for("the lone node", self.process, lambda: cluster.answers(self.node.url + "/readyz"))


class FaultTestCase(ClusterTestCase):
    """Tests against one node with short deadlines, started for the class."""

    settings = {}
    # What the node is started with: `prlimit` and its like.
    prefix = ()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lone = LoneNode(cls.cluster, cls.settings, cls.prefix)
        cls.addClassCleanup(cls.lone.process.end)
        cls.port = cls.lone.node.port

    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.publisher = API(self.http, self.lone.node, self.cluster.tokens["backend"])

    async def asyncTearDown(self):
        self.assertTrue(self.lone.process.is_running, self.lone.process.tail())

    async def joined(self, **options):
        client = await Wire.joined(self.port, **options)
        self.addCleanup(client.close)
        return client

    async def meter(self):
        """An honest client that has got used to the node."""
        meter = await Meter.start(self.port)
        self.addAsyncCleanup(meter.stop)
        await asyncio.sleep(0.3)
        meter.take()
        return meter

    async def hinders_nobody(self, attack, name=None):
        """Attacks; the honest client has to be served meanwhile.

        Up to three times: a machine that has something else to do hinders it now and then, a node that lets itself be
        kept does so every time.
        """
        meter = await self.meter()
        slowest = []
        while len(slowest) < 3:
            meter.forget()
            result = await attack()
            # A client that is cut off at once leaves no time for one.
            await meter.answered()
            slowest.append(meter.take()[1])
            if slowest[-1] < UNHINDERED:
                await meter.stop()
                return result
        self.fail(f"{name or 'the attack'} hindered the others each time: {slowest} s")

    async def sockets(self, room="io-role-public"):
        return (await self.publisher.get(f"/io/rooms/{room}/sockets"))["sockets"]

    async def nobody_left(self, room="io-role-public"):
        return not await self.sockets(room)

    def resources(self):
        return resources(self.lone.process.pid)

    @contextlib.contextmanager
    def stopped_client(self, room):
        """The process of a client that joined a room and was then frozen (SIGSTOP): its kernel goes on, it doesn't."""
        code = (
            "import asyncio, sys, wire\n"
            "async def main():\n"
            f"    client = await wire.Wire.joined({self.port}, receive_buffer=4096)\n"
            f"    await client.call('join-room', '{room}')\n"
            "    print('joined', flush=True)\n"
            "    await client.until_closed(60)\n"
            "asyncio.run(main())\n"
        )
        directory = os.path.dirname(os.path.abspath(__file__))
        process = subprocess.Popen([sys.executable, "-B", "-c", code], cwd=directory, stdout=subprocess.PIPE, text=True)
        try:
            self.assertEqual(process.stdout.readline().strip(), "joined")
            process.send_signal(signal.SIGSTOP)
            yield process
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


class SlowReaders(FaultTestCase):
    """B1, B2, promise 6: what waits for a client that doesn't read is bounded, and costs the others nothing."""

    settings = {"SOCKETIO_HEARTBEAT_INTERVAL": "30s", "SOCKETIO_HEARTBEAT_TIMEOUT": "30s"}

    async def flood(self, room):
        """About 1000 events a second until the room is empty; at most 32 MB, which is more than any kernel keeps."""
        operation = {"path": "/io/raw", "body": {"event": "x", "rooms": [room], "data": "x" * 8000}}
        for _ in range(40):
            await self.publisher.post("/io/batch", {"operations": [operation] * 100})
            if await self.nobody_left(room):
                return
            await asyncio.sleep(0.05)
        self.fail(f"still there: {await self.sockets(room)}")

    async def test_b1_readers_that_never_read_are_cut_off(self):
        memory, _ = self.resources()

        async def attack():
            with self.stopped_client("chat-b1"):
                for _ in range(4):
                    reader = await self.joined(receive_buffer=4096)
                    await reader.call("join-room", "chat-b1")
                self.assertEqual(len(await self.sockets("chat-b1")), 5)
                await self.flood("chat-b1")

        await self.hinders_nobody(attack)
        # Five queues of 1 MiB, and what the allocator keeps of the broadcasts.
        self.assertLess(self.resources()[0] - memory, 48 * 2**20)

    async def test_b2_readers_of_1_KB_a_second_are_cut_off(self):
        async def attack():
            reader = await self.joined(receive_buffer=4096)
            await reader.call("join-room", "chat-b2")

            async def read_slowly():
                with contextlib.suppress(ConnectionError):
                    while await reader.reader.read(1024):
                        await asyncio.sleep(1)

            task = asyncio.create_task(read_slowly())
            self.addCleanup(task.cancel)
            await self.flood("chat-b2")

        await self.hinders_nobody(attack)


class FewDescriptors(FaultTestCase):
    """E1, F1: clients take all the file descriptors that they get; the node works on, and goes on by itself."""

    prefix = ("prlimit", "--nofile=256:256")
    settings = {
        "SOCKETIO_LOGGING_LEVEL": "info",
        "SOCKETIO_ADAPTER_TYPE": "redis",
        "SOCKETIO_LIMITS_REQUEST_TIMEOUT": "60s",
        "SOCKETIO_LISTEN_CONNECT_TIMEOUT": "60s",
        "SOCKETIO_HEARTBEAT_INTERVAL": "30s",
        "SOCKETIO_HEARTBEAT_TIMEOUT": "30s",
    }

    def cpu(self):
        """The seconds that the node has computed."""
        with open(f"/proc/{self.lone.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def flood(self, count):
        """Connections that say nothing."""
        idle = []
        for _ in range(count):
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                idle.append(await asyncio.wait_for(Wire.open(self.port), 1))
        return idle

    async def test_descriptors_run_out_and_come_back(self):
        asking = [await self.joined() for _ in range(20)]
        idle = await self.flood(400)
        try:
            # Who is there is served, publishers too, and questions to other nodes are asked.
            for client in asking:
                self.assertTrue((await client.call("get-rooms"))["success"])
            for _ in range(5):
                answers = await asyncio.gather(*[self.sockets(f"room-{i}") for i in range(5)])
                self.assertEqual(answers, [[]] * 5)
            _, used = self.resources()
            self.assertLess(used, 256 - 16, "the reserve is gone")
            before = self.cpu()
            await asyncio.sleep(2)
            self.assertLess(self.cpu() - before, 0.6, "the node spins")
        finally:
            for client in idle:
                client.reset()
        joined = await eventually(lambda: Wire.joined(self.port), "a new client")
        self.assertTrue((await joined.call("get-rooms"))["success"])
        joined.close()
        log = self.lone.process.log.read_text(errors="replace")
        self.assertEqual(log.count("No connections are accepted for a while"), 1, log)

    async def test_refused_connections_count(self):
        """What is told that there is no room takes no descriptor that is not there."""
        await self.flood(300)
        for _ in range(300):
            with contextlib.suppress(OSError, asyncio.TimeoutError, Closed):
                client = await asyncio.wait_for(Wire.open(self.port), 0.05)
                client.close()
        self.assertLess(self.resources()[1], 256 - 16)


class NobodyReads(ClusterTestCase):
    """F2: standard output and error are pipes that nobody reads."""

    def start(self, level):
        ports = free_ports(2)
        node = Node("mute", *ports)
        environment = {
            **self.cluster.node_environment(node),
            "SOCKETIO_ADAPTER_TYPE": "memory",
            "SOCKETIO_LOGGING_LEVEL": level,
            "SOCKETIO_SHUTDOWN_DEADLINE": "5s",
        }
        reading, writing = os.pipe()
        # Full before the node writes its first line.
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b"x" * 4096)
        os.set_blocking(writing, True)
        process = subprocess.Popen(
            [str(self.cluster.binary), "serve"],
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            env=environment,
            cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
        )
        os.close(writing)
        self.addCleanup(os.close, reading)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return node, process, reading

    async def test_a_log_that_nobody_reads_holds_nothing_up(self):
        node, process, reading = self.start("debug")
        await eventually(lambda: asyncio.to_thread(self.cluster.answers, node.url + "/readyz"), "the start")
        bad = b"GET /socket.io/?EIO=4&transport=none HTTP/1.1\r\nHost: x\r\n\r\n"
        for _ in range(3000):
            self.assertEqual((await exchange(node.port, bad))[0], 400)
        self.assertTrue(self.cluster.answers(node.url + "/healthz"))
        client = await Wire.joined(node.port)
        self.assertTrue((await client.call("get-rooms"))["success"])
        publisher = API(self.http, node, self.cluster.tokens["backend"])
        self.assertTrue((await publisher.post("/io/raw", {"event": "x", "data": 1}))["success"])
        start = asyncio.get_running_loop().time()
        process.send_signal(signal.SIGTERM)
        await client.until_closed()
        self.assertEqual(await asyncio.to_thread(process.wait, 10), 0)
        self.assertLess(asyncio.get_running_loop().time() - start, 4)

    async def test_dropped_lines_are_told_of(self):
        node, process, reading = self.start("debug")
        await eventually(lambda: asyncio.to_thread(self.cluster.answers, node.url + "/readyz"), "the start")
        bad = b"GET /socket.io/?EIO=4&transport=none HTTP/1.1\r\nHost: x\r\n\r\n"
        client = await Wire.open(node.port)
        for _ in range(20_000):
            client.send(bad)
            self.assertEqual((await client.response())[0], 400)
        client.close()
        process.send_signal(signal.SIGTERM)

        def read():
            text = b""
            while data := os.read(reading, 2**20):
                text += data
            return text.decode()

        text = (await asyncio.to_thread(read)).lstrip("x")
        self.assertEqual(process.wait(10), 0)
        self.assertRegex(text, r"warning log: count=\d+ \[socketio_node\] Lines of the log were dropped")
        self.assertIn("The node has stopped", text)


class ShuttingDown(ClusterTestCase):
    """F3: the order of a shutdown, whoever is slow."""

    async def test_a_stalled_publisher_does_not_delay_it(self):
        lone = LoneNode(self.cluster, {"SOCKETIO_SHUTDOWN_DEADLINE": "20s", "SOCKETIO_LIMITS_REQUEST_TIMEOUT": "60s"})
        self.addCleanup(lone.process.end)
        client = await Wire.joined(lone.node.port)
        self.addCleanup(client.close)
        token = self.cluster.tokens["backend"]
        stalled = []
        for authorization in (f"Authorization: Bearer {token}\r\n", ""):
            wire = await Wire.open(lone.node.publish_port)
            head = f"POST /io/raw HTTP/1.1\r\nHost: x\r\n{authorization}Content-Length: 1000\r\n\r\n{{"
            wire.send(head.encode())
            self.addCleanup(wire.close)
            stalled.append(wire)
        await asyncio.sleep(0.3)
        start = asyncio.get_running_loop().time()
        lone.process.process.send_signal(signal.SIGTERM)
        with self.assertRaises(Closed):
            while True:
                await client.text()
        self.assertLess(asyncio.get_running_loop().time() - start, 1, "the client was told late")
        self.assertEqual(await asyncio.to_thread(lone.process.process.wait, 30), 0)
        self.assertLess(asyncio.get_running_loop().time() - start, 8)


class SlowSenders(FaultTestCase):
    """B3, B4, B5: every phase of a connection has its deadline."""

    async def drip(self, client, data, pause=0.1):
        """One byte after the other until the node ends the connection; how long that took."""

        async def send():
            for byte in data:
                client.send(bytes([byte]))
                await asyncio.sleep(pause)

        task = asyncio.create_task(send())
        try:
            return await client.until_closed(1 + 2 + SLACK)
        finally:
            task.cancel()

    async def test_b3_slow_heads_and_bodies(self):
        head = await Wire.open(self.port)
        body = await Wire.open(self.port)
        body.send(f"POST /socket.io/?EIO=4&transport=polling&sid={await polling(self.port)} HTTP/1.1\r\n".encode())
        body.send(b"Host: x\r\nContent-Length: 1000\r\n\r\n")
        await self.drip(head, request("GET", "transport=polling", headers="X: " + "x" * 200 + "\r\n"))

        async def send():
            while True:
                body.send(b"4")
                await asyncio.sleep(0.1)

        sending = asyncio.create_task(send())
        # The connection itself lingers for a moment, so that the answer arrives.
        self.assertEqual((await body.response())[0], 408)
        sending.cancel()
        body.reset()

    async def test_b3_a_frame_that_stops(self):
        for start in [b"\x81", frame("42[" + "x" * 100)[:20], frame("4", final=False)]:
            client = await self.joined()
            client.send(start)
            await self.ended(client)
        await eventually(self.nobody_left, "forgetting clients that stopped", SLACK)

    async def ended(self, client):
        """Waits for the close frame; the connection itself may wait for the client's answer."""
        with self.assertRaises(Closed):
            while True:
                await client.frame()

    async def test_b4_connections_that_say_nothing(self):
        silent = await Wire.open(self.port)
        idle = await Wire.open(self.port)
        idle.send(request("GET", "transport=polling"))
        await idle.response()
        nowhere = await Wire.websocket(self.port)
        await asyncio.gather(silent.until_closed(2 + SLACK), idle.until_closed(2 + SLACK), self.ended(nowhere))

    async def test_b5_clients_that_vanish(self):
        with self.stopped_client("chat-b5"):
            self.assertEqual(len(await self.sockets("chat-b5")), 1)
            await eventually(lambda: self.nobody_left("chat-b5"), "missing the client's pong", 1 + 1 + SLACK)
        sid = await polling(self.port)
        self.assertEqual(len(await self.sockets()), 1)
        await eventually(self.nobody_left, "missing the polls", 1 + 1 + SLACK)
        self.assertEqual((await post(self.port, sid, "3"))[0], 400)


class Endings(FaultTestCase):
    """B6: however a connection ends, nothing of it stays."""

    async def test_b6_resets_ends_and_half_closes_at_any_point(self):
        async def websocket(part, end):
            client = await Wire.joined(self.port)
            client.send(part)
            await client.writer.drain()
            await end(client)

        async def http(part, end):
            client = await Wire.open(self.port)
            client.send(part)
            await client.writer.drain()
            await end(client)

        async def reset(client):
            client.reset()

        async def end(client):
            client.close()

        async def half_close(client):
            client.writer.write_eof()
            await client.until_closed()

        text = frame("42" + json.dumps(["join-room", "lobby"]))
        attachment = frame('451-["join-room",{"_placeholder":true,"num":0}]') + frame(b"x" * 100, opcode=2)
        parts = [
            (websocket, b""), (websocket, text[:1]), (websocket, text[:9]), (websocket, text), (websocket, attachment[:70]),
            (websocket, frame("4", final=False)), (websocket, frame(b"", opcode=8)), (http, b""), (http, b"GET /socket"),
            (http, request("GET", "transport=polling")), (http, request("POST", "transport=polling", b"x" * 99)[:-50]),
            (http, upgrade()), (http, upgrade()[:-2]), (http, upgrade() + frame("40") + text[:5]),
        ]  # fmt: skip
        await eventually(self.nobody_left, "an empty node", 1 + 1 + SLACK)
        _, before = self.resources()
        for _ in range(5):
            await asyncio.gather(*(kind(part, ending) for kind, part in parts for ending in [reset, end, half_close]))
        await eventually(self.nobody_left, "forgetting the sockets", 1 + 1 + SLACK)

        async def files_are_closed():
            return self.resources()[1] <= before + 1

        await eventually(files_are_closed, f"closing the files but for {before}", 2 + SLACK)

    async def test_b6_the_session_of_a_poll_that_was_reset_goes_on_or_ends(self):
        sid = await polling(self.port)
        client = await Wire.open(self.port)
        client.send(request("GET", f"transport=polling&sid={sid}"))
        await client.writer.drain()
        client.reset()
        await eventually(self.nobody_left, "the end of the session", 1 + 1 + SLACK)


class Pieces(FaultTestCase):
    """B7: bytes mean the same in whatever pieces they come."""

    async def conversation(self, pieces, farewell, answers):
        """What comes back; the farewell is said once all answers are there, as a client that leaves waits for none."""
        client = await Wire.open(self.port)
        try:
            for piece in pieces:
                client.send(piece)
                # A task turn later the kernel has it; TCP_NODELAY sends it as it is.
                await asyncio.sleep(0.001)
            status, _, _ = await client.response()
            frames = [status]
            with contextlib.suppress(Closed):
                while True:
                    if len(frames) == 1 + answers:
                        client.send(farewell)
                    opcode, payload = await client.frame()
                    # Ids are all that differs.
                    frames.append((opcode, payload if b'"sid"' not in payload else payload[:9]))
            return frames + [client.closing_frame]
        finally:
            client.close()

    async def test_b7_websockets_split_at_every_byte(self):
        data = b"".join([
            upgrade(), frame("40"), frame('420["get-rooms"]'), frame(b"12", opcode=9),
            frame('451-1["join-room",{"_placeholder":true,"num":0}]'), frame(b"\0\1\xff", opcode=2),
            frame('422["join', final=False), frame(b"", opcode=10), frame('-room","lobby-\u00fc"]', opcode=0),
        ])  # fmt: skip
        farewell = frame("41") + frame(b"\x03\xe8", opcode=8)
        # Open packet, CONNECT, three acknowledgements, a pong.
        answers = 6
        whole = await self.conversation([data], farewell, answers)
        self.assertEqual(whole[0], 101)
        self.assertEqual(len(whole), 1 + answers + 1, whole)
        for start in range(1, len(data), 20):
            offsets = range(start, min(start + 20, len(data)))
            results = await asyncio.gather(*(self.conversation([data[:i], data[i:]], farewell, answers) for i in offsets))
            for offset, result in zip(offsets, results):
                self.assertEqual(result, whole, f"split at {offset} of {len(data)}")
        single = await self.conversation([bytes([byte]) for byte in data], farewell, answers)
        self.assertEqual(single, whole)

    async def test_b7_polling_split_at_every_byte(self):
        async def round_trip(offset):
            sid = await polling(self.port)
            data = request("POST", f"transport=polling&sid={sid}", '420["get-rooms"]\x1e421["join-room","ü"]'.encode())
            client = await Wire.open(self.port)
            client.send(data[:offset])
            await asyncio.sleep(0.001)
            client.send(data[offset:])
            answer = await client.response()
            client.close()
            return answer[0], answer[2], await poll(self.port, sid), len(data)

        whole = await round_trip(10_000)
        for start in range(1, whole[3], 20):
            offsets = range(start, min(start + 20, whole[3]))
            results = await asyncio.gather(*(round_trip(i) for i in offsets))
            for offset, result in zip(offsets, results):
                self.assertEqual(result, whole, f"split at {offset}")


class Upgrades(FaultTestCase):
    """B8: a change of transport loses nothing, repeats nothing, and ends with one transport."""

    async def probed(self, sid):
        client = await Wire.websocket(self.port, f"transport=websocket&sid={sid}")
        client.send(frame("2probe"))
        self.assertEqual(await client.text(), "3probe")
        return client

    async def id_of(self, sid):
        """The socket's id: what its CONNECT was answered with."""
        await post(self.port, sid, "40")
        return json.loads((await poll(self.port, sid))[0][2:])["sid"]

    async def test_b8_messages_during_the_upgrade_arrive_once_and_in_order(self):
        for seed in range(SEED, SEED + 20):
            generator = random.Random(seed)
            sid = await polling(self.port, connect=False)
            socket = await self.id_of(sid)
            received = []
            count = 30

            async def publish():
                for number in range(count):
                    await self.publisher.post("/io/raw", {"event": "n", "rooms": [socket], "data": number})
                    await asyncio.sleep(generator.random() * 0.002)

            async def poll_until_upgraded():
                while True:
                    packets = await poll(self.port, sid)
                    received.extend(json.loads(p[2:])[1] for p in packets if p.startswith("42"))
                    if "6" in packets:
                        return

            publishing = asyncio.create_task(publish())
            polls = asyncio.create_task(poll_until_upgraded())
            await asyncio.sleep(generator.random() * 0.02)
            client = await self.probed(sid)
            await asyncio.sleep(generator.random() * 0.02)
            # As the official clients do: the running poll ends, then the change is confirmed.
            await polls
            client.send(frame("5"))
            await publishing
            while len(received) < count:
                received.append((await asyncio.wait_for(client.event(), wire.TIMEOUT))[1])
            self.assertEqual(received, list(range(count)), f"seed {seed}")
            # All may have come by polls; then only this tells that the change has been handled.
            client.send(frame('420["get-rooms"]'))
            await client.matching(lambda t: t.startswith("430["))
            self.assertEqual((await exchange(self.port, request("GET", f"transport=polling&sid={sid}")))[0], 400)
            client.close()

    async def test_b8_a_probe_that_ends_or_never_goes_on_leaves_the_session_alone(self):
        for ending in ["close", "reset", "wait"]:
            sid = await polling(self.port)
            client = await self.probed(sid)
            alive = asyncio.create_task(self.poll_until_answered(sid))
            if ending == "wait":
                # The node gives the probe up, and the polling session lives.
                with self.assertRaises(Closed):
                    while True:
                        await client.frame()
            else:
                getattr(client, ending)()
            self.assertEqual(await post(self.port, sid, '420["get-rooms"]'), (200, "ok"))
            await asyncio.wait_for(alive, wire.TIMEOUT)

    async def poll_until_answered(self, sid):
        while True:
            for packet in await poll(self.port, sid):
                if packet == "2":
                    await post(self.port, sid, "3")
                if packet.startswith("430["):
                    return

    async def test_b8_of_two_upgrades_one_wins(self):
        sid = await polling(self.port)
        first = await self.probed(sid)
        with self.assertRaises(Closed):
            second = await Wire.websocket(self.port, f"transport=websocket&sid={sid}")
            second.send(frame("2probe"))
            await second.text()
        first.send(frame("5"))
        first.send(frame('420["get-rooms"]'))
        await first.matching(lambda t: t.startswith("430["))
        with self.assertRaises(Closed):
            late = await Wire.websocket(self.port, f"transport=websocket&sid={sid}")
            late.send(frame("2probe"))
            await late.text()
        first.send(frame('421["get-rooms"]'))
        await first.matching(lambda t: t.startswith("431["))
        first.close()

    async def test_b9_two_requests_at_once_end_the_session(self):
        for method in ["GET", "POST"]:
            sid = await polling(self.port)
            first = await Wire.open(self.port)
            data = request(method, f"transport=polling&sid={sid}", b"4" * 10 if method == "POST" else b"")
            first.send(data if method == "GET" else data[:-5])
            await first.writer.drain()
            await asyncio.sleep(0.05)
            status, _, _ = await exchange(self.port, data)
            self.assertEqual(status, 400, method)
            answer = await exchange(self.port, request("GET", f"transport=polling&sid={sid}"))
            self.assertEqual((answer[0], json.loads(answer[2])["code"]), (400, 1), method)
            first.close()


class Sessions(FaultTestCase):
    """B10, B13, B14: who a session belongs to."""

    async def refused(self, port, sid):
        for data in [
            request("GET", f"transport=polling&sid={sid}"),
            request("POST", f"transport=polling&sid={sid}", b"40"),
            upgrade(f"transport=websocket&sid={sid}"),
        ]:
            status, _, body = await exchange(port, data)
            self.assertEqual(status, 400)
            self.assertIn(b"Session ID unknown", body)

    async def test_b10_foreign_guessed_and_ended_session_ids(self):
        sid = await polling(self.port)
        for node in self.cluster.nodes:
            await self.refused(node.port, sid)
        for guess in ["AAAAAAAAAAAAAAAAAAAA", sid[:-1] + ("A" if sid[-1] != "A" else "B"), sid.swapcase(), sid + "A", "%00"]:
            await self.refused(self.port, guess)
        # The socket's id is public, the session's is not.
        client = await self.joined()
        await self.refused(self.port, client.sid)
        self.assertEqual(await post(self.port, sid, "1"), (200, "ok"))
        await self.refused(self.port, sid)

    async def test_b13_a_session_survives_another_address(self):
        sid = await polling(self.port, source="127.0.0.2")
        status, answer = await post(self.port, sid, '420["get-rooms"]', source="127.0.0.3")
        self.assertEqual((status, answer), (200, "ok"))
        packets = await poll(self.port, sid)
        self.assertTrue(any(p.startswith("430[") for p in packets), packets)

    async def test_b14_only_trusted_proxies_name_the_client(self):
        # The node trusts 127.0.0.1.
        for source, forwarded, address in [
            ("127.0.0.1", "10.1.2.3", "10.1.2.3"),
            ("127.0.0.1", "6.6.6.6, 10.1.2.3", "10.1.2.3"),
            ("127.0.0.1", "10.1.2.3, 127.0.0.1", "10.1.2.3"),
            ("127.0.0.1", "10.1.2.3:4711", "10.1.2.3"),
            # Nobody is taken for the proxy.
            ("127.0.0.1", "nonsense", "unreadable"),
            ("127.0.0.2", "10.1.2.3", "127.0.0.2"),
        ]:
            client = await Wire.websocket(self.port, headers=f"X-Forwarded-For: {forwarded}\r\n", source=source)
            await client.join()
            sockets = {s["id"]: s["address"] for s in await self.sockets()}
            self.assertEqual(sockets[client.sid], address, f"{forwarded} from {source}")
            client.close()


class Avalanche(ClusterTestCase):
    """B11: all clients of a node that died come back, to the nodes that are left."""

    count = 1000

    async def test_b11_all_clients_reconnect_after_sigkill(self):
        count = self.count
        port = self.cluster.port
        clock = asyncio.get_running_loop().time
        generator = random.Random(SEED)
        limit = asyncio.Semaphore(100)
        lost = []

        async def connect():
            async with limit:
                return await Wire.joined(port)

        async def live(client):
            try:
                while True:
                    await client.text()
            except (Closed, ConnectionError, asyncio.TimeoutError):
                lost.append(clock())
            # As the official client: after a second, give or take half of it.
            await asyncio.sleep(0.5 + generator.random())
            while True:
                try:
                    client = await connect()
                    client.close()
                    return clock()
                except (Closed, OSError, asyncio.TimeoutError):
                    await asyncio.sleep(0.5 + generator.random())

        clients = await asyncio.gather(*(connect() for _ in range(count)))
        self.addCleanup(lambda: [c.close() for c in clients])
        tasks = [asyncio.create_task(live(c)) for c in clients]
        node = self.cluster.nodes[1]
        self.cluster.kill_node(node)
        start = clock()
        try:
            await asyncio.sleep(3)
            # leastconn spread them; TIMEOUT ends none of them within this time.
            self.assertGreater(len(lost), count // 5)
            done = {task for task in tasks if task.done()}
            waiting = len(lost) - len(done)
            end = start + 10
            while waiting and clock() < end:
                await asyncio.sleep(0.1)
                waiting = len(lost) - sum(task.done() for task in tasks)
            self.assertEqual(waiting, 0, f"of {len(lost)} clients that lost their node")
            back = max(task.result() for task in tasks if task.done())
            print(f"      {len(lost)} clients were back {back - start:.1f} s after their node was killed")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.cluster.start_node(node)


class Floods(FaultTestCase):
    """C12, C14, C17: much of what is allowed, all at once, costs the others nothing."""

    settings = {"SOCKETIO_HEARTBEAT_INTERVAL": "30s", "SOCKETIO_HEARTBEAT_TIMEOUT": "30s"}

    async def flood(self, data, seconds=2, reads=True):
        """Sends the same bytes again and again as fast as the node takes them; how many bytes that was."""
        client = await Wire.joined(self.port)
        sent = 0
        end = asyncio.get_running_loop().time() + seconds

        async def read():
            with contextlib.suppress(ConnectionError):
                while await client.reader.read(1 << 20):
                    pass

        reading = asyncio.create_task(read()) if reads else None
        try:
            while asyncio.get_running_loop().time() < end:
                client.send(data)
                await asyncio.wait_for(client.writer.drain(), wire.TIMEOUT)
                sent += len(data)
        except (ConnectionError, asyncio.TimeoutError):
            pass
        finally:
            if reading:
                reading.cancel()
            client.reset()
        return sent

    async def test_c17_floods_of_small_frames_and_events(self):
        memory, _ = self.resources()
        subscribe = '420["subscribe-entity",{"uid":"api::article.article","id":7}]'
        for name, data in {
            "pings": frame(b"x", opcode=9), "pongs": frame(b"x", opcode=10), "engine pongs": frame("3"),
            "noops": frame("6"), "empty events": frame('42["x"]'), "acknowledgements": frame("431[1]"),
            "CONNECT of an unknown namespace": frame("40/x,"), "events that wait": frame(subscribe),
        }.items():  # fmt: skip
            sent = await self.hinders_nobody(lambda: self.flood(data * 2000, seconds=1), name)
            self.assertGreater(sent, 0)
        self.assertLess(self.resources()[0] - memory, 64 * 2**20)

    async def test_c17_floods_of_polls(self):
        async def attack():
            client = await Wire.open(self.port)
            end = asyncio.get_running_loop().time() + 1
            while asyncio.get_running_loop().time() < end:
                # Too many of them end the session.
                sid = await polling(self.port)
                for body in ["6", "\x1e".join(["6"] * 900)]:
                    client.send(request("POST", f"transport=polling&sid={sid}", body.encode()))
                    self.assertEqual((await client.response())[0], 200)
            client.close()

        await self.hinders_nobody(attack)

    async def test_c12_ten_thousand_namespaces(self):
        memory, _ = self.resources()
        client = await self.joined()
        for start in range(0, 10_000, 100):
            client.send(b"".join(frame(f"40/n{i},") for i in range(start, start + 100)))
            answer = await client.matching(lambda t: t.startswith(f"44/n{start + 99},"))
            self.assertIn("Invalid namespace", answer)
            client.pending.clear()
        self.assertTrue((await client.call("get-rooms"))["success"])
        for name in ["a?x", "/", "%63hat", "CHAT", "chat/", "x" * 500]:
            client.send(frame(f"40/{name},"))
            answer = await client.matching(lambda t: t.startswith("44/"))
            self.assertIn("Invalid namespace", answer)
        self.assertLess(self.resources()[0] - memory, 32 * 2**20)

    async def test_c14_compressed_bodies_are_not_unpacked(self):
        import gzip

        bomb = gzip.compress(b"4" * 50_000_000)
        memory, _ = self.resources()
        for encoding in ["gzip", "deflate", "br"]:
            sid = await polling(self.port)
            data = request("POST", f"transport=polling&sid={sid}", bomb, f"Content-Encoding: {encoding}\r\n")
            await exchange(self.port, data)
            status, _ = await self.publisher.request("POST", "/io/raw", None)
            self.assertEqual(status, 400)
            async with self.http.post(
                self.lone.node.publish_url + "/io/raw",
                data=bomb,
                headers={**self.publisher.headers, "Content-Encoding": encoding},
            ) as response:
                self.assertEqual(response.status, 400)
        self.assertLess(self.resources()[0] - memory, 32 * 2**20)


class Requests(ClusterTestCase):
    """C15, C16: HTTP that no client writes, to a node and through HAProxy."""

    async def raw(self, port, data):
        """All that comes back."""
        client = await Wire.open(port)
        client.send(data)
        received = b""
        with contextlib.suppress(ConnectionError, asyncio.TimeoutError):
            while part := await asyncio.wait_for(client.reader.read(65536), 1):
                received += part
        client.close()
        return received

    async def test_c15_heads_that_mean_two_things(self):
        line = "POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n"
        # Whoever takes the first length for true reads a second request out of the body.
        second = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        corpus = {
            "two lengths": f"{line}Content-Length: 0\r\nContent-Length: {len(second)}\r\n\r\n{second}",
            "length and chunks": f"{line}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{second}",
            "unknown coding": f"{line}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{second}",
            "spaced name": f"{line}Content-Length : {len(second)}\r\n\r\n{second}",
            "folded line": f"{line}X: a\r\n Content-Length: 0\r\n\r\n",
            "bare return": f"{line}X: a\rContent-Length: 0\r\n\r\n",
            "negative length": f"{line}Content-Length: -1\r\n\r\n{second}",
            "huge length": f"{line}Content-Length: 99999999999999999999\r\n\r\n{second}",
            "bad chunk": f"{line}Transfer-Encoding: chunked\r\n\r\nzz\r\n{second}",
            "NUL": f"{line}X: \0\r\n\r\n{second}",
            "control in the target": f"GET /socket.io/\x01 HTTP/1.1\r\nHost: x\r\n\r\n{second}",
            "many fields": line + "".join(f"X{i}: y\r\n" for i in range(100_000)) + "\r\n",
            "a field of 1 MB": f"{line}X: {'x' * 1_000_000}\r\n\r\n",
        }
        for port in [self.cluster.nodes[0].port, self.cluster.port]:
            for name, text in corpus.items():
                answer = await self.raw(port, text.encode())
                self.assertNotIn(b'"status"', answer, f"{name}: the second request was answered")
                self.assertLessEqual(answer.count(b"HTTP/1.1 "), 2, name)
                if answer:
                    self.assertRegex(answer[:12], rb"^HTTP/1\.[01] [45]", name)
            status, _, _ = await exchange(port, request("GET", "transport=polling"))
            self.assertEqual(status, 200)

    async def test_c16_remnants_and_paths(self):
        for target, status in {
            "/socket.io/socket.io.js": 400, "/socket.io/socket.io.min.js.map": 400,
            "/socket.io/../../../etc/passwd": 404, "/socket.io/%2e%2e/%2e%2e/etc/passwd": 400, "/../etc/passwd": 404,
            "/socket.io/?EIO=3&transport=polling": 400, "/socket.io/?EIO=5&transport=polling": 400,
            "/socket.io/?transport=polling": 400, "/socket.io/?EIO=4&transport=webtransport": 400,
            "/socket.io/?EIO=4&transport=__proto__": 400, "/socket.io/?EIO=4&transport=constructor": 400,
        }.items():  # fmt: skip
            answer = await self.raw(self.cluster.nodes[0].port, f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            self.assertIn(int(answer[9:12]), {status, 400, 404}, target)
            self.assertNotIn(b"root:", answer, target)

    async def test_c16_the_callback_of_jsonp_is_a_number(self):
        target = "/socket.io/?EIO=4&transport=polling&j=1;alert(1)//%3C/script%3E"
        answer = await self.raw(self.cluster.nodes[0].port, f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        self.assertIn(b'___eio[11]("', answer)
        self.assertNotIn(b"alert", answer)


class RedisLink(ClusterTestCase):
    """A node whose Redis hangs, changes its role, or takes a right away."""

    GRACE = 3

    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.redis_port = free_ports(1)[0]
        self.start_redis()
        self.redis_command("ACL", "SETUSER", "node", "on", ">p", "~*", "&*", "+@all")
        self.lone = LoneNode(self.cluster, {**self.settings(), "SOCKETIO_LOGGING_LEVEL": "info"})
        self.addCleanup(self.lone.process.end)
        self.publisher = API(self.http, self.lone.node, self.cluster.tokens["backend"])

    def settings(self, user="node"):
        return {
            "SOCKETIO_ADAPTER_TYPE": "redis",
            "SOCKETIO_ADAPTER_REDIS_URL": f"redis://{user}:p@127.0.0.1:{self.redis_port}",
            "SOCKETIO_ADAPTER_REDIS_READINESS_GRACE": f"{self.GRACE}s",
        }

    def start_redis(self, *arguments):
        command = [program("redis-server"), "--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", ""]
        directory = self.cluster.directory / f"redis-{self.redis_port}"
        directory.mkdir(exist_ok=True)
        name = f"redis-{self.redis_port}"
        self.redis = Process(name, [*command, "--dir", str(directory), *arguments], self.cluster.directory)
        self.addCleanup(self.end_redis, self.redis)
        self.cluster.wait_for(name, self.redis, lambda: self.redis_command("PING") == b"+PONG")

    def end_redis(self, process):
        if process.is_running:
            process.process.send_signal(signal.SIGCONT)
            process.end()

    def redis_command(self, *arguments):
        parts = [str(a).encode() for a in arguments]
        request = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)
        with socket.create_connection(("127.0.0.1", self.redis_port), timeout=5) as s:
            s.sendall(request)
            return s.recv(4096).split(b"\r\n")[0]

    def ready(self):
        """Whether the node is ready, or why not."""
        try:
            with urllib.request.urlopen(self.lone.node.url + "/readyz", timeout=5) as answer:
                return json.load(answer)["reasons"]
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)["reasons"]

    async def not_ready(self, words, since):
        """Waits until the node says that it is not ready; within the grace, and a moment for this test's looks."""
        while True:
            reasons = await asyncio.to_thread(self.ready)
            if reasons:
                break
            self.assertLess(time.monotonic() - since, self.GRACE + 0.5, "still ready")
            await asyncio.sleep(0.05)
        self.assertGreater(time.monotonic() - since, self.GRACE - 1.5, f"a short outage counts: {reasons}")
        self.assertEqual(len(reasons), 1)
        self.assertTrue(reasons[0].startswith("redis unreachable: "), reasons)
        self.assertIn(words, reasons[0])

    async def is_ready(self):
        async def look():
            return await asyncio.to_thread(self.ready) == []

        await eventually(look, "readiness", timeout=20)

    def log(self, text):
        return [line for line in self.lone.process.log.read_text().splitlines() if text in line]

    async def test_a2_paused_writes(self):
        started = time.monotonic()
        self.redis_command("CLIENT", "PAUSE", "12000", "WRITE")
        await self.not_ready("has not taken a message", started)
        await self.is_ready()
        self.assertGreater(time.monotonic() - started, 11)
        self.assertEqual(len(self.log("Redis is out of reach")), 1)
        self.assertEqual(len(self.log("Redis is back")), 1)
        self.assertEqual(len(self.log("Dropped publishes")), 0)

    async def test_a2_frozen_redis(self):
        started = time.monotonic()
        self.redis.process.send_signal(signal.SIGSTOP)
        await self.not_ready("", started)
        await asyncio.sleep(9)
        self.redis.process.send_signal(signal.SIGCONT)
        await self.is_ready()
        self.assertEqual(len(self.log("Redis is out of reach")), 1)
        self.assertEqual(len(self.log("Redis is back")), 1)

    async def test_a8_a_primary_becomes_a_replica(self):
        started = time.monotonic()
        self.redis_command("REPLICAOF", "127.0.0.1", "1")
        while "replica" not in "".join(await asyncio.to_thread(self.ready)):
            self.assertLess(time.monotonic() - started, 5 + self.GRACE + 1, "a keep-alive and the grace")
            await asyncio.sleep(0.1)
        self.redis_command("REPLICAOF", "NO", "ONE")
        await self.is_ready()

    async def test_a13_a_right_is_taken_away(self):
        started = time.monotonic()
        self.redis_command("ACL", "SETUSER", "node", "-publish")
        await self.not_ready("NOPERM", started)
        self.redis_command("ACL", "SETUSER", "node", "+publish")
        await self.is_ready()
        line = self.log("Redis is out of reach")[0]
        self.assertIn("warning", line.lower())
        self.assertIn("NOPERM", line)

    def refused(self, *arguments, user="node"):
        """What a node says that does not start."""
        environment = {**self.settings(user), "SOCKETIO_LISTEN_PORT": "0", "SOCKETIO_PUBLISH_PORT": "0", "SOCKETIO_CONSOLE_PORT": "0"}
        result = self.cluster.run("serve", *arguments, environment=environment, check=False)
        self.assertEqual(result.returncode, 69, result.stderr)
        self.assertNotIn(":p@", result.stderr + result.stdout)
        return result.stderr

    async def test_a13_missing_rights_stop_the_start(self):
        rights = ["+publish", "+subscribe", "+psubscribe", "+pubsub"]
        self.redis_command("ACL", "SETUSER", "narrow", "on", ">p", "resetchannels", "&socket.io*", *rights)
        error = await asyncio.to_thread(self.refused, user="narrow")
        self.assertIn("NOPERM", error)
        self.assertIn("socket.io#/#*", error)

    async def test_words_of_redis_stop_the_start(self):
        self.assertIn("WRONGPASS", await asyncio.to_thread(self.refused, user="nobody"))
        self.redis_command("CONFIG", "SET", "maxclients", "2")
        self.assertIn("max number of clients reached", await asyncio.to_thread(self.refused))

    async def test_a8_what_is_no_primary_stops_the_start(self):
        self.redis_command("REPLICAOF", "127.0.0.1", "1")
        self.assertIn("replica", await asyncio.to_thread(self.refused))
        self.end_redis(self.redis)
        self.start_redis("--cluster-enabled", "yes")
        self.redis_command("ACL", "SETUSER", "node", "on", ">p", "~*", "&*", "+@all")
        self.assertIn("one node of a Redis Cluster", await asyncio.to_thread(self.refused))


class Timed(Wire):
    """A client that remembers when each event came: before or after the answers that it waited for meanwhile."""

    def __init__(self, reader, writer):
        super().__init__(reader, writer)
        self.arrivals = []

    async def text(self):
        text = await super().text()
        if text.startswith("42"):
            self.arrivals.append(asyncio.get_running_loop().time())
        return text


class History(FaultTestCase):
    """Promises 1, 2 and 5: order, no duplicate, nothing to those outside of the room, and nothing missing inside it."""

    settings = {"SOCKETIO_HEARTBEAT_INTERVAL": "30s", "SOCKETIO_HEARTBEAT_TIMEOUT": "30s"}
    rooms = ["chat-1", "chat-2", "chat-3"]

    async def test_history_of_publishers_and_members(self):
        for seed in range(SEED, SEED + 3):
            with self.subTest(seed=seed):
                await self.run_seed(random.Random(seed))

    async def run_seed(self, generator):
        clock = asyncio.get_running_loop().time
        # (publisher, room) -> [(begun, answered)] by number
        published = collections.defaultdict(list)
        clients = [await Timed.joined(self.port) for _ in range(6)]
        # client -> [(room, wish to join, its answer, wish to leave, its answer)]
        stays = [[] for _ in clients]
        deliveries = [[] for _ in clients]

        async def publish(publisher):
            for _ in range(60):
                room = generator.choice(self.rooms)
                number = len(published[publisher, room])
                published[publisher, room].append([clock(), None])
                body = {"event": "h", "rooms": [room], "data": [publisher, room, number]}
                await self.publisher.post("/io/raw", body)
                published[publisher, room][number][1] = clock()

        async def come_and_go(client, stays):
            for _ in range(8):
                room = generator.choice(self.rooms)
                stay = [room, clock()]
                self.assertTrue((await client.call("join-room", room))["success"])
                stay.append(clock())
                await asyncio.sleep(generator.random() * 0.03)
                stay.append(clock())
                # An answered broadcast waits for the socket's event loop, which may read this client's packets first:
                # once it has answered, it has done what had been asked of it before.
                await client.call("get-rooms")
                self.assertTrue((await client.call("leave-room", room))["success"])
                stay.append(clock())
                stays.append(stay)

        members = asyncio.gather(*(come_and_go(c, s) for c, s in zip(clients, stays)))
        await asyncio.gather(*(publish(p) for p in range(4)))
        await members
        await self.publisher.post("/io/raw", {"event": "the-end"})
        for client, received in zip(clients, deliveries):
            while (event := await client.event())[0] != "the-end":
                received.append(tuple(event[1]))
            client.close()

        for client, stays, received in zip(clients, stays, deliveries):
            self.assertEqual(len(received), len(set(received)), "a duplicate")
            latest = {}
            for (publisher, room, number), arrival in zip(received, client.arrivals):
                self.assertGreater(number, latest.get((publisher, room), -1), f"out of order in {room}")
                latest[publisher, room] = number
                self.assertTrue(
                    any(r == room and joining <= arrival <= left for r, joining, _, _, left in stays),
                    f"{publisher} {room} {number} to a client outside of the room",
                )
            for (publisher, room), numbers in published.items():
                for number, (begun, answered) in enumerate(numbers):
                    if any(r == room and begun >= joined and answered <= leaving for r, _, joined, leaving, _ in stays):
                        self.assertIn((publisher, room, number), received, "missing inside of the room")


if __name__ == "__main__":
    unittest.main()
