import SocketIOWire

/// The members of one room on one event loop, in a row, so that a broadcast walks memory in order.
final class RoomMembers: @unchecked Sendable {
    // Invariant behind `@unchecked`: `sockets` is touched on the shard's loop only; others may read `room`.

    let room: Room
    var sockets: ContiguousArray<Socket> = []

    init(room: Room) { self.room = room }
}

/// A socket's place in a room.
struct RoomMembership: Sendable {
    let members: RoomMembers
    var index: Int
}
