import NIOConcurrencyHelpers
import NIOCore
import SocketIOWire
import Synchronization

/// Rooms that this node has just made sockets of other nodes join.
///
/// A node that subscribes to single rooms hears a room only a moment after it has carried the command out. Until then,
/// messages to such a room go to the channel that every node hears.
final class RecentRooms: Sendable {
    private let duration = TimeAmount.seconds(5)
    /// If there are more than that, the oldest are forgotten.
    private static let most = 10_000

    private struct State {
        var rooms: [Room: NIODeadline] = [:]
        /// When all of them are forgotten.
        var end = NIODeadline.uptimeNanoseconds(0)
    }

    private let isEmpty = Atomic<Bool>(true)
    private let state = NIOLockedValueBox(State())
    private let eventLoop: any EventLoop

    init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func insert(_ rooms: [Room]) {
        let now = self.eventLoop.now
        self.state.withLockedValue { state in
            if state.end < now || state.rooms.count > Self.most { state.rooms = [:] }
            for room in rooms.prefix(Self.most) { state.rooms[room] = now + self.duration }
            state.end = now + self.duration
        }
        self.isEmpty.store(false, ordering: .relaxed)
    }

    func contains(_ room: Room) -> Bool {
        guard !self.isEmpty.load(ordering: .relaxed) else { return false }
        let now = self.eventLoop.now
        return self.state.withLockedValue { state in
            guard state.end >= now else {
                state.rooms = [:]
                self.isEmpty.store(true, ordering: .relaxed)
                return false
            }
            return state.rooms[room].map { $0 >= now } ?? false
        }
    }
}
