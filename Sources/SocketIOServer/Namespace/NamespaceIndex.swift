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
    }

    private let state = NIOLockedValueBox(State())

    func insert(_ id: SocketID) { self.state.withLockedValue { _ = $0.sockets.insert(id) } }
    func remove(_ id: SocketID) { self.state.withLockedValue { _ = $0.sockets.remove(id) } }
    func contains(_ id: SocketID) -> Bool { self.state.withLockedValue { $0.sockets.contains(id) } }

    /// A room has its first member on a loop.
    ///
    /// - Returns: Whether it had none on any other.
    func roomCreated(_ room: Room) -> Bool {
        self.state.withLockedValue { state in
            state.rooms[room, default: 0] += 1
            return state.rooms[room] == 1
        }
    }

    /// A room has lost its last member on a loop.
    ///
    /// - Returns: Whether it has none on any other.
    func roomDeleted(_ room: Room) -> Bool {
        self.state.withLockedValue { state in
            guard let count = state.rooms[room] else { return false }
            state.rooms[room] = count > 1 ? count - 1 : nil
            return count == 1
        }
    }

    /// Whether a socket of this node is in that room, its own room included.
    func hasMembers(of room: Room) -> Bool {
        self.state.withLockedValue { state in
            if state.rooms[room] != nil { return true }
            guard let id = SocketID(room.name) else { return false }
            return state.sockets.contains(id)
        }
    }
}
