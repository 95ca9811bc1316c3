import NIOConcurrencyHelpers
import SocketIOWire

/// What other threads may ask about a namespace's sockets and rooms on this node: which exist.
///
/// Changed when a socket comes or goes and when a room gets its first or loses its last member on a loop; never touched
/// by a packet.
final class NamespaceIndex: Sendable {
    private struct State {
        var sockets: Set<SocketID> = []
        /// On how many loops a room has members.
        var rooms: [Room: Int] = [:]
        /// How many clients that are away will be in a room again when they come back.
        var expected: [Room: Int] = [:]
        /// Who wants to know which rooms there are.
        var observer: (any RoomObserver)?

        func has(_ room: Room) -> Bool {
            self.rooms[room] != nil || self.expected[room] != nil || self.isPrivate(room)
        }

        func isPrivate(_ room: Room) -> Bool { SocketID(room.name).map { self.sockets.contains($0) } ?? false }

        /// Changes something about a room, and tells the observer if the room has come or gone by that.
        mutating func change<Result>(_ room: Room, _ body: (inout State) -> Result) -> Result {
            guard let observer = self.observer else { return body(&self) }
            let had = self.has(room)
            let result = body(&self)
            let has = self.has(room)
            if has, !had { observer.roomAppeared(room, isPrivate: self.isPrivate(room)) }
            if had, !has { observer.roomVanished(room) }
            return result
        }
    }

    private let state = NIOLockedValueBox(State())

    func insert(_ id: SocketID) {
        self.state.withLockedValue { state in
            guard state.observer != nil else {
                state.sockets.insert(id)
                return
            }
            state.change(id.room) { _ = $0.sockets.insert(id) }
        }
    }

    func remove(_ id: SocketID) {
        self.state.withLockedValue { state in
            guard state.observer != nil else {
                state.sockets.remove(id)
                return
            }
            state.change(id.room) { _ = $0.sockets.remove(id) }
        }
    }

    func contains(_ id: SocketID) -> Bool { self.state.withLockedValue { $0.sockets.contains(id) } }

    /// A room has its first member on a loop.
    ///
    /// - Returns: Whether it had none on any other.
    func roomCreated(_ room: Room) -> Bool {
        self.state.withLockedValue { state in
            state.change(room) { state in
                state.rooms[room, default: 0] += 1
                return state.rooms[room] == 1
            }
        }
    }

    /// A room has lost its last member on a loop.
    ///
    /// - Returns: Whether it has none on any other.
    func roomDeleted(_ room: Room) -> Bool {
        self.state.withLockedValue { state in
            state.change(room) { state in
                guard let count = state.rooms[room] else { return false }
                state.rooms[room] = count > 1 ? count - 1 : nil
                return count == 1
            }
        }
    }

    /// A client is about to be away that may come back to these rooms: they don't cease to have a member.
    func expect(_ rooms: [Room]) {
        self.state.withLockedValue { state in
            for room in rooms { state.change(room) { $0.expected[room, default: 0] += 1 } }
        }
    }

    /// A client that was away is back, or won't come back.
    func expectNoLonger(_ rooms: [Room]) {
        self.state.withLockedValue { state in
            for room in rooms {
                state.change(room) { state in
                    guard let count = state.expected[room] else { return }
                    state.expected[room] = count > 1 ? count - 1 : nil
                }
            }
        }
    }

    /// Whether a socket of this node is in that room or may come back to it, its own room included.
    func hasMembers(of room: Room) -> Bool { self.state.withLockedValue { $0.has(room) } }

    /// How many rooms have members now.
    var roomCount: Int { self.state.withLockedValue { $0.rooms.count } }

    /// The rooms that have members now.
    func roomNames() -> [Room] {
        // Copied behind the lock: others change the original meanwhile.
        let rooms = self.state.withLockedValue { $0.rooms }
        return Array(rooms.keys)
    }

    /// Tells somebody of the rooms that there are, and from now on of those that come and go.
    ///
    /// - Parameter observer: The observer; `nil` if there is to be none any more.
    func observe(_ observer: (any RoomObserver)?) {
        self.state.withLockedValue { state in
            state.observer = observer
            guard let observer else { return }
            for id in state.sockets { observer.roomAppeared(id.room, isPrivate: true) }
            for room in Set(state.rooms.keys).union(state.expected.keys) where !state.isPrivate(room) {
                observer.roomAppeared(room, isPrivate: false)
            }
        }
    }
}
