import EngineIO
import NIOCore
import SocketIOWire

/// The members of one room on one event loop, in a row, so that a broadcast walks memory in order.
final class RoomMembers: Sendable {
    let room: Room
    private let eventLoop: any EventLoop
    // Invariant behind `nonisolated(unsafe)`: it is used on `eventLoop` only, which is asserted. A `LoopBound` would cost
    // each room that comes and goes one more allocation.
    @exclusivity(unchecked) nonisolated(unsafe) private var members: ContiguousArray<Socket> = []

    init(room: Room, eventLoop: any EventLoop) {
        self.room = room
        self.eventLoop = eventLoop
    }

    /// The members, on the loop.
    var sockets: ContiguousArray<Socket> {
        @inline(__always)
        _read {
            self.eventLoop.assertInEventLoop()
            yield self.members
        }
        @inline(__always)
        _modify {
            self.eventLoop.assertInEventLoop()
            yield &self.members
        }
    }
}

/// A socket's place in a room.
struct RoomMembership: Sendable {
    let members: RoomMembers
    var index: Int
}
