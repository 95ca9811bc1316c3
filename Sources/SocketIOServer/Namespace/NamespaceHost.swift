import NIOCore
import SocketIOWire

/// What an adapter sees of its namespace: only what is its business.
final class NamespaceHost: AdapterHost {
    private unowned let namespace: Namespace

    init(_ namespace: Namespace) { self.namespace = namespace }

    var name: String { self.namespace.name }

    var eventLoop: any EventLoop { self.namespace.eventLoop }

    func hasLocalMembers(of room: Room) -> Bool { self.namespace.index.hasMembers(of: room) }

    func deliver(_ packet: EncodedPacket, options: BroadcastOptions) {
        self.namespace.deliver(packet, options: options)
    }

    func deliverWithAck(
        arguments: [JSONValue],
        options: BroadcastOptions,
        timeout: TimeAmount,
        onClientCount: @escaping @Sendable (Int) -> Void,
        onAcknowledgement: @escaping @Sendable (JSONValue?) -> Void
    ) {
        self.namespace.deliverWithAck(
            arguments: arguments,
            options: options,
            timeout: timeout,
            onClientCount: onClientCount,
            onAcknowledgement: onAcknowledgement,
            onLeft: {}
        )
    }

    func addLocalSockets(_ options: BroadcastOptions, rooms: [Room]) {
        self.namespace.addLocalSockets(options, rooms: rooms)
    }

    func delLocalSockets(_ options: BroadcastOptions, rooms: [Room]) {
        self.namespace.delLocalSockets(options, rooms: rooms)
    }

    func disconnectLocalSockets(_ options: BroadcastOptions, closingConnection: Bool) {
        self.namespace.disconnectLocalSockets(options, closingConnection: closingConnection)
    }

    func localSockets(_ options: BroadcastOptions) async -> [SocketDescription] {
        await self.namespace.localSockets(options)
    }

    func localRooms() async -> Set<Room> { await self.namespace.localRooms() }

    func serverSideEvent(_ arguments: [JSONValue], reply: (@Sendable (JSONValue?) -> Void)?) {
        self.namespace.serverSideEvent(arguments, reply: reply)
    }
}
