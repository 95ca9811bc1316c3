"""What publishers said and clients saw, and whether it keeps the promises of docs/conformance.md.

Each event is stamped (publisher, room, number). Publishers write down when they began and what they were told; members
write down, in the order of their connection's bytes, what they did and what came. All of it by one monotonic clock.
`History.check` compares the two after the run.
"""

import bisect
import collections
import time

# A node handles what it got before a member left, or lost its link, within this: then the member must have had it.
SETTLED = 2
# Between what a node's log says and when that was, by this machine's clock in milliseconds.
LOG_SLACK = 0.02


class Publication:
    __slots__ = ("publisher", "room", "number", "node", "begun", "answered", "outcome")

    def __init__(self, publisher, room, number, node, begun):
        self.publisher = publisher
        self.room = room
        self.number = number
        # Through which node; None: through none.
        self.node = node
        self.begun = begun
        self.answered = None
        # published, queued, refused; None if there was no answer: then nobody can know.
        self.outcome = None

    def answer(self, outcome):
        self.answered = time.monotonic()
        self.outcome = outcome

    @property
    def stamp(self):
        return self.publisher, self.room, self.number

    def __str__(self):
        took = "no answer" if self.answered is None else f"answered after {self.answered - self.begun:.3f} s"
        return f"{self.publisher} {self.room} {self.number} ({self.outcome}, {took})"


class MemberLog:
    """What one client did and received, in order."""

    def __init__(self, name, node):
        self.name = name
        # The node that it is connected to, as the history's gaps name it.
        self.node = node
        self.entries = []

    def note(self, kind, what=None):
        """A kind is one of: connected (what: whether the server said that this is a new client), lost, "asks to join",
        joined, "asks to leave", left, event (what: its stamp).
        """
        self.entries.append((time.monotonic(), kind, what))


class Stay:
    """A member in a room: from the confirmation until it asked to leave or lost its link for good."""

    def __init__(self, room, start):
        self.room = room
        self.start = start
        self.end = None


class History:
    def __init__(self):
        # (publisher, room) -> publications by number
        self.published = collections.defaultdict(list)
        self.members = []
        # (node, start, end): whoever is on that node was told that events of this time may be missing.
        self.gaps = []
        # Publishers whose nodes said that they dropped queued publishes, or that others may not have heard them.
        self.dropping = set()

    def begin(self, publisher, room, node=None):
        numbers = self.published[publisher, room]
        publication = Publication(publisher, room, len(numbers), node, time.monotonic())
        numbers.append(publication)
        return publication

    def member(self, name, node):
        member = MemberLog(name, node)
        self.members.append(member)
        return member

    def check(self):
        """The broken promises, as sentences, and figures."""
        broken = []
        figures = collections.Counter()
        for numbers in self.published.values():
            figures.update(p.outcome or "unknown" for p in numbers)
        for member in self.members:
            stays, received = self.replay(member, broken)
            figures["delivered"] += len(received)
            self.check_complete(member, stays, received, broken, figures)
        return broken, figures

    def replay(self, member, broken):
        """Promises 1, 2, 4 and 5, along one member's log; its stays, and all that it received."""
        stays, received = [], set()
        # Where it may be, and what this client (not its predecessor before a gap) has had.
        possible, mine, latest = set(), set(), {}
        staying = {}
        lost_at = None
        for at, kind, what in member.entries:
            if kind == "lost":
                lost_at = at
            elif kind == "connected" and not what:
                # The same client again: what came meanwhile is due.
                lost_at = None
            elif kind == "connected":
                for stay in staying.values():
                    stay.end = lost_at
                lost_at = None
                possible, mine, latest, staying = set(), set(), {}, {}
            elif kind == "asks to join":
                possible.add(what)
            elif kind == "joined":
                if what not in staying:
                    staying[what] = Stay(what, at)
                    stays.append(staying[what])
            elif kind == "asks to leave":
                if what in staying:
                    staying.pop(what).end = at
            elif kind == "left":
                possible.discard(what)
            elif kind == "event":
                publisher, room, number = what
                numbers = self.published.get((publisher, room), ())
                if number >= len(numbers):
                    broken.append(f"{member.name} got {what}, which nobody published")
                    continue
                publication = numbers[number]
                if room not in possible:
                    broken.append(f"promise 5: {member.name} got {publication} outside of the room")
                if what in mine:
                    broken.append(f"promise 2: {member.name} got {publication} twice")
                elif number < latest.get((publisher, room), -1):
                    broken.append(f"promise 1: {member.name} got {publication} behind {latest[publisher, room]}")
                if publication.outcome == "refused":
                    broken.append(f"promise 4: {member.name} got {publication}, which was refused")
                latest[publisher, room] = max(number, latest.get((publisher, room), -1))
                mine.add(what)
                received.add(what)
        if lost_at is not None:
            for stay in staying.values():
                stay.end = lost_at
        return stays, received

    def check_complete(self, member, stays, received, broken, figures):
        """Promise 3 and the sum: what was published and neither came nor was told to be missing."""
        gaps = [(start, end) for node, start, end in self.gaps if node == member.node]
        due = set()
        for stay in stays:
            for (publisher, room), numbers in self.published.items():
                if room != stay.room:
                    continue
                first = bisect.bisect_left(numbers, stay.start, key=lambda p: p.begun)
                for publication in numbers[first:]:
                    if publication.outcome not in ("published", "queued") or publication.stamp in due:
                        continue
                    # What is queued has no time at which it must have arrived.
                    settled = publication.answered + SETTLED if publication.outcome == "published" else float("inf")
                    if stay.end is None or settled <= stay.end:
                        due.add(publication.stamp)
                        if publication.stamp not in received:
                            self.missing(member, publication, gaps, broken, figures)
        figures["due"] += len(due)

    def missing(self, member, publication, gaps, broken, figures):
        if publication.node is not None and publication.node == member.node:
            broken.append(f"local delivery: {member.name} never got {publication}, of its own node")
            return
        until = publication.answered if publication.outcome == "published" else float("inf")
        if any(start <= until and publication.begun <= end for start, end in gaps):
            figures["missing and told"] += 1
            figures["queued, missing and told"] += publication.outcome == "queued"
        elif publication.outcome == "queued" and publication.publisher in self.dropping:
            figures["dropped and told"] += 1
        else:
            broken.append(f"promise 3: {member.name} never got {publication}, and was told of no gap")

    def describe(self, figures):
        order = ("published", "queued", "refused", "unknown", "delivered", "due", "missing and told")
        order += ("queued, missing and told", "dropped and told")
        return ", ".join(f"{name} {figures[name]}" for name in order if figures[name])
