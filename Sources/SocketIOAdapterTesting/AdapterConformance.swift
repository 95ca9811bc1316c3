public import SocketIOServer

/// What every adapter has to do: the checks that this package's own adapters pass, with real servers and real clients.
///
/// That something does not arrive is shown by what was sent after it having arrived.
///
/// ```swift
/// import SocketIOAdapterTesting
/// import SocketIOServer
///
/// let broker = InProcessDriver.Broker()
/// let conformance = AdapterConformance { _ in ClusterAdapterFactory(driver: InProcessDriver(broker)) }
/// for check in AdapterConformance.Check.allCases { try await conformance.run(check) }
/// ```
public struct AdapterConformance: Sendable {
    /// One thing that an adapter has to do.
    public enum Check: String, Sendable, CaseIterable {
        /// An event reaches those whom it is for, on every node, and nobody else.
        case broadcastsReachTheRightClientsOnce
        /// Events of a node arrive in the order in which it sent them.
        case orderIsKept
        /// Arguments arrive as they were, bytes among them.
        case valuesArriveAsTheyAre
        /// What is meant for one node reaches no other.
        case localStaysLocal
        /// A namespace hears nothing of another one.
        case namespacesAreApart
        /// Clients of all nodes acknowledge an event.
        case acknowledgementsOfAllClients
        /// A client that does not acknowledge is an error, which has the others' acknowledgements.
        case missingAcknowledgementsTellWhatDidArrive
        /// A node learns of all nodes' sockets and rooms.
        case socketsOfAllNodes
        /// Sockets of all nodes join, leave and are disconnected.
        case commandsToSocketsOfAllNodes
        /// A socket of another node is sent to and told what to do.
        case remoteSockets
        /// Servers send each other events and answer them.
        case serverSideEvents
        /// A node that has left is not waited for.
        case nodeThatLeavesIsNotWaitedFor
        /// A namespace that is made while servers run connects, too.
        case namespaceMadeLaterJoins
    }

    /// What an adapter did not do.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        /// What came, and what should have come.
        public var text: String
        /// Where that was checked.
        public var file: String
        /// Where that was checked.
        public var line: Int
        /// All of it.
        public var description: String { "\(self.file):\(self.line): \(self.text)" }
    }

    private let nodeCount: Int
    private let makeAdapter: @Sendable (Int) async throws -> any AdapterFactory

    /// Prepares the checks.
    ///
    /// - Parameters:
    ///   - nodeCount: How many servers each check starts.
    ///   - makeAdapter: Makes the adapter of the server of that number. All that are made for one check are one cluster, to
    ///     which nobody else belongs.
    public init(nodeCount: Int = 2, makeAdapter: @escaping @Sendable (Int) async throws -> any AdapterFactory) {
        self.nodeCount = nodeCount
        self.makeAdapter = makeAdapter
    }

    /// Starts servers, and checks one thing.
    ///
    /// - Throws: ``Failure`` if the adapter does not do it, or what it throws itself.
    public func run(_ check: Check) async throws {
        var nodes: [SocketServer] = []
        var failure: (any Error)?
        do {
            for number in 0..<self.nodeCount {
                nodes.append(SocketServer(adapter: try await self.makeAdapter(number)))
            }
            try await Self.body(of: check)(try await ConformanceCluster(nodes))
        } catch {
            failure = error
        }
        for node in nodes { await node.close() }
        if let failure { throw failure }
    }

    private static func body(of check: Check) -> (ConformanceCluster) async throws -> Void {
        switch check {
        case .broadcastsReachTheRightClientsOnce: self.broadcastsReachTheRightClientsOnce
        case .orderIsKept: self.orderIsKept
        case .valuesArriveAsTheyAre: self.valuesArriveAsTheyAre
        case .localStaysLocal: self.localStaysLocal
        case .namespacesAreApart: self.namespacesAreApart
        case .acknowledgementsOfAllClients: self.acknowledgementsOfAllClients
        case .missingAcknowledgementsTellWhatDidArrive: self.missingAcknowledgementsTellWhatDidArrive
        case .socketsOfAllNodes: self.socketsOfAllNodes
        case .commandsToSocketsOfAllNodes: self.commandsToSocketsOfAllNodes
        case .remoteSockets: self.remoteSockets
        case .serverSideEvents: self.serverSideEvents
        case .nodeThatLeavesIsNotWaitedFor: self.nodeThatLeavesIsNotWaitedFor
        case .namespaceMadeLaterJoins: self.namespaceMadeLaterJoins
        }
    }
}
