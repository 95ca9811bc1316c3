import NIOConcurrencyHelpers
import SocketIOWire

/// The rooms that sockets of this node are joining at another node's command.
///
/// The other node may broadcast to such a room at once. But sockets join on their own loops, a moment after the command
/// has arrived. Until then the room counts as having members.
final class RemoteJoins: Sendable {
    /// For each such room, the number of commands.
    private let joining = NIOLockedValueBox<[Room: Int]>([:])

    func join(_ options: BroadcastOptions, _ rooms: [Room], _ host: any AdapterHost) {
        self.joining.withLockedValue { joining in
            for room in rooms { joining[room, default: 0] += 1 }
        }
        host.addLocalSockets(options, rooms: rooms)
        // A question to every loop, behind the command. It asks for a room that only a bug could make.
        host.localSockets(BroadcastOptions(rooms: [Self.nobodysRoom])).whenComplete { _ in
            self.joining.withLockedValue { joining in
                for room in rooms {
                    guard let count = joining[room] else { continue }
                    joining[room] = count > 1 ? count - 1 : nil
                }
            }
        }
    }

    private static let nobodysRoom = Room("\u{0}")

    /// Whether a socket is about to be in that room.
    func contains(_ room: Room) -> Bool { self.joining.withLockedValue { $0[room] != nil } }
}
