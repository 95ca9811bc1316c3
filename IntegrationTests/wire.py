"""Clients that are not polite: single bytes, frames and HTTP requests as a test wants them. Standard library only."""

import asyncio
import contextlib
import json
import os
import socket
import struct

UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
TIMEOUT = 10


def request(method, query, body=b"", headers=""):
    """An HTTP request of Engine.IO."""
    length = f"Content-Length: {len(body)}\r\n" if body or method == "POST" else ""
    return f"{method} /socket.io/?EIO=4&{query} HTTP/1.1\r\nHost: test\r\n{headers}{length}\r\n".encode() + body


def upgrade(query="transport=websocket", headers=""):
    return request("GET", query, headers=UPGRADE + headers)


def frame(payload, opcode=1, final=True, reserved=0, length=None):
    """A masked frame; the mask is zero, so that the payload can be read in a dump."""
    payload = payload.encode() if isinstance(payload, str) else payload
    count = len(payload) if length is None else length
    head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
    if count < 126:
        head += bytes([0x80 | count])
    elif count < 65536:
        head += bytes([0x80 | 126]) + struct.pack(">H", count)
    else:
        head += bytes([0x80 | 127]) + struct.pack(">Q", count)
    return head + b"\0\0\0\0" + payload


class Closed(Exception):
    """The other side ended the connection."""


class Texts:
    """Finds the texts in a stream of frames; for clients that get so many that a task for each would be slow."""

    def __init__(self):
        self.buffer = bytearray()

    def take(self, data):
        """Yields the texts that are complete now."""
        self.buffer += data
        start = 0
        try:
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
                if opcode == 1:
                    yield payload.decode()
        finally:
            del self.buffer[:start]


class Wire:
    """One TCP connection, and the state of a Socket.IO client on it."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.sid = None
        self.last_id = 0
        # Texts that came while another was waited for.
        self.pending = []
        self.closing_frame = None

    @classmethod
    async def open(cls, port, source="127.0.0.1", receive_buffer=None):
        raw = socket.socket()
        raw.setblocking(False)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source != "127.0.0.1":
            raw.bind((source, 0))
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port)), TIMEOUT)
        # A small limit: what the test doesn't read stays in the kernel, where the server notices it.
        return cls(*await asyncio.open_connection(sock=raw, limit=receive_buffer or 2**22))

    @classmethod
    async def websocket(cls, port, query="transport=websocket", headers="", **options):
        """An open WebSocket; without a session id in the query its open packet has been read."""
        wire = await cls.open(port, **options)
        wire.send(upgrade(query, headers))
        status, _, _ = await wire.response()
        if status != 101:
            raise Closed(status)
        if "sid=" not in query:
            wire.open_packet = json.loads((await wire.text())[1:])
        return wire

    @classmethod
    async def joined(cls, port, auth=None, namespace="/", **options):
        wire = await cls.websocket(port, **options)
        await wire.join(auth, namespace)
        return wire

    async def join(self, auth=None, namespace="/"):
        prefix = "40" if namespace == "/" else f"40{namespace},"
        self.send(frame(prefix + (json.dumps(auth) if auth is not None else "")))
        answer = await self.matching(lambda t: t.startswith(("40", "44")))
        if answer.startswith("44"):
            raise Closed(answer)
        self.sid = json.loads(answer[answer.index("{") :])["sid"]

    def send(self, data):
        self.writer.write(data)

    async def bytes(self, count):
        try:
            return await asyncio.wait_for(self.reader.readexactly(count), TIMEOUT)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Closed(repr(error)) from None

    async def response(self):
        """An HTTP response: status, headers, body."""
        try:
            head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), TIMEOUT)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Closed(repr(error)) from None
        lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        body = await self.bytes(int(headers.get("content-length", 0)))
        return int(lines[0].split(" ")[1]), headers, body

    async def frame(self):
        """A frame of the server: opcode and payload."""
        first, second = await self.bytes(2)
        count = second & 0x7F
        if count == 126:
            count = struct.unpack(">H", await self.bytes(2))[0]
        elif count == 127:
            count = struct.unpack(">Q", await self.bytes(8))[0]
        payload = await self.bytes(count)
        if first & 0x0F == 8:
            self.closing_frame = payload
            raise Closed(f"close frame {payload!r}")
        return first & 0x0F, payload

    async def text(self):
        """The next text but for pings, which are answered."""
        while True:
            opcode, payload = await self.frame()
            if opcode != 1:
                continue
            if payload == b"2":
                self.send(frame("3"))
                continue
            return payload.decode()

    async def matching(self, matches):
        """The next text that matches; others are kept."""
        for index, text in enumerate(self.pending):
            if matches(text):
                return self.pending.pop(index)
        while True:
            text = await self.text()
            if matches(text):
                return text
            self.pending.append(text)

    async def call(self, event, *arguments):
        """Emits and waits for the acknowledgement."""
        self.last_id += 1
        self.send(frame(f"42{self.last_id}" + json.dumps([event, *arguments])))
        prefix = f"43{self.last_id}["
        answer = await self.matching(lambda t: t.startswith(prefix))
        return json.loads(answer[len(prefix) - 1 :])[0]

    async def event(self):
        """The next event: its name and arguments."""
        return json.loads((await self.matching(lambda t: t.startswith("42")))[2:])

    async def until_closed(self, timeout=TIMEOUT):
        """Reads until the other side ends the connection; how long that took."""
        start = asyncio.get_running_loop().time()
        try:
            while True:
                data = await asyncio.wait_for(self.reader.read(65536), timeout)
                if not data:
                    break
        except ConnectionError:
            pass
        return asyncio.get_running_loop().time() - start

    def reset(self):
        """Ends the connection with a TCP reset."""
        raw = self.writer.get_extra_info("socket")
        # The other side may have ended it before.
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self):
        self.writer.close()


async def exchange(port, data, **options):
    """One HTTP exchange on a connection of its own."""
    wire = await Wire.open(port, **options)
    try:
        wire.send(data)
        return await wire.response()
    finally:
        wire.close()


async def polling(port, connect=True, **options):
    """A polling session: its id, with the main namespace joined."""
    status, _, body = await exchange(port, request("GET", "transport=polling"), **options)
    assert status == 200, (status, body)
    sid = json.loads(body[1:])["sid"]
    if connect:
        await post(port, sid, "40", **options)
        packets = await poll(port, sid, **options)
        assert packets[0].startswith("40{"), packets
    return sid


async def post(port, sid, body, **options):
    answer = await exchange(port, request("POST", f"transport=polling&sid={sid}", body.encode()), **options)
    return answer[0], answer[2].decode()


async def poll(port, sid, **options):
    status, _, body = await exchange(port, request("GET", f"transport=polling&sid={sid}"), **options)
    if status != 200:
        raise Closed(f"{status} {body.decode()}")
    return body.decode().split("\x1e")


class Meter:
    """An honest client that asks its node something every few milliseconds, and how long each answer took."""

    def __init__(self, wire):
        self.wire = wire
        self.times = []
        self.is_running = True
        self.task = asyncio.create_task(self.run())

    @classmethod
    async def start(cls, port):
        return cls(await Wire.joined(port))

    async def run(self):
        clock = asyncio.get_running_loop().time
        while self.is_running:
            start = clock()
            answer = await self.wire.call("get-rooms")
            assert answer["success"], answer
            self.times.append(clock() - start)
            await asyncio.sleep(0.005)

    def forget(self):
        self.times = []

    async def answered(self):
        """Waits for some answers, if there are none yet."""
        while len(self.times) < 3 and not self.task.done():
            await asyncio.sleep(0.001)

    def take(self):
        """The median and the 99th percentile since the last call, in seconds."""
        if self.task.done():
            self.task.result()
        times, self.times = sorted(self.times), []
        assert times, "the honest client got no answer at all"
        return times[len(times) // 2], times[int(len(times) * 0.99)]

    async def stop(self):
        # Not by cancelling alone: `wait_for` of Python 3.11 may take a cancellation for itself.
        self.is_running = False
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        self.wire.close()


def resources(pid):
    """A process's resident bytes and open files."""
    with open(f"/proc/{pid}/status") as status:
        pages = next(line for line in status if line.startswith("VmRSS:"))
    return int(pages.split()[1]) * 1024, len(os.listdir(f"/proc/{pid}/fd"))
