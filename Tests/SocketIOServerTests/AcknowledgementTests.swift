import NIOCore
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import SocketIOServer

/// What can happen to an acknowledgement, in both directions.
@Suite(.timeLimit(.minutes(1))) struct AcknowledgementTests {
    /// The one socket of a client.
    private func socket(of client: TestClient, in namespace: Namespace) async throws -> Socket {
        let id = try #require(SocketID(client.id))
        return try #require(await namespace.socket(id))
    }

    /// The id of an event that waits for an acknowledgement.
    private func id(of text: String?, in namespace: String = "/") throws -> Substring {
        let prefix = namespace == "/" ? 2 : 3 + namespace.utf8.count
        let id = try #require(text).dropFirst(prefix).prefix { $0.isNumber }
        try #require(!id.isEmpty, "\(text ?? "") wants no acknowledgement")
        return id
    }

    // MARK: The client waits

    /// As in Node: the connection is still there, and the client may wait.
    @Test func answerIsSentAfterTheSocketHasLeft() async throws {
        let gate = Gate()
        let left = Recorder<Void>()
        try await TestServer(setUp: { io in
            io.of("/a").on("slow") { (_: Socket) async -> Int in
                await gate.wait()
                return 1
            }
            io.of("/a").onDisconnect { _, _ in left.record(()) }
        }).run { _, address in
            let client = try await TestClient.join("/a", at: address)
            try await client.send("42/a,5[\"slow\"]")
            try await client.send("41/a,")
            await left.next()
            gate.open()
            #expect(await client.next() == .text("43/a,5[1]"))
        }
    }

    @Test func answersMayHaveNoneOrManyValuesAndBytes() async throws {
        try await TestServer(setUp: { io in
            io.sockets.onRaw("none") { $0.acknowledge() }
            io.sockets.onRaw("many") { $0.acknowledge(1, "two", ByteBuffer(bytes: [3])) }
            io.sockets.onRaw("values") { $0.acknowledge(values: try $0.arguments.values()) }
            io.sockets.onRaw("waits") { event in event.acknowledge(event.expectsAcknowledgement) }
        }).run { _, address in
            let client = try await TestClient.join(at: address)
            try await client.send("420[\"none\"]")
            #expect(await client.next() == .text("430[]"))
            try await client.send("421[\"many\"]")
            #expect(await client.next() == .text("461-1[1,\"two\",{\"_placeholder\":true,\"num\":0}]"))
            #expect(await client.next() == .binary([3]))
            try await client.send("422[\"values\",null,[],{}]")
            #expect(await client.next() == .text("432[null,[],{}]"))
            // Nobody waits, so nothing is sent.
            try await client.send("42[\"waits\"]")
            try await client.send("423[\"waits\"]")
            #expect(await client.next() == .text("433[true]"))
        }
    }

    @Test func eventsWithoutHandlersAreNotAnswered() async throws {
        try await TestServer().run { _, address in
            let client = try await TestClient.join(at: address)
            try await client.send("420[\"nobody listens\"]")
            try await #expect(client.hasNothingMore())
        }
    }

    // MARK: The server waits

    @Test func firstArgumentIsTheAnswer() async throws {
        try await TestServer().run { io, address in
            let client = try await TestClient.join(at: address)
            let socket = try await self.socket(of: client, in: io.sockets)
            async let many = socket.emitWithAck("q", returning: Int.self)
            try await client.send("43\(self.id(of: client.nextText()))[1,2,3]")
            try await #expect(many == 1)
            async let none = socket.emitWithAck("q", returning: Int?.self)
            try await client.send("43\(self.id(of: client.nextText()))[]")
            try await #expect(none == nil)
            async let bytes = socket.emitWithAck("q", ByteBuffer(bytes: [9]), returning: ByteBuffer.self)
            let question = try #require(await client.nextText())
            #expect(question.hasPrefix("451-"))
            #expect(await client.next() == .binary([9]))
            let id = question.dropFirst(4).prefix { $0.isNumber }
            try await client.send("461-\(id)[{\"_placeholder\":true,\"num\":0}]")
            try await client.send(binary: [1, 2])
            try await #expect(bytes == ByteBuffer(bytes: [1, 2]))
        }
    }

    /// Ids nobody knows, repeated answers, answers without id, answers in other clients' names and namespaces.
    @Test func answersNobodyWaitsForMeanNothing() async throws {
        try await TestServer(setUp: { io in _ = io.of("/a") }).run { io, address in
            let client = try await TestClient.join(at: address)
            let socket = try await self.socket(of: client, in: io.sockets)
            let stranger = try await TestClient.join("/a", at: address)
            try await stranger.join()
            async let answer = socket.emitWithAck("q", returning: Int.self)
            let id = try self.id(of: await client.nextText())
            for text in ["43\(id)[2]", "43/a,\(id)[3]", "43[4]", "43999[5]", "439007199254740991[6]"] {
                try await stranger.send(text)
            }
            try await #expect(stranger.hasNothingMore())
            for text in ["43[7]", "43999[8]", "43\(id)[1]", "43\(id)[9]"] { try await client.send(text) }
            try await #expect(answer == 1)
            try await #expect(client.hasNothingMore())
        }
    }

    /// The time is up, then the answer comes: the caller has had its error, and the client is none the worse.
    @Test func lateAnswersMeanNothing() async throws {
        var configuration = SocketServerConfiguration()
        configuration.acknowledgementTimeout = .milliseconds(1)
        try await TestServer(configuration: configuration).run { io, address in
            let client = try await TestClient.join(at: address)
            let socket = try await self.socket(of: client, in: io.sockets)
            await #expect {
                try await socket.emitWithAck("q", returning: Int.self)
            } throws: { ($0 as? AcknowledgementError)?.code == .timeout }
            await #expect {
                try await io.emitWithAckOfAll("q")
            } throws: { ($0 as? AcknowledgementError)?.code == .timeout }
            for _ in 0..<2 {
                let id = try self.id(of: await client.nextText())
                for _ in 0..<2 { try await client.send("43\(id)[1]") }
            }
            try await #expect(client.hasNothingMore())
        }
    }

    @Test func defaultTimeoutAppliesToEverybody() async throws {
        var configuration = SocketServerConfiguration()
        configuration.acknowledgementTimeout = .milliseconds(20)
        try await TestServer(configuration: configuration).run { io, address in
            let client = try await TestClient.join(at: address)
            let socket = try await self.socket(of: client, in: io.sockets)
            await #expect {
                try await socket.emitWithAck("q", returning: Int.self)
            } throws: { ($0 as? AcknowledgementError) == .init(code: .timeout, message: "operation has timed out") }
            await #expect {
                try await io.emitWithAckOfAll("q")
            } throws: { ($0 as? AcknowledgementError)?.code == .timeout }
        }
    }

    @Test func broadcastsNeedATimeout() async throws {
        try await TestServer().run { io, address in
            let client = try await TestClient.join(at: address)
            await #expect {
                try await io.emitWithAckOfAll("q")
            } throws: { ($0 as? AcknowledgementError)?.code == .missingTimeout }
            // Nothing was sent.
            try await #expect(client.hasNothingMore())
        }
    }

    @Test func socketsThatAreGoneAnswerAtOnce() async throws {
        let left = Recorder<Socket>()
        try await TestServer(setUp: { io in io.sockets.onDisconnect { socket, _ in left.record(socket) } }).run {
            io,
            address in
            let client = try await TestClient.join(at: address)
            let remote = try #require(try await io.fetchSockets().first)
            await client.close()
            let socket = try #require(await left.next())
            await #expect {
                try await socket.emitWithAck("q", returning: Int.self)
            } throws: { ($0 as? AcknowledgementError)?.code == .disconnected }
            await #expect {
                try await remote.emitWithAck("q", timeout: .seconds(20), returning: Int.self)
            } throws: { ($0 as? AcknowledgementError)?.code == .disconnected }
        }
    }

    @Test func oneSocketOfAnyNodeIsAskedLikeOnesOwn() async throws {
        try await TestServer().run { io, address in
            let client = try await TestClient.join(at: address)
            let remote = try #require(try await io.fetchSockets().first)
            async let answer = remote.emitWithAck("q", 1, timeout: .seconds(20), returning: String.self)
            let question = try #require(await client.nextText())
            #expect(question.hasSuffix("[\"q\",1]"))
            try await client.send("43\(self.id(of: question))[\"a\"]")
            try await #expect(answer == "a")
            await #expect {
                try await remote.emitWithAck("q", timeout: .milliseconds(20), returning: Int.self)
            } throws: { ($0 as? AcknowledgementError)?.code == .timeout }
        }
    }

    /// Known failure 10: nothing is left of broadcasts that were not answered, so late answers find nobody.
    @Test func nothingIsLeftOfABroadcastWhoseTimeIsUp() async throws {
        try await TestServer().run { io, address in
            let client = try await TestClient.join(at: address)
            for _ in 0..<50 {
                await #expect {
                    try await io.timeout(.milliseconds(1)).emitWithAck("q", returning: Int.self)
                } throws: { ($0 as? AcknowledgementError)?.code == .timeout }
                try await client.send("43\(self.id(of: client.nextText()))[1]")
            }
            try await #expect(client.hasNothingMore())
            let deadline = ContinuousClock.now + .seconds(30)
            while await io.sockets.pendingBroadcasts() > 0, ContinuousClock.now < deadline { await Task.yield() }
            #expect(await io.sockets.pendingBroadcasts() == 0)
        }
    }

    @Test func namesOfTheProtocolCannotBeAsked() async throws {
        try await TestServer().run { io, address in
            let client = try await TestClient.join(at: address)
            let socket = try await self.socket(of: client, in: io.sockets)
            await #expect(throws: AcknowledgementError.self) {
                try await socket.emitWithAck("disconnect", returning: Int.self)
            }
            try await #expect(client.hasNothingMore())
        }
    }
}

extension SocketServer {
    fileprivate func emitWithAckOfAll(_ event: String) async throws {
        _ = try await self.everybody.emitWithAck(event, returning: Int.self)
    }
}

extension Namespace {
    /// How many broadcasts wait for acknowledgements of this node's clients.
    fileprivate func pendingBroadcasts() async -> Int {
        var count = 0
        for shard in self.shards {
            count += (try? await shard.eventLoop.submit { shard.broadcastAcknowledgements.count }.get()) ?? 0
        }
        return count
    }
}
