import NIOCore
import SocketIOWire

/// The adapter of a server that is alone: there are no other nodes to tell anything.
public struct InMemoryAdapterFactory: AdapterFactory {
    /// An adapter for a server that is alone.
    public init() {}

    /// Makes a namespace's adapter.
    public func makeAdapter(for host: any AdapterHost) -> any Adapter { InMemoryAdapter() }
}

struct InMemoryAdapter: Adapter {
    func start() async throws {}
    func close() async {}
    func serverCount() async throws -> Int { 1 }
    func publish(_ broadcast: Broadcast) {}
    func addSockets(_ options: BroadcastOptions, rooms: [Room]) {}
    func delSockets(_ options: BroadcastOptions, rooms: [Room]) {}
    func disconnectSockets(_ options: BroadcastOptions, closingConnection: Bool) {}
    func fetchSockets(_ options: BroadcastOptions, timeout: TimeAmount?) async throws -> [SocketDescription] { [] }
    func allRooms(timeout: TimeAmount?) async throws -> Set<Room> { [] }
    func serverSideEmit(_ arguments: [JSONValue]) {}
    func serverSideEmitWithAck(_ arguments: [JSONValue], timeout: TimeAmount?) async throws -> [JSONValue?] { [] }
    func publishWithAck(
        _ broadcast: Broadcast,
        timeout: TimeAmount,
        onClientCount: @escaping @Sendable (Int) -> Void,
        onAcknowledgement: @escaping @Sendable (JSONValue?) -> Void
    ) async throws -> Int { 0 }
}
