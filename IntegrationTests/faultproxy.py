"""A TCP proxy that is as bad as a network can be, and that a test tells how bad while bytes go through it.

It runs on a thread of its own, so that a test may block meanwhile. Bytes are never changed, reordered or left out: TCP
does none of that either. What a lost packet costs is a pause (`Way.loss`).
"""

import asyncio
import contextlib
import random
import socket
import struct
import threading
import time

# What TCP on Linux waits before it sends again what was not confirmed; twice as long each further time.
RETRANSMISSION = 0.2


class Way:
    """One of the two ways of all links of a proxy. A test may set each member at any time."""

    def __init__(self):
        # How long bytes are under way, in seconds.
        self.delay = 0
        # The most bytes a second; each link has them for itself.
        self.rate = None
        # The most bytes of one write: 1 for every byte alone.
        self.piece = None
        # The share of segments that are lost and come after a pause, as all that is behind them.
        self.loss = 0
        # After so many bytes more, counted over all links, the link that brings the last one is reset.
        self.cut_after = None
        # Nothing arrives, not even an end or a reset; what is sent waits. No side is told.
        self.is_silent = False
        # How many bytes arrived, and in how many writes.
        self.bytes = 0
        self.writes = 0


class Link:
    """Two connections: that of the client, and the proxy's own to the server."""

    def __init__(self, client, server):
        self.client = client
        self.server = server
        self.tasks = []
        # Where a test has half-closed this link: "client", "server".
        self.half_closed = set()
        self.is_open = True

    def end(self, reset):
        """Ends both connections, with a reset if so asked; what is under way is lost."""
        if not self.is_open:
            return
        self.is_open = False
        for task in self.tasks:
            task.cancel()
        for one in (self.client, self.server):
            with contextlib.suppress(OSError):
                if reset:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    one.shutdown(socket.SHUT_RDWR)
            one.close()


class FaultProxy:
    """`with FaultProxy(port) as proxy:` listens on `proxy.port` and leads to that port of this machine.

    `up` is the way from clients to the server, `down` the way back.
    """

    def __init__(self, target, buffer=None, seed=0):
        """`buffer` makes the kernel's buffers so small that a slow way is felt at its other end."""
        self.target = target
        self.buffer = buffer
        self.up = Way()
        self.down = Way()
        self.random = random.Random(seed)
        self.links = []
        self.accepted = 0
        # Nobody gets in any more: the kernel of the client is told at once.
        self.is_refusing = False
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="fault proxy", daemon=True)
        self.listener = socket.socket()
        if buffer:
            # Inherited by what is accepted.
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        self.listener.bind(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.listener.listen(1024)
        self.listener.setblocking(False)

    def __enter__(self):
        self.thread.start()
        self.accepting = asyncio.run_coroutine_threadsafe(self.accept(), self.loop)
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends all links and the thread."""
        if not self.thread.is_alive():
            return
        self.run(self.end_everything())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()

    # What a test does

    def cut(self, reset=True):
        """Ends every link; how many there were. New ones get through."""

        async def cut():
            links = list(self.links)
            for link in links:
                link.end(reset)
            return len(links)

        return self.run(cut())

    def half_close(self, side="client"):
        """Says to one side of every link that nothing more comes; it may go on sending."""

        async def half_close():
            for link in self.links:
                link.half_closed.add(side)
                with contextlib.suppress(OSError):
                    getattr(link, side).shutdown(socket.SHUT_WR)

        self.run(half_close())

    def heal(self):
        """Both ways are good again; links that were cut stay so."""
        for way in (self.up, self.down):
            way.delay, way.rate, way.piece, way.loss, way.cut_after, way.is_silent = 0, None, None, 0, None, False
        self.is_refusing = False

    # The thread

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    async def end_everything(self):
        self.accepting.cancel()
        self.listener.close()
        tasks = [task for link in self.links for task in link.tasks]
        for link in list(self.links):
            link.end(reset=True)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def accept(self):
        while True:
            client, _ = await self.loop.sock_accept(self.listener)
            self.accepted += 1
            if self.is_refusing:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                continue
            self.loop.create_task(self.serve(client))

    async def serve(self, client):
        server = socket.socket()
        for one in (client, server):
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.buffer:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.buffer)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.buffer)
        link = Link(client, server)
        try:
            await self.loop.sock_connect(server, ("127.0.0.1", self.target))
        except OSError:
            link.end(reset=True)
            return
        self.links.append(link)
        link.tasks = [
            self.loop.create_task(self.carry(link, way, source, sink, side))
            for way, source, sink, side in [(self.up, client, server, "server"), (self.down, server, client, "client")]
        ]
        await asyncio.gather(*link.tasks, return_exceptions=True)
        link.end(reset=False)
        self.links.remove(link)

    async def carry(self, link, way, source, sink, side):
        """One way of one link, until its source ends; a reset goes on to the other side."""
        under_way = asyncio.Queue(2 if self.buffer else 64)
        reading = self.loop.create_task(self.read(link, way, source, under_way))
        link.tasks.append(reading)
        try:
            while True:
                due, data = await under_way.get()
                # The end takes as long as bytes do, and silence holds it back, too.
                await self.until(way, due)
                if not data:
                    break
                if not await self.write(link, way, sink, side, data):
                    return
            if side not in link.half_closed:
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            link.end(reset=True)
        finally:
            reading.cancel()

    async def read(self, link, way, source, under_way):
        due = 0
        while True:
            while way.is_silent:
                await asyncio.sleep(0.01)
            size = 65536 if not way.rate else max(1, min(65536, int(way.rate / 20)))
            try:
                data = await self.loop.sock_recv(source, size)
            except OSError:
                await self.until(way, 0)
                link.end(reset=True)
                return
            now = time.monotonic()
            pause = way.delay
            lost = RETRANSMISSION
            while way.loss and self.random.random() < way.loss:
                pause += lost
                lost *= 2
            # Nothing overtakes what was sent before.
            due = max(due, now + pause)
            await under_way.put((due, data))
            if not data:
                return

    async def until(self, way, due):
        while (left := due - time.monotonic()) > 0:
            await asyncio.sleep(left)
        while way.is_silent:
            await asyncio.sleep(0.01)

    async def write(self, link, way, sink, side, data):
        """Whether the link is still there."""
        if side in link.half_closed:
            return True
        cut = way.cut_after is not None and way.cut_after <= len(data)
        if cut:
            data, way.cut_after = data[: way.cut_after], None
        elif way.cut_after is not None:
            way.cut_after -= len(data)
        step = way.piece or len(data) or 1
        for start in range(0, len(data), step):
            way.writes += 1
            await self.loop.sock_sendall(sink, data[start : start + step])
            if way.piece:
                # The other side's loop gets its turn with this piece alone.
                await asyncio.sleep(0)
        way.bytes += len(data)
        if way.rate:
            await asyncio.sleep(len(data) / way.rate)
        if cut:
            # What was written before arrives before the end.
            await asyncio.sleep(0.01)
            link.end(reset=True)
        return not cut
