import CoreMetrics
import NIOCore
import SocketIOWire
import Synchronization

/// What an adapter sees of its namespace: only what is its business.
///
/// A namespace that clients asked for may be gone before the last message for it has been dealt with.
final class NamespaceHost: EventLogHost {
    private final class Reference: Sendable {
        weak let namespace: Namespace?

        init(_ namespace: Namespace) { self.namespace = namespace }
    }

    let name: String
    let eventLoop: any EventLoop
    let keepsEvents: Bool
    /// Empty while the namespace is being made.
    private let reference = AtomicLazyReference<Reference>()

    init(name: String, eventLoop: any EventLoop, keepsEvents: Bool) {
        self.name = name
        self.eventLoop = eventLoop
        self.keepsEvents = keepsEvents
    }

    /// Called once, by the namespace: from now on the adapter reaches it.
    func attach(_ namespace: Namespace) { _ = self.reference.storeIfNil(Reference(namespace)) }

    private var namespace: Namespace? { self.reference.load()?.namespace }

    func hasLocalMembers(of room: Room) -> Bool { self.namespace?.index.hasMembers(of: room) ?? false }

    func observeRooms(_ observer: (any RoomObserver)?) { self.namespace?.index.observe(observer) }

    func hasLocalSocket(_ id: String) -> Bool {
        SocketID(id).flatMap { self.namespace?.index.contains($0) } ?? false
    }

    func deliver(_ packet: EncodedPacket, options: BroadcastOptions) {
        self.namespace?.deliver(packet, options: options)
    }

    func eventsMayBeMissing() { self.namespace?.recovery?.forgetEvents() }

    // MARK: Of the cluster's log

    func logBegins(_ history: String, after tail: EventOffset) {
        self.namespace?.recovery?.logBegins(history, after: tail)
    }

    func logReached(_ offset: EventOffset) { self.namespace?.recovery?.logReached(offset) }

    func deliver(_ packet: EncodedPacket, options: BroadcastOptions, offset: EventOffset?) {
        guard let namespace = self.namespace else { return }
        guard let offset, let recovery = namespace.recovery, !options.flags.isVolatile else {
            return namespace.deliver(packet, options: options)
        }
        recovery.arrived(packet, options, at: offset)
    }

    func arrivedLate(_ packet: EncodedPacket, options: BroadcastOptions, offset: EventOffset) {
        self.namespace?.recovery?.arrived(packet, options, at: offset, isLate: true)
    }

    func handOver(_ session: SessionID) async -> KeptSession? { await self.namespace?.recovery?.handOver(session) }

    // MARK: Questions and commands

    func deliverWithAck(
        arguments: [JSONValue],
        options: BroadcastOptions,
        timeout: TimeAmount,
        onClientCount: @escaping @Sendable (Int) -> Void,
        onAcknowledgement: @escaping @Sendable (JSONValue?) -> Void
    ) {
        guard let namespace = self.namespace, let slot = RemoteAcknowledgementSlot.take(in: namespace) else { return }
        namespace.deliverWithAck(
            arguments: arguments,
            options: options,
            timeout: min(timeout, namespace.limits.remoteAcknowledgementTimeout),
            onClientCount: onClientCount,
            onAcknowledgement: { _, value in slot.hold { onAcknowledgement(value) } },
            onLeft: { slot.hold {} }
        )
    }

    func addLocalSockets(_ options: BroadcastOptions, rooms: [Room]) {
        self.namespace?.addLocalSockets(options, rooms: rooms)
    }

    func delLocalSockets(_ options: BroadcastOptions, rooms: [Room]) {
        self.namespace?.delLocalSockets(options, rooms: rooms)
    }

    func disconnectLocalSockets(_ options: BroadcastOptions, closingConnection: Bool) {
        self.namespace?.disconnectLocalSockets(options, closingConnection: closingConnection)
    }

    func localSockets(_ options: BroadcastOptions) -> EventLoopFuture<[SocketDescription]> {
        self.namespace?.describeLocalSockets(options) ?? self.eventLoop.makeSucceededFuture([])
    }

    func visitLocalSockets(
        _ options: BroadcastOptions,
        _ body: @escaping @Sendable ([SocketDescription]) -> Bool
    ) -> EventLoopFuture<Void> {
        self.namespace?.visitLocalSockets(options, body) ?? self.eventLoop.makeSucceededVoidFuture()
    }

    func localRooms() -> EventLoopFuture<Set<Room>> {
        self.namespace?.gatherLocalRooms() ?? self.eventLoop.makeSucceededFuture([])
    }

    func serverSideEvent(_ arguments: [JSONValue], reply: (@Sendable (JSONValue?) -> Void)?) {
        self.namespace?.serverSideEvent(arguments, reply: reply)
    }
}

/// A place among the broadcasts of other nodes that wait for this node's clients; free again when nobody holds it.
private final class RemoteAcknowledgementSlot: Sendable {
    private let namespace: Namespace

    /// The place has been counted.
    private init(_ namespace: Namespace) { self.namespace = namespace }

    /// Takes a place, if there is one.
    static func take(in namespace: Namespace) -> RemoteAcknowledgementSlot? {
        let taken = namespace.remoteAcknowledgements.wrappingAdd(1, ordering: .relaxed).newValue
        guard taken <= namespace.limits.remoteAcknowledgements else {
            namespace.remoteAcknowledgements.wrappingSubtract(1, ordering: .relaxed)
            namespace.metrics.remoteAcknowledgementsRefused.increment()
            return nil
        }
        return RemoteAcknowledgementSlot(namespace)
    }

    deinit { self.namespace.remoteAcknowledgements.wrappingSubtract(1, ordering: .relaxed) }

    /// Does something, and is held until then.
    func hold(_ body: () -> Void) { body() }
}
