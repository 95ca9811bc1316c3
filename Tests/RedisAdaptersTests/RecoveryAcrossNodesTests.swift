import NIOCore
import OrderedCollections
import RESP
import RedisTestSupport
import SocketIOEmitter
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

/// Clients that are away while other nodes send: what they are told when they come back is true.
@Suite(.timeLimit(.minutes(1)), .serialized)
struct RecoveryAcrossNodesTests {
    /// Who sends to a client that is away, and where to.
    enum Sender: CaseIterable, Sendable {
        case anotherNodeToItsRoom
        case anotherNodeToItself
        case anotherNodeToSeveralRooms
        case emitterToItsRoom
        case emitterToItself
        case everybody
    }

    /// A client that is alone in its room and away for a moment gets what was sent to it meanwhile.
    @Test(arguments: Sender.allCases)
    func clientThatWasAwayGetsEverything(_ sender: Sender) async throws {
        try await TestCluster.run(.pubSubOfTwo, recovery: ConnectionStateRecovery()) { cluster in
            let redis = try #require(cluster.redis)
            let publisher = RESPClient(configuration: try RESPConfiguration(url: redis.url))
            try await publisher.connect()
            let emitter = Emitter(publisher)
            let away = AsyncStream<Void>.makeStream()
            cluster.first.sockets.onDisconnect { _, _ in away.continuation.yield() }

            let client = try await TestClient.connect(to: cluster.addresses[0])
            try await client.send("40")
            let answer = try #require(await client.nextText())
            let json = try JSONValue(parsing: ByteBuffer(string: String(answer.drop { $0 != "{" })))
            let sid = try #require(json["sid"]?.stringValue)
            let pid = try #require(json["pid"]?.stringValue)
            try await client.send(#"420["join",["alone"]]"#)
            _ = await client.nextText()
            // So that the client has an offset to give back.
            cluster.last.to("alone").emit("before")
            let before = try #require(await client.nextText())
            let offset = try #require(before.split(separator: "\"").dropLast().last)
            try await client.reset()
            for await _ in away.stream { break }

            let other = cluster.last.sockets
            switch sender {
            case .anotherNodeToItsRoom: other.to("alone").emit("missed", 1)
            case .anotherNodeToItself: other.to(Room(sid)).emit("missed", 1)
            case .anotherNodeToSeveralRooms: other.to("alone", "others").emit("missed", 1)
            case .emitterToItsRoom: try emitter.to("alone").emit("missed", 1)
            case .emitterToItself: try emitter.to(Room(sid)).emit("missed", 1)
            case .everybody: other.emit("missed", 1)
            }
            // When this has arrived, what was published before has, too.
            let (markers, continuation) = AsyncStream<Void>.makeStream()
            cluster.first.sockets.onServerSide("marker") { _, _ in continuation.yield() }
            try other.serverSideEmit("marker")
            if sender == .emitterToItsRoom || sender == .emitterToItself { try emitter.serverSideEmit("marker") }
            var expected = sender == .emitterToItsRoom || sender == .emitterToItself ? 2 : 1
            for await _ in markers {
                expected -= 1
                if expected == 0 { break }
            }

            let successor = try await TestClient.connect(to: cluster.addresses[0])
            try await successor.send(#"40{"pid":"\#(pid)","offset":"\#(offset)"}"#)
            let missed = try #require(await successor.nextText())
            #expect(missed.hasPrefix("42[\"missed\",1,"), "\(missed)")
            let second = try #require(await successor.nextText())
            #expect(second.contains(sid))
            // And it is a member again, not more often than it is there.
            other.to("alone").emit("after")
            #expect(await successor.nextText()?.hasPrefix("42[\"after\"") == true)
            await publisher.close()
        }
    }
}
