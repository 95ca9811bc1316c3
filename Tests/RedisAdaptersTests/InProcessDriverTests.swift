import NIOConcurrencyHelpers
import NIOCore
import SocketIOAdapterTesting
import SocketIOServer
import SocketIOTestSupport
import Testing

/// Two servers over a driver that a test can disturb.
@Suite(.timeLimit(.minutes(1)))
struct InProcessDriverTests {
    private struct Pair {
        let broker = InProcessDriver.Broker()
        let drivers: [InProcessDriver]
        let nodes: [SocketServer]

        init() {
            let broker = self.broker
            self.drivers = (0..<2).map { _ in InProcessDriver(broker) }
            self.nodes = self.drivers.map { SocketServer(adapter: ClusterAdapterFactory(driver: $0)) }
        }

        /// Starts the servers, and closes them in the end.
        func run(_ body: ([TestClient]) async throws -> Void) async throws {
            var clients: [TestClient] = []
            var failure: (any Error)?
            do {
                for node in self.nodes {
                    try await node.start()
                    let address = try await node.listen(host: "127.0.0.1", port: 0)
                    clients.append(try await TestClient.join("/", at: address))
                }
                try await body(clients)
            } catch {
                failure = error
            }
            for node in self.nodes { await node.close() }
            if let failure { throw failure }
        }
    }

    @Test func whatIsLostIsNotDelivered() async throws {
        let pair = Pair()
        try await pair.run { clients in
            pair.broker.lose(1)
            pair.nodes[0].sockets.emit("lost")
            pair.nodes[0].sockets.emit("kept")
            #expect(await clients[0].nextText() == "42[\"lost\"]")
            #expect(await clients[0].nextText() == "42[\"kept\"]")
            #expect(await clients[1].nextText() == "42[\"kept\"]")
        }
    }

    @Test func whatIsDelayedKeepsItsOrder() async throws {
        let pair = Pair()
        try await pair.run { clients in
            pair.broker.delay = .milliseconds(20)
            for number in 0..<50 { pair.nodes[0].sockets.emit("n", number) }
            pair.broker.delay = .nanoseconds(0)
            for number in 50..<100 { pair.nodes[0].sockets.emit("n", number) }
            for number in 0..<100 { #expect(await clients[1].nextText() == "42[\"n\",\(number)]") }
        }
    }

    @Test func serverThatHasLostTheBrokerSaysSo() async throws {
        let pair = Pair()
        try await pair.run { clients in
            pair.drivers[0].disconnect()
            pair.nodes[0].sockets.emit("here")
            #expect(await clients[0].nextText() == "42[\"here\"]")
            let error = await #expect(throws: ClusterError.self) { try await pair.nodes[0].sockets.fetchSockets() }
            #expect(error?.code == .unreachable)
            #expect(error?.partialSockets.map(\.id) == [clients[0].id])
            pair.drivers[0].reconnect()
            let sockets = try await pair.nodes[0].sockets.fetchSockets()
            #expect(Set(sockets.map(\.id)) == Set(clients.map(\.id)))
            pair.nodes[0].sockets.emit("everywhere")
            for client in clients { #expect(await client.nextText() == "42[\"everywhere\"]") }
        }
    }

    /// Hands everything over twice.
    private struct Stutter: ClusterDriver {
        let driver: InProcessDriver

        func join(_ member: ClusterMember, _ inbox: ClusterInbox) async throws {
            try await self.driver.join(member, inbox)
        }
        func leave(_ member: ClusterMember) async { await self.driver.leave(member) }
        func send(_ bytes: ByteBuffer, to destination: ClusterDestination, from member: ClusterMember) throws {
            for _ in 0..<2 { try self.driver.send(bytes, to: destination, from: member) }
        }
        func confirm(_ member: ClusterMember) async throws { try await self.driver.confirm(member) }
        func countMembers(of namespace: String) async throws -> Int {
            try await self.driver.countMembers(of: namespace)
        }
    }

    @Test func checksFindADriverThatHandsOverTwice() async throws {
        let broker = InProcessDriver.Broker()
        let conformance = AdapterConformance { _ in
            ClusterAdapterFactory(driver: Stutter(driver: InProcessDriver(broker)))
        }
        let failure = await #expect(throws: AdapterConformance.Failure.self) { try await conformance.run(.orderIsKept) }
        #expect(failure?.text.contains("instead of") == true)
    }
}
