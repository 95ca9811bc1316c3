package import NIOCore
package import SocketIOWire

/// The adapter of a server that is alone: there are no other nodes to tell anything.
public struct InMemoryAdapterFactory: AdapterFactory {
    /// An adapter for a server that is alone.
    public init() {}

    /// Makes a namespace's adapter.
    public func makeAdapter(for host: any AdapterHost) -> any Adapter { InMemoryAdapter() }
}

struct InMemoryAdapter: LonelyAdapter {}

/// An adapter that knows of no other nodes.
package protocol LonelyAdapter: Adapter {}

extension LonelyAdapter {
    package func start() async throws {}
    package func close() async {}
    package func serverCount() async throws -> Int { 1 }
    package func publish(_ broadcast: Broadcast) {}
    package func addSockets(_ options: BroadcastOptions, rooms: [Room]) {}
    package func delSockets(_ options: BroadcastOptions, rooms: [Room]) {}
    package func disconnectSockets(_ options: BroadcastOptions, closingConnection: Bool) {}
    package func publish(
        _ operations: [ClusterOperation],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount
    ) async -> PublishOutcome { .localOnly }
    package func fetchSockets(_ options: BroadcastOptions, timeout: TimeAmount?) async throws -> [SocketDescription] {
        []
    }
    package func allRooms(timeout: TimeAmount?) async throws -> Set<Room> { [] }
    package func serverSideEmit(_ arguments: [JSONValue]) {}
    package func serverSideEmitWithAck(_ arguments: [JSONValue], timeout: TimeAmount?) async throws -> [JSONValue?] {
        []
    }
    package func publishWithAck(
        _ broadcast: Broadcast,
        timeout: TimeAmount,
        onClientCount: @escaping @Sendable (Int) -> Void,
        onAcknowledgement: @escaping @Sendable (JSONValue?) -> Void
    ) async throws -> ClusterAudience { ClusterAudience(nodes: 0) }
}
