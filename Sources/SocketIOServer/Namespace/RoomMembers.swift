import EngineIO
import NIOCore
import SocketIOWire

/// The members of one room on one event loop, in a row, so that a broadcast walks memory in order.
final class RoomMembers: Sendable {
    let room: Room
    private let members: LoopBound<ContiguousArray<Socket>>

    init(room: Room, eventLoop: any EventLoop) {
        self.room = room
        self.members = LoopBound([], eventLoop: eventLoop)
    }

    /// The members, on the loop.
    var sockets: ContiguousArray<Socket> {
        @inline(__always)
        _read { yield self.members.value }
        @inline(__always)
        _modify { yield &self.members.value }
    }
}

/// A socket's place in a room.
struct RoomMembership: Sendable {
    let members: RoomMembers
    var index: Int
}
