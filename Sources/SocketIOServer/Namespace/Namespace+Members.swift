package import SocketIOWire
import Synchronization

/// For what decides about each member of a room by itself, such as the gateway's histories.
extension Namespace {
    /// Whether a socket of this node is in the room, or may come back to it.
    package func hasMembersHere(_ room: Room) -> Bool { self.hasLocalMembers(of: room) }

    /// Calls `body` on each loop with the sockets of this node that are in any of these rooms, behind what was sent to
    /// them before.
    package func visitMembersHere(
        of rooms: [Room],
        except: [Room] = [],
        _ body: @escaping @Sendable ([Socket]) -> Void
    ) {
        let options = BroadcastOptions(rooms: rooms, except: except)
        guard !rooms.isEmpty else { return }
        for shard in self.shards {
            let visit: @Sendable () -> Void = {
                let sockets = shard.targets(of: options)
                if !sockets.isEmpty { body(sockets) }
            }
            if shard.isNext { visit() } else { shard.later(visit) }
        }
    }

    /// The bytes of an event `[name, argument…]`, for several sockets; `nil` if it can't be sent.
    package func encodedEvent(_ values: [JSONValue]) -> EncodedPacket? { self.encode(values) }
}

extension Socket {
    /// Whether the socket has joined the room.
    package func isMember(of room: Room) -> Bool { self.shared.withLock { $0.isMember(of: room) } }

    /// Sends an event that recovery does not keep, on the socket's loop.
    package func send(_ packet: EncodedPacket) { self.transmit(packet, compress: true) }

    /// Does something on the socket's loop, behind what the caller has asked it for before.
    package func perform(_ body: @escaping @Sendable () -> Void) { self.onLoop(body) }
}
