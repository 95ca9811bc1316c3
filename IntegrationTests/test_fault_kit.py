"""The tools of the fault tests: the proxy's faults, and a check that finds broken promises; started by run.py."""

import contextlib
import random
import socket
import struct
import threading
import time
import unittest

from faultproxy import FaultProxy
from history import SETTLED, History


class Echo:
    """A server that sends back what it gets, on a thread."""

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=[self.listener.accept()[0]], daemon=True).start()

    def serve(self, connection):
        with contextlib.suppress(OSError), connection:
            while data := connection.recv(65536):
                connection.sendall(data)


class Proxy(unittest.TestCase):
    def setUp(self):
        self.echo = self.enterContext(Echo())
        self.proxy = self.enterContext(FaultProxy(self.echo.port, seed=1))
        self.client = self.connect()

    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.proxy.port), timeout=5)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.addCleanup(client.close)
        return client

    def receive(self, count, client=None):
        data = b""
        while len(data) < count and (part := (client or self.client).recv(count - len(data))):
            data += part
        return data

    def round_trip(self, data=b"x"):
        started = time.monotonic()
        self.client.sendall(data)
        self.assertEqual(self.receive(len(data)), data)
        return time.monotonic() - started

    def test_nothing_is_changed(self):
        data = random.Random(1).randbytes(300_000)
        sending = threading.Thread(target=self.client.sendall, args=[data])
        sending.start()
        self.assertEqual(self.receive(len(data)), data)
        sending.join()
        # The proxy counts what it has sent, so the client may have the last bytes before they are counted.
        counts = lambda: (self.proxy.up.bytes, self.proxy.down.bytes)  # noqa: E731
        deadline = time.monotonic() + 5
        while counts() != (len(data), len(data)) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual(counts(), (len(data), len(data)))

    def test_delay(self):
        self.round_trip()
        self.proxy.up.delay, self.proxy.down.delay = 0.1, 0.05
        self.assertGreater(self.round_trip(), 0.15)
        self.proxy.heal()
        self.assertLess(self.round_trip(), 0.1)

    def test_throttle(self):
        self.proxy.down.rate = 20_000
        self.assertGreater(self.round_trip(b"x" * 4000), 0.15)

    def test_loss_is_a_pause(self):
        self.proxy.up.loss = 1 / 2
        self.assertTrue(any(self.round_trip() > 0.19 for _ in range(20)))

    def test_pieces(self):
        self.round_trip()
        for way, other in ((self.proxy.down, self.proxy.up), (self.proxy.up, self.proxy.down)):
            way.piece = 1
            before = way.writes, other.writes
            self.client.sendall(b"0123456789")
            # The reader may find several pieces at once; the proxy has written each alone.
            self.assertEqual(self.receive(10), b"0123456789")
            self.assertEqual(way.writes - before[0], 10)
            if other is self.proxy.up:
                self.assertEqual(other.writes - before[1], 1)
            way.piece = None
        # Two at a time, and what is left.
        self.proxy.down.piece = 2
        before = self.proxy.down.writes
        self.client.sendall(b"01234")
        self.assertEqual(self.receive(5), b"01234")
        self.assertEqual(self.proxy.down.writes - before, 3)

    def test_silence_of_one_way_tells_nobody(self):
        self.round_trip()
        self.proxy.down.is_silent = True
        self.client.sendall(b"kept")
        self.client.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            self.client.recv(1)
        # It went one way.
        self.assertEqual(self.proxy.up.bytes, 5)
        self.proxy.heal()
        self.client.settimeout(5)
        self.assertEqual(self.receive(4), b"kept")

    def test_silence_hides_that_a_side_is_gone(self):
        for reset in (False, True):
            with self.subTest(reset=reset):
                self.client = self.connect()
                self.round_trip()
                links = len(self.proxy.links)
                self.proxy.up.is_silent = True
                if reset:
                    self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.client.close()
                time.sleep(0.1)
                self.assertEqual(len(self.proxy.links), links)
                self.proxy.heal()
                end = time.monotonic() + 5
                while len(self.proxy.links) == links and time.monotonic() < end:
                    time.sleep(0.001)
                self.assertEqual(len(self.proxy.links), links - 1)

    def test_cut_after_so_many_bytes(self):
        self.proxy.down.cut_after = 5
        other = self.connect()
        self.client.sendall(b"abc")
        self.assertEqual(self.receive(3), b"abc")
        other.sendall(b"abc")
        received = b""
        with self.assertRaises(ConnectionResetError):
            while part := other.recv(10):
                received += part
        self.assertIn(received, (b"ab", b""))
        self.round_trip()

    def test_cut(self):
        self.round_trip()
        self.assertEqual(self.proxy.cut(), 1)
        with self.assertRaises(ConnectionResetError):
            self.client.recv(1)
        self.client = self.connect()
        self.round_trip()
        self.proxy.cut(reset=False)
        self.assertEqual(self.client.recv(1), b"")

    def test_half_close_leaves_the_other_way_open(self):
        self.round_trip()
        self.proxy.half_close("client")
        self.assertEqual(self.client.recv(1), b"")
        self.client.sendall(b"goes on")
        end = time.monotonic() + 5
        while self.proxy.up.bytes < 8 and time.monotonic() < end:
            time.sleep(0.001)
        self.assertEqual(self.proxy.up.bytes, 8)

    def test_refusing(self):
        # The link stands before others are refused.
        self.round_trip()
        self.proxy.is_refusing = True
        with self.assertRaises(ConnectionResetError):
            self.connect().recv(1)
        self.round_trip()


class Promises(unittest.TestCase):
    """A history in which one promise is broken, and one next to it in which none is."""

    def setUp(self):
        self.history = History()
        self.member = self.history.member("Ann", 1)
        self.member.note("connected", True)
        self.join()

    def join(self):
        self.member.note("asks to join", "r")
        self.member.note("joined", "r")

    def published(self, outcome="published", node=2):
        publication = self.history.begin("p", "r", node)
        if outcome:
            publication.answer(outcome)
        return publication

    def got(self, *publications):
        for publication in publications:
            self.member.note("event", publication.stamp)

    def broken(self):
        return [sentence.partition(":")[0] for sentence in self.history.check()[0]]

    def test_all_is_well(self):
        self.got(self.published(), self.published("queued"), self.published(None))
        self.assertEqual(self.broken(), [])

    def test_order(self):
        first, second = self.published(), self.published()
        self.got(second, first)
        self.assertEqual(self.broken(), ["promise 1"])

    def test_duplicates(self):
        first = self.published()
        self.got(first, first)
        self.assertEqual(self.broken(), ["promise 2"])

    def test_what_is_missing_must_be_told(self):
        for outcome in ("published", "queued"):
            self.published(outcome)
        self.assertEqual(self.broken(), ["promise 3"] * 2)
        now = time.monotonic()
        self.history.gaps.append((2, now - 5, now))
        self.assertEqual(self.broken(), ["promise 3"] * 2, "another node's gap")
        self.history.gaps.append((1, now - 5, now - 4))
        self.assertEqual(self.broken(), ["promise 3"] * 2, "a gap at another time")
        self.history.gaps.append((1, now - 5, now))
        self.assertEqual(self.broken(), [])

    def test_no_gap_excuses_the_node_itself(self):
        self.published(node=1)
        self.history.gaps.append((1, 0, time.monotonic()))
        self.assertEqual(self.broken(), ["local delivery"])

    def test_what_was_dropped_may_be_missing_only_if_it_was_queued(self):
        self.history.dropping.add("p")
        self.published("queued")
        self.assertEqual(self.broken(), [])
        self.published()
        self.assertEqual(self.broken(), ["promise 3"])

    def test_refused_means_nobody(self):
        self.published("refused")
        self.assertEqual(self.broken(), [])
        self.got(self.published("refused"))
        self.assertEqual(self.broken(), ["promise 4"])

    def test_outside_of_the_room(self):
        self.member.note("asks to leave", "r")
        self.got(self.published())
        self.member.note("left", "r")
        self.assertEqual(self.broken(), [])
        self.got(self.published())
        self.assertEqual(self.broken(), ["promise 5"])

    def test_a_recovered_client_gets_all_and_a_new_one_is_told(self):
        before = self.published()
        self.member.note("lost")
        self.published()
        self.member.note("connected", False)
        self.got(before)
        self.assertEqual(self.broken(), ["promise 3"])
        self.member.note("lost")
        # The link was lost a moment ago: what came then may have been on its way.
        self.member.note("connected", True)
        self.assertEqual(self.broken(), [])
        self.published()
        self.assertEqual(self.broken(), [])
        self.join()
        self.published()
        self.assertEqual(self.broken(), ["promise 3"])

    def test_long_before_a_member_left_it_must_have_had_it(self):
        publication = self.published()
        publication.answered -= 2 * SETTLED
        self.member.note("asks to leave", "r")
        self.assertEqual(self.broken(), ["promise 3"])

    def test_what_nobody_published(self):
        self.member.note("event", ("p", "r", 0))
        self.assertEqual(len(self.history.check()[0]), 1)


if __name__ == "__main__":
    unittest.main()
