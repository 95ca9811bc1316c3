import NIOCore
import OrderedCollections
import SocketIOWire

/// What is known about one client so that it can come back: from its connection on, not only from its disconnection.
final class RecoveryTicket: @unchecked Sendable {
    // Invariant behind `@unchecked`: while there is an `owner`, everything but `id` and `socketID` is touched only on
    // the loop of that socket. While there is none, it is touched only with the log's lock held. `owner` itself is
    // always touched with that lock held. A ticket knows neither the loop nor the lock, so it can't assert this.

    /// When the client was in a room.
    struct Stays {
        /// The last event before it came, if it is in the room.
        var joined: Int?
        /// Its earlier stays: the last event before it came, and the last one that it got as a member.
        var past: [(joined: Int, left: Int)] = []

        /// The last event before it came for the first time.
        var first: Int { self.past.first?.joined ?? self.joined ?? .max }
        /// The last event that it got as a member.
        var last: Int { self.joined == nil ? self.past.last?.left ?? 0 : .max }

        /// Whether it was in the room when that event was sent.
        func cover(_ number: Int) -> Bool {
            if let joined = self.joined, joined < number { return true }
            return self.past.contains { $0.joined < number && number <= $0.left }
        }
    }

    /// The secret by which the client proves that it is the same.
    let id: SessionID
    let socketID: SocketID
    /// The socket that the client has now.
    var owner: Socket?
    /// The last event before the client connected.
    var connected: Int
    /// What the client was told as the log's end when it connected, or came back.
    var told: Int
    /// The last event that was dealt with when the client was disconnected.
    var suspended: Int
    /// When that was.
    var suspendedAt: NIODeadline?
    /// The last event sent to the client, if there was one.
    var lastSent: Int?
    /// The last event that the client had seen when it came back, by its own account.
    var seen: Int?
    /// What the client has used of the right to be sent again what it was sent already.
    var repetitions = TokenBucket()
    /// Up to here events were sent to the client when it came back; the same events, on their way to its loop, are not
    /// sent again.
    var skipsThrough = 0
    var data: JSONValue
    /// The rooms that count as having a member because of the client: it is away, or not back in all of them.
    var expectedRooms: [Room] = []
    var stays: OrderedDictionary<Room, Stays> = [:]
    var pastStays = 0
    /// If the client has seen neither this event nor a later one, it can't go on: only from here on is ``stays``
    /// complete.
    var completeFrom = 0
    /// Which of the log's histories all of these numbers belong to.
    var history: UInt32 = 0
    /// How many events without a number there had been when the client was disconnected.
    var holesSeen: UInt32 = 0
    /// Whether the client was sent events without a number, and none with one since.
    var isBehind = false
    /// Whether ``suspended`` and ``lastSent`` are final; a node that was killed could not say.
    var isExact = true
    /// Whether the cluster is about to be told what has changed.
    var isTouched = false
    /// Until when changes are not told, because the session is long and was told shortly before.
    var quietUntil = NIODeadline.uptimeNanoseconds(0)
    /// Whether another node has taken the session.
    var isHandedOver = false
    /// The number that proves to the cluster that this node has the session.
    var claim: UInt64 = 0
    /// Whether the client was on another node, and has not come back here yet.
    var isFromElsewhere = false
    /// Whether the cluster has not heard of that number yet.
    var isNewClaim = false
    /// How many bytes the ticket counts as while the client is away.
    private(set) var bytes = 0

    init(id: SessionID, socketID: SocketID, connected: Int, history: UInt32 = 0, data: JSONValue) {
        self.id = id
        self.socketID = socketID
        self.connected = connected
        self.told = connected
        self.history = history
        self.suspended = connected
        self.data = data
    }

    // MARK: Rooms

    /// The rooms that the client is in, its own not counted.
    var rooms: [Room] { self.stays.elements.lazy.filter { $0.value.joined != nil }.map(\.key) }

    func joined(_ room: Room, at number: Int) {
        var stays = self.stays[room] ?? Stays()
        guard stays.joined == nil else { return }
        stays.joined = number
        self.stays[room] = stays
    }

    func left(_ room: Room, at number: Int) {
        guard var stays = self.stays[room], let joined = stays.joined else { return }
        stays.joined = nil
        stays.past.append((joined, number))
        self.stays[room] = stays
        self.pastStays += 1
        self.limitPastStays()
    }

    /// Takes over stays that were kept elsewhere: however many there are, the oldest are forgotten once.
    func adopt(_ kept: [KeptSession.Stay]) {
        for stay in kept {
            var stays = self.stays[stay.room] ?? Stays()
            if let left = stay.left {
                stays.past.append((stay.joined.position, left.position))
                self.pastStays += 1
            } else if stays.joined == nil {
                stays.joined = stay.joined.position
            }
            self.stays[stay.room] = stays
        }
        self.limitPastStays()
    }

    private func limitPastStays() {
        if self.pastStays > Self.rememberedStays { self.forgetOldStays() }
    }

    private static let rememberedStays = 256

    /// Keeps a client that goes in and out of rooms from being remembered at length.
    private func forgetOldStays() {
        let ends = self.stays.values.flatMap { $0.past.map(\.left) }.sorted()
        let limit = ends[ends.count - Self.rememberedStays / 2 - 1]
        self.completeFrom = max(self.completeFrom, limit)
        self.stays = self.stays.compactMapValues { stays in
            var stays = stays
            stays.past.removeAll { $0.left <= limit }
            return stays.joined == nil && stays.past.isEmpty ? nil : stays
        }
        self.pastStays = self.stays.values.reduce(0) { $0 + $1.past.count }
    }

    /// Where events for the client were sent: to everybody, to itself, and to its rooms.
    var audience: [(room: Room?, stays: Stays)] {
        var always = Stays()
        always.joined = self.connected
        return [(nil, always), (self.socketID.room, always)] + self.stays.elements.map { ($0.key, $0.value) }
    }

    /// Whether the client was in one of the rooms whose members that event is not for.
    func isExcepted(from event: LoggedEvent, own: Room) -> Bool {
        self.isExcepted(event.options, event.number, own: own)
    }

    private func isExcepted(_ options: BroadcastOptions, _ number: Int, own: Room) -> Bool {
        options.except.contains { room in
            room == own || self.stays[room]?.cover(number) ?? false
        }
    }

    /// Whether the client should have got an event at that place.
    func isAddressed(by options: BroadcastOptions, _ number: Int) -> Bool {
        let own = self.socketID.room
        guard number > self.connected, !self.isExcepted(options, number, own: own) else { return false }
        return options.rooms.isEmpty
            || options.rooms.contains { room in room == own || self.stays[room]?.cover(number) ?? false }
    }

    /// Works out how much memory the ticket takes; applications and clients choose the names of rooms and the data.
    func measure() {
        var bytes = 512 + 48 * self.pastStays + self.data.footprint
        for room in self.stays.keys { bytes += 96 + room.name.utf8.count }
        self.bytes = bytes
    }
}

extension JSONValue {
    /// How many bytes of memory the value takes, roughly.
    fileprivate var footprint: Int {
        var bytes = 0
        // Values may be nested deeper than functions should be.
        var rest = [self]
        while let value = rest.popLast() {
            bytes += 32
            switch value {
            case .null, .bool, .int, .double: break
            case .string(let text): bytes += text.utf8.count
            case .binary(let buffer): bytes += buffer.readableBytes
            case .array(let values): rest += values
            case .object(let members):
                for (key, value) in members {
                    bytes += 32 + key.utf8.count
                    rest.append(value)
                }
            }
        }
        return bytes
    }
}
