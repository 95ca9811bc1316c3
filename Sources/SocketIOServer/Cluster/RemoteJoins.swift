import NIOConcurrencyHelpers
import SocketIOWire

/// Sockets that another node makes join rooms, to which it may broadcast in the same breath.
///
/// Sockets join on their own loops, a moment later than the command has arrived; until then their rooms have to look as if
/// they had members.
final class RemoteJoins: Sendable {
    /// Rooms that sockets of this node are being made to join, by how many commands.
    private let joining = NIOLockedValueBox<[Room: Int]>([:])

    func join(_ options: BroadcastOptions, _ rooms: [Room], _ host: any AdapterHost) {
        self.joining.withLockedValue { joining in
            for room in rooms { joining[room, default: 0] += 1 }
        }
        host.addLocalSockets(options, rooms: rooms)
        // A question to every loop, behind the command, about sockets in a room that only a bug could make.
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

    /// Whether somebody is about to be in that room.
    func contains(_ room: Room) -> Bool { self.joining.withLockedValue { $0[room] != nil } }
}
