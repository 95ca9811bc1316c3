"""What the integration tests share: clients that remember what they receive, HTTP, and a MessagePack writer."""

import asyncio
import itertools
import struct
import unittest

import aiohttp
import engineio.payload
import socketio

# This client leaves when one poll brings more than 16 packets; the JavaScript client has no such limit, and what nodes
# have kept for each other while Redis was away arrives at once.
engineio.payload.Payload.max_decode_packets = 10_000

TIMEOUT = 10
_barriers = itertools.count(1)


class Client:
    """An official Python client that keeps every event it receives, in order."""

    def __init__(self, url, transports=None, auth=None, namespaces=("/",), reconnection=False):
        self.url = url
        self.auth = auth
        self.transports = transports
        self.namespaces = list(namespaces)
        self.events = []
        self.disconnects = []
        self.refusals = []
        self.news = asyncio.Condition()
        self.sio = socketio.AsyncClient(
            reconnection=reconnection, reconnection_delay=0.2, reconnection_delay_max=0.5, randomization_factor=0.2
        )
        for namespace in self.namespaces:
            self.sio.on("*", self.receive(namespace), namespace=namespace)
            self.sio.on("disconnect", self.disconnected(namespace), namespace=namespace)
            self.sio.on("connect_error", self.refused(namespace), namespace=namespace)

    def receive(self, namespace):
        async def handler(event, *arguments):
            async with self.news:
                self.events.append((namespace, event, *arguments))
                self.news.notify_all()

        return handler

    def disconnected(self, namespace):
        async def handler(reason=None):
            async with self.news:
                self.disconnects.append((namespace, reason))
                self.news.notify_all()

        return handler

    def refused(self, namespace):
        async def handler(data=None):
            async with self.news:
                self.refusals.append((namespace, data))
                self.news.notify_all()

        return handler

    async def __aenter__(self):
        await self.connect()
        return self

    async def __aexit__(self, *_):
        await self.close()

    async def connect(self):
        await asyncio.wait_for(
            self.sio.connect(
                self.url,
                auth=self.auth,
                transports=self.transports,
                namespaces=self.namespaces,
                wait=True,
                wait_timeout=TIMEOUT,
            ),
            2 * TIMEOUT,
        )

    async def close(self):
        try:
            await asyncio.wait_for(self.sio.disconnect(), TIMEOUT)
        finally:
            # The client leaves its HTTP session to the garbage collector.
            http = getattr(self.sio.eio, "http", None)
            if http is not None and not http.closed:
                await http.close()

    def __str__(self):
        state = "connected" if self.sio.connected else f"disconnected {self.disconnects}"
        return f"the client of {self.url} by {self.transports or 'any transport'}, {state}"

    @property
    def id(self):
        return self.sio.get_sid()

    @property
    def transport(self):
        return self.sio.transport()

    async def call(self, event, data=None, namespace="/"):
        """Emits and waits for the acknowledgement."""
        return await self.sio.call(event, data, namespace=namespace, timeout=TIMEOUT)

    def named(self, event, namespace="/"):
        return [list(e[2:]) for e in self.events if e[0] == namespace and e[1] == event]

    async def until(self, condition, what, timeout=TIMEOUT):
        """Waits until the condition holds for what was received."""

        async def wait():
            async with self.news:
                await self.news.wait_for(condition)

        try:
            await asyncio.wait_for(wait(), timeout)
        except asyncio.TimeoutError:
            raise AssertionError(
                f"{what} did not happen within {timeout} s for {self}; received last: {self.events[-5:]}"
            ) from None

    async def event(self, name, namespace="/", timeout=TIMEOUT):
        """The first event of that name: its arguments."""
        await self.until(lambda: self.named(name, namespace), f"event {name}", timeout)
        return self.named(name, namespace)[0]


class API:
    """The publish API of a node."""

    def __init__(self, http, node, token, timeout=2 * TIMEOUT):
        self.http = http
        self.timeout = aiohttp.ClientTimeout(total=timeout)
        self.base = node.publish_url
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def request(self, method, path, body=None):
        async with self.http.request(
            method, self.base + path, json=body, headers=self.headers, timeout=self.timeout
        ) as response:
            return response.status, await response.json()

    async def post(self, path, body):
        """Publishes; while Redis is away the node keeps the message and answers 202."""
        status, answer = await self.request("POST", path, body)
        assert status == (202 if answer.get("delivery") == "queued" else 200), (path, status, answer)
        return answer

    async def get(self, path):
        status, answer = await self.request("GET", path)
        assert status == 200, (path, status, answer)
        return answer


class ClusterTestCase(unittest.IsolatedAsyncioTestCase):
    """Tests against the cluster that run.py started."""

    cluster = None

    async def asyncSetUp(self):
        # unittest turns asyncio's debug mode on, which reports every pause of a busy machine.
        asyncio.get_running_loop().set_debug(False)
        self.http = aiohttp.ClientSession()
        self.addAsyncCleanup(self.http.close)

    def api(self, node=0, token="backend"):
        return API(self.http, self.cluster.nodes[node], self.cluster.tokens.get(token, token))

    async def client(self, url=None, **options):
        """A connected client, closed at the test's end."""
        client = Client(url or self.cluster.url, **options)
        await client.connect()
        self.addAsyncCleanup(client.close)
        return client

    async def clients_of_each_node(self, **options):
        return [await self.client(node.url, **options) for node in self.cluster.nodes]

    async def barrier(self, clients, node=0):
        """Returns when all clients have everything that this node published before.

        Messages of one node arrive in order, so whoever has this event has all the earlier ones: what is missing then
        was never sent.
        """
        name = f"barrier-{next(_barriers)}"
        await self.api(node).post("/io/raw", {"event": name})
        for client in clients:
            await client.event(name)

    async def refusal(self, auth, url=None, namespace="/"):
        """What the server answers to a CONNECT with this auth."""
        client = Client(url or self.cluster.nodes[0].url, auth=auth, namespaces=[namespace], transports=["websocket"])
        try:
            with self.assertRaises(socketio.exceptions.ConnectionError):
                await client.connect()
            await client.until(lambda: client.refusals, "connect_error")
        finally:
            await client.close()
        return client.refusals[0][1]


async def eventually(action, what, timeout=15, pause=0.1):
    """Repeats an action until it returns something true; the action's last failure is shown if it never does."""
    end = asyncio.get_running_loop().time() + timeout
    last = None
    while asyncio.get_running_loop().time() < end:
        try:
            result = await action()
            if result:
                return result
            last = result
        except (AssertionError, OSError, asyncio.TimeoutError, aiohttp.ClientError) as error:
            last = error
        await asyncio.sleep(pause)
    raise AssertionError(f"{what} did not happen within {timeout} s: {last!r}")


def msgpack(value):
    """MessagePack as the official Redis emitter writes it."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        if 0 <= value < 128:
            return struct.pack("B", value)
        if 0 <= value < 2**32:
            return b"\xce" + struct.pack(">I", value)
        return b"\xd3" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        data = value.encode()
        if len(data) < 32:
            return bytes([0xA0 | len(data)]) + data
        if len(data) < 256:
            return b"\xd9" + bytes([len(data)]) + data
        return b"\xda" + struct.pack(">H", len(data)) + data
    if isinstance(value, bytes):
        if len(value) < 256:
            return b"\xc4" + bytes([len(value)]) + value
        return b"\xc5" + struct.pack(">H", len(value)) + value
    if isinstance(value, (list, tuple)):
        head = bytes([0x90 | len(value)]) if len(value) < 16 else b"\xdc" + struct.pack(">H", len(value))
        return head + b"".join(msgpack(v) for v in value)
    if isinstance(value, dict):
        head = bytes([0x80 | len(value)]) if len(value) < 16 else b"\xde" + struct.pack(">H", len(value))
        return head + b"".join(msgpack(k) + msgpack(v) for k, v in value.items())
    raise TypeError(type(value))


def emitter_message(event, *arguments, rooms=(), excepted=(), flags=None, namespace="/"):
    """The channel and the bytes of `emitter.to(rooms).emit(event, ...)` of @socket.io/redis-emitter 5."""
    packet = {"type": 2, "data": [event, *arguments], "nsp": namespace}
    options = {"rooms": list(rooms), "flags": flags or {}, "except": list(excepted)}
    channel = f"socket.io#{namespace}#"
    if len(rooms) == 1:
        channel += f"{rooms[0]}#"
    return channel.encode(), msgpack(["emitter", packet, options])
