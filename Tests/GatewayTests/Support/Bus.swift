import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOWire

/// A cluster within one process: what one server publishes, the others get at once.
final class Bus: Sendable {
    private struct State {
        var members: [(node: Int, host: any AdapterHost)] = []
        var silent: Set<Int> = []
        var requests = 0
        var broadcasts = 0
        var outcome = PublishOutcome.published
    }

    private let state = NIOLockedValueBox(State())

    /// What connects one node.
    func factory(node: Int) -> Factory { Factory(bus: self, node: node) }

    /// Makes a node answer no more requests.
    func silence(_ node: Int) { self.state.withLockedValue { _ = $0.silent.insert(node) } }

    /// What becomes of what is published and waited for.
    var outcome: PublishOutcome { self.state.withLockedValue { $0.outcome } }

    func setOutcome(_ outcome: PublishOutcome) { self.state.withLockedValue { $0.outcome = outcome } }

    /// How many questions were asked.
    var requests: Int { self.state.withLockedValue { $0.requests } }

    /// How many broadcasts were published.
    var broadcasts: Int { self.state.withLockedValue { $0.broadcasts } }

    /// A server-side event from a process that is no node: every node gets it.
    func publishServerSide(_ arguments: [JSONValue], namespace: String = "/") {
        for (_, host) in self.hosts(of: namespace, except: nil) { host.serverSideEvent(arguments, reply: nil) }
    }

    /// A broadcast of a process that is no node, such as an emitter in another language: every node gets it.
    func publish(_ arguments: [JSONValue], _ options: BroadcastOptions, namespace: String = "/") {
        guard case .string(let event)? = arguments.first else { return }
        let packet = PacketEncoder.event(event, arguments: Array(arguments.dropFirst()), namespace: namespace)
        for (_, host) in self.hosts(of: namespace, except: nil) { host.deliver(packet, options: options) }
    }

    /// A process that is no node makes sockets join rooms.
    func addSockets(_ options: BroadcastOptions, rooms: [Room], namespace: String = "/") {
        for (_, host) in self.hosts(of: namespace, except: nil) { host.addLocalSockets(options, rooms: rooms) }
    }

    struct Factory: AdapterFactory {
        let bus: Bus
        let node: Int

        func makeAdapter(for host: any AdapterHost) -> any Adapter {
            self.bus.state.withLockedValue { $0.members.append((self.node, host)) }
            return BusAdapter(bus: self.bus, node: self.node, namespace: host.name)
        }
    }

    fileprivate func hosts(of namespace: String, except node: Int?) -> [(node: Int, host: any AdapterHost)] {
        self.state.withLockedValue { $0.members }.filter { $0.host.name == namespace && $0.node != node }
    }

    fileprivate func countRequest() -> Set<Int> {
        self.state.withLockedValue { state in
            state.requests += 1
            return state.silent
        }
    }

    fileprivate func countBroadcast() { self.state.withLockedValue { $0.broadcasts += 1 } }
}

private struct BusAdapter: Adapter {
    let bus: Bus
    let node: Int
    let namespace: String

    private var others: [(node: Int, host: any AdapterHost)] { self.bus.hosts(of: self.namespace, except: self.node) }

    func start() async throws {}
    func close() async {}
    func serverCount() async throws -> Int { self.others.count + 1 }

    func publish(_ broadcast: Broadcast) {
        self.bus.countBroadcast()
        guard case .string(let event)? = broadcast.arguments.first else { return }
        let packet = PacketEncoder.event(
            event,
            arguments: Array(broadcast.arguments.dropFirst()),
            namespace: self.namespace
        )
        for (_, host) in self.others { host.deliver(packet, options: broadcast.options) }
    }

    func publish(
        _ operations: [ClusterOperation],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount
    ) async -> PublishOutcome {
        let outcome = self.bus.outcome
        if outcome == .published { for operation in operations { self.tell(operation) } }
        return outcome
    }

    func addSockets(_ options: BroadcastOptions, rooms: [Room]) {
        for (_, host) in self.others { host.addLocalSockets(options, rooms: rooms) }
    }

    func delSockets(_ options: BroadcastOptions, rooms: [Room]) {
        for (_, host) in self.others { host.delLocalSockets(options, rooms: rooms) }
    }

    func disconnectSockets(_ options: BroadcastOptions, closingConnection: Bool) {
        for (_, host) in self.others { host.disconnectLocalSockets(options, closingConnection: closingConnection) }
    }

    func fetchSockets(_ options: BroadcastOptions, timeout: TimeAmount?) async throws -> [SocketDescription] {
        let silent = self.bus.countRequest()
        var found: [SocketDescription] = []
        var missing: [ClusterNode] = []
        for (node, host) in self.others {
            if silent.contains(node) {
                missing.append(Self.name(node))
            } else {
                found += try await host.localSockets(options).get()
            }
        }
        guard missing.isEmpty else {
            var error = ClusterError(code: .timeout, message: "timeout reached while waiting for fetchSockets response")
            error.missing = missing
            error.partialSockets = found
            throw error
        }
        return found
    }

    func allRooms(timeout: TimeAmount?) async throws -> Set<Room> {
        var rooms: Set<Room> = []
        for (_, host) in self.others { rooms.formUnion(try await host.localRooms().get()) }
        return rooms
    }

    func serverSideEmit(_ arguments: [JSONValue]) {
        for (_, host) in self.others { host.serverSideEvent(arguments, reply: nil) }
    }

    func serverSideEmitWithAck(_ arguments: [JSONValue], timeout: TimeAmount?) async throws -> [JSONValue?] {
        var answers: [JSONValue?] = []
        let silent = self.bus.countRequest()
        for (node, host) in self.others where !silent.contains(node) {
            let answer: JSONValue? = await withCheckedContinuation { continuation in
                host.serverSideEvent(arguments) { continuation.resume(returning: $0) }
            }
            answers.append(answer)
        }
        guard answers.count == self.others.count else {
            var error = ClusterError(code: .timeout, message: "timeout reached while waiting for answers")
            error.partialResponses = answers
            error.missing = self.others.map(\.node).filter(silent.contains).map(Self.name)
            throw error
        }
        return answers
    }

    private static func name(_ node: Int) -> ClusterNode {
        ClusterNode(id: "node-\(node)", address: "10.0.0.\(node):3000")
    }

    func publishWithAck(
        _ broadcast: Broadcast,
        timeout: TimeAmount,
        onClientCount: @escaping @Sendable (Int) -> Void,
        onAcknowledgement: @escaping @Sendable (JSONValue?) -> Void
    ) async throws -> ClusterAudience { ClusterAudience(nodes: 0) }
}
