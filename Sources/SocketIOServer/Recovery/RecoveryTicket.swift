import NIOCore
import SocketIOWire

/// What is known about one client so that it can come back: from its connection on, not only from its disconnection.
final class RecoveryTicket: @unchecked Sendable {
    // Invariant behind `@unchecked`: everything but `id` and `socketID` is touched on the loop of `owner` while there is
    // one, and otherwise by whoever holds the log's lock; `owner` itself is touched with that lock held only.

    /// When the client was in a room.
    private struct Stay {
        let room: Room
        /// The last event before it came.
        let joined: Int
        /// The last event that it got as a member.
        var left: Int?
    }

    /// The secret by which the client proves that it is the same.
    let id: SessionID
    let socketID: SocketID
    /// The socket that the client has now.
    var owner: Socket?
    /// The last event before the client connected.
    let connected: Int
    /// The last event that was dealt with when the client was disconnected.
    var suspended: Int
    /// When that was.
    var suspendedAt: NIODeadline?
    /// The last event sent to the client, if there was one.
    var lastSent: Int?
    /// Up to here events were sent to the client when it came back; the same events, on their way to its loop, are not
    /// sent again.
    var skipsThrough = 0
    var data: JSONValue
    private var stays: [Stay] = []
    /// From here on ``stays`` is complete.
    private var completeFrom = 0

    init(id: SessionID, socketID: SocketID, connected: Int, data: JSONValue) {
        self.id = id
        self.socketID = socketID
        self.connected = connected
        self.suspended = connected
        self.data = data
    }

    // MARK: Rooms

    /// The rooms that the client is in, its own not counted.
    var rooms: [Room] { self.stays.lazy.filter { $0.left == nil }.map(\.room) }

    func joined(_ room: Room, at number: Int) {
        guard !self.stays.contains(where: { $0.room == room && $0.left == nil }) else { return }
        self.stays.append(Stay(room: room, joined: number))
    }

    func left(_ room: Room, at number: Int) {
        guard let index = self.stays.firstIndex(where: { $0.room == room && $0.left == nil }) else { return }
        self.stays[index].left = number
        self.forgetOldStays()
    }

    private static let rememberedStays = 256

    /// Keeps a client that goes in and out of rooms from being remembered at length.
    private func forgetOldStays() {
        guard self.stays.count > Self.rememberedStays else { return }
        let over = self.stays.compactMap(\.left).sorted()
        guard over.count > Self.rememberedStays / 2 else { return }
        let limit = over[over.count / 2]
        self.completeFrom = max(self.completeFrom, limit)
        self.stays.removeAll { $0.left.map { $0 <= limit } ?? false }
    }

    /// Whether the client should have got that event.
    func isAddressed(by event: LoggedEvent) -> Bool {
        let options = event.options
        guard event.number > self.connected else { return false }
        for room in options.except where self.isMember(of: room, at: event.number) { return false }
        if options.rooms.isEmpty { return true }
        return options.rooms.contains { self.isMember(of: $0, at: event.number) }
    }

    private func isMember(of room: Room, at number: Int) -> Bool {
        if room == self.socketID.room { return true }
        return self.stays.contains { stay in
            stay.room == room && stay.joined < number && stay.left.map { number <= $0 } ?? true
        }
    }

    // MARK: Coming back

    /// Where to go on.
    ///
    /// - Parameter offset: The last event that the client has seen, by its own account.
    /// - Returns: The last event that the client certainly need not be sent again, or `nil` if that can't be told.
    func start(after offset: Int?) -> Int? {
        let start: Int
        switch (offset, self.lastSent) {
        case (nil, nil): start = self.suspended
        case (nil, .some): start = self.connected
        case (.some, nil): return nil
        case (let offset?, let lastSent?):
            guard offset <= lastSent, offset > self.connected else { return nil }
            start = offset == lastSent ? max(offset, self.suspended) : offset
        }
        return start >= self.completeFrom ? start : nil
    }
}
