import NIOCore
import SocketIOServer
import SocketIOWire

/// An adapter whose stream is the log of the namespace's events.
final class StreamsAdapter: EventLogAdapter {
    let cluster: ClusterAdapter
    let log: StreamsEventLog

    init(cluster: ClusterAdapter, log: StreamsEventLog) {
        self.cluster = cluster
        self.log = log
    }

    // MARK: The log

    func publish(_ broadcast: Broadcast, deliver: @escaping @Sendable (EventOffset?) -> Void) {
        self.log.publish(broadcast, deliver: deliver)
    }

    func publish(
        _ operations: [ClusterOperation],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount,
        deliver: @escaping @Sendable (_ index: Int, _ offset: EventOffset?) -> Void
    ) async -> PublishOutcome {
        await withCheckedContinuation { continuation in
            self.log.publish(operations, whileUnreachable: policy, timeout: timeout, deliver: deliver) {
                continuation.resume(returning: $0)
            }
        }
    }

    func events(after offset: EventOffset, through end: EventOffset, limit: Int) async throws -> EventPage? {
        try await self.log.events(after: offset, through: end, limit: limit)
    }

    func keep(_ session: KeptSession, for lifetime: TimeAmount) { self.log.keep(session, for: lifetime) }

    func prolong(_ sessions: [SessionID], for lifetime: TimeAmount) { self.log.prolong(sessions, for: lifetime) }

    func forget(_ session: SessionID) { self.log.forget(session) }

    func takeSession(_ id: SessionID) async throws -> KeptSession? { try await self.log.takeSession(id) }

    // MARK: As every adapter

    func start() async throws { try await self.cluster.start() }
    func close() async { await self.cluster.close() }
    func serverCount() async throws -> Int { try await self.cluster.serverCount() }
    func publish(_ broadcast: Broadcast) { self.cluster.publish(broadcast) }

    func addSockets(_ options: BroadcastOptions, rooms: [Room]) { self.cluster.addSockets(options, rooms: rooms) }
    func delSockets(_ options: BroadcastOptions, rooms: [Room]) { self.cluster.delSockets(options, rooms: rooms) }

    func disconnectSockets(_ options: BroadcastOptions, closingConnection: Bool) {
        self.cluster.disconnectSockets(options, closingConnection: closingConnection)
    }

    func publish(
        _ operations: [ClusterOperation],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount
    ) async -> PublishOutcome {
        await self.cluster.publish(operations, whileUnreachable: policy, timeout: timeout)
    }

    func fetchSockets(_ options: BroadcastOptions, timeout: TimeAmount?) async throws -> [SocketDescription] {
        try await self.cluster.fetchSockets(options, timeout: timeout)
    }

    func findSocket(_ id: String, timeout: TimeAmount?) async throws -> SocketDescription? {
        try await self.cluster.findSocket(id, timeout: timeout)
    }

    func allRooms(timeout: TimeAmount?) async throws -> Set<Room> { try await self.cluster.allRooms(timeout: timeout) }

    func serverSideEmit(_ arguments: [JSONValue]) { self.cluster.serverSideEmit(arguments) }

    func serverSideEmitWithAck(_ arguments: [JSONValue], timeout: TimeAmount?) async throws -> [JSONValue?] {
        try await self.cluster.serverSideEmitWithAck(arguments, timeout: timeout)
    }

    func publishWithAck(
        _ broadcast: Broadcast,
        timeout: TimeAmount,
        onClientCount: @escaping @Sendable (Int) -> Void,
        onAcknowledgement: @escaping @Sendable (JSONValue?) -> Void
    ) async throws -> ClusterAudience {
        try await self.cluster.publishWithAck(
            broadcast,
            timeout: timeout,
            onClientCount: onClientCount,
            onAcknowledgement: onAcknowledgement
        )
    }
}
