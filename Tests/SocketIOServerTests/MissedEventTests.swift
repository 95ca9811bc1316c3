import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

/// What the application says about the events that a client has missed, and what the client is told when it connects.
@Suite(.timeLimit(.minutes(1))) struct MissedEventTests {
    private static func server(_ setUp: @escaping (SocketServer) -> Void = { _ in }) -> TestServer {
        var configuration = SocketServerConfiguration()
        configuration.connectionStateRecovery = ConnectionStateRecovery(skipMiddlewares: false)
        return TestServer(configuration: configuration, setUp: setUp)
    }

    /// The middlewares find out who it is now; then the filters see each event, before anything is sent.
    @Test func filtersDecideForWhomTheClientIsNow() async throws {
        let seen = Recorder<String>()
        let disconnects = Recorder<Void>()
        try await Self.server { io in
            io.sockets.use { socket in socket.data = .string(socket.isRecovered ? "guest" : "admin") }
            io.sockets.filterMissedEvents { socket, event in
                seen.record("\(socket.data.stringValue ?? "") \(event.name ?? "") \(event.arguments)")
                return event.options.rooms != ["admins"]
            }
            io.sockets.filterMissedEvents { _, event in event.arguments.first != 3 }
            io.sockets.onConnection { socket in if !socket.isRecovered { socket.join("admins") } }
            io.sockets.onDisconnect { _, _ in disconnects.record(()) }
        }.run { io, address in
            let first = try await RecoveryTests.Visitor.connect(to: address)
            await first.client.close()
            _ = await disconnects.next()
            io.sockets.to("admins").emit("secret", 1)
            io.sockets.emit("public", 2)
            io.sockets.emit("public", 3)
            let (missed, second) = try await first.back(to: address, offset: nil)
            #expect(second.sid == first.sid)
            #expect(try missed.map { try RecoveryTests.split($0).text } == ["42[\"public\",2]"])
            #expect(await seen.next() == "guest secret \([1] as [JSONValue])")
            #expect(await seen.next() == "guest public \([2] as [JSONValue])")
        }
    }

    /// A client that remembers the offset of the answer to CONNECT says more than one that says nothing.
    @Test func offsetOfTheAnswerIsOneToGoOnFrom() async throws {
        let disconnects = Recorder<Void>()
        try await Self.server { io in
            io.sockets.onDisconnect { _, _ in disconnects.record(()) }
        }.run { io, address in
            io.sockets.emit("before")
            let client = try await TestClient.connect(to: address)
            let answer = try #require(await client.connect())
            let json = try JSONValue(parsing: ByteBuffer(string: String(answer.dropFirst(2))))
            guard case .object(let members) = json else { throw Unexpected() }
            #expect(members.keys.map { $0.string } == ["sid", "pid", "offset"])
            let offset = try #require(json["offset"]?.stringValue)
            var visitor = try RecoveryTests.Visitor(client, answer: answer)
            // Nothing, then one event that it says not to have seen, then the same from what it was told then.
            for (emitted, missed) in [([], []), ([1], [1]), ([], [1])] as [([Int], [Int])] {
                await visitor.client.close()
                _ = await disconnects.next()
                for number in emitted { io.sockets.emit("e", number) }
                let (texts, again) = try await visitor.back(to: address, offset: offset)
                #expect(try texts.map { try RecoveryTests.split($0).text } == missed.map { "42[\"e\",\($0)]" })
                #expect(again.sid == visitor.sid)
                visitor = again
            }
        }
    }

    private struct Unexpected: Error {}
}
