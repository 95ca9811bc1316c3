import Logging
import Metrics
import MetricsTestKit
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import OrderedCollections
import RESP
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import RedisAdapters
@testable import SocketIOServer

/// Nodes on a bus in this process, on a loop whose time stands still.
struct NodesOnPaper {
    let redis = InProcessRedis()
    let loop = NIOAsyncTestingEventLoop()
    let metrics = TestMetrics()
    let hosts: [FakeHost]
    let adapters: [ClusterAdapter]

    init(count: Int = 2, configure: (inout PubSubAdapterConfiguration) -> Void = { _ in }) {
        var hosts: [FakeHost] = []
        var adapters: [ClusterAdapter] = []
        for index in 0..<count {
            var configuration = PubSubAdapterConfiguration()
            let next = NIOLockedValueBox(0)
            configuration.makeID = {
                let number = next.withLockedValue { next in
                    defer { next += 1 }
                    return next
                }
                return number == 0 ? "node-\(index)" : "re-\(index)-\(number)"
            }
            configure(&configuration)
            let host = FakeHost(eventLoop: self.loop)
            let description = SocketDescription(
                id: "socket-\(index)",
                handshake: .object([:]),
                rooms: [Room("socket-\(index)"), "r"],
                data: .object([:])
            )
            host.add([FakeHost.FakeSocket(name: "socket-\(index)", description: description)])
            hosts.append(host)
            adapters.append(
                ClusterAdapter(
                    host: host,
                    configuration: configuration,
                    bus: self.redis.bus("\(index)", on: self.loop),
                    metrics: self.metrics
                )
            )
        }
        self.hosts = hosts
        self.adapters = adapters
    }

    func start() async throws {
        for adapter in self.adapters { try await adapter.start() }
        self.redis.forgetCommands()
    }

    func close() async {
        for adapter in self.adapters { await adapter.close() }
        // Timers are cancelled on the loop, which does nothing by itself.
        await self.loop.run()
        await self.loop.shutdownGracefully()
    }

    /// Waits until that many messages were published, or counts asked for, without letting time pass.
    func published(_ count: Int) async {
        while self.redis.published.count < count {
            await self.loop.run()
            await Task.yield()
        }
    }

    func publish(_ text: String, on channel: String = "socket.io-request#/#") throws {
        try self.redis.publish("other", channel, ByteBuffer(string: text))
    }

    func rejected(_ reason: String) -> Int64 {
        let counter = try? self.metrics.expectCounter("socketio_cluster_messages_rejected_total", [("reason", reason)])
        return counter?.totalValue ?? 0
    }
}

@Suite(.timeLimit(.minutes(1)))
struct PubSubAdapterTests {
    private let everybody = BroadcastOptions()

    // MARK: What is not for us

    @Test func ownMessagesMeanNothing() async throws {
        let nodes = NodesOnPaper()
        try await nodes.start()
        let adapter = nodes.adapters[0]
        adapter.publish(Broadcast(arguments: ["e"], options: self.everybody))
        adapter.addSockets(self.everybody, rooms: ["x"])
        adapter.delSockets(self.everybody, rooms: ["x"])
        adapter.disconnectSockets(self.everybody, closingConnection: true)
        adapter.serverSideEmit(["e"])
        #expect(nodes.hosts[0].calls == [])
        #expect(nodes.hosts[1].calls.count == 5)
        await nodes.close()
    }

    @Test func roomsNobodyIsInCostNoDecoding() async throws {
        let nodes = NodesOnPaper()
        try await nodes.start()
        // Not even MessagePack: it is not looked at.
        try nodes.publish("garbage", on: "socket.io#/#elsewhere#")
        #expect(nodes.rejected("undecodable") == 0)
        #expect(try nodes.metrics.expectCounter("socketio_cluster_broadcasts_filtered_total").totalValue == 2)
        try nodes.publish("garbage", on: "socket.io#/#r#")
        #expect(nodes.rejected("undecodable") + nodes.rejected("unexpected_shape") == 2)
        // To several rooms, or all: each node looks itself.
        try nodes.publish("garbage", on: "socket.io#/#")
        #expect(nodes.rejected("undecodable") + nodes.rejected("unexpected_shape") == 4)
        await nodes.close()
    }

    @Test func reservedServerSideEventsAreNotSent() async throws {
        let nodes = NodesOnPaper()
        try await nodes.start()
        for name in ["connect", "connection", "new_namespace"] {
            nodes.adapters[0].serverSideEmit([.string(name)])
            #expect(try await nodes.adapters[0].serverSideEmitWithAck([.string(name)], timeout: nil) == [])
        }
        #expect(nodes.redis.published == [])
        await nodes.close()
    }

    // MARK: Malformed messages

    @Test(arguments: [
        ("{", "undecodable"), ("{}", "unexpected_shape"), ("[1]", "undecodable"), ("\u{1}", "unexpected_shape"),
        (#"{"type":99}"#, "unknown_type"), (#"{"type":"5"}"#, "unexpected_shape"), (#"{"type":8}"#, "wrong_channel"),
        (#"{"type":-1}"#, "unknown_type"), (#"{"type":1e300}"#, "unexpected_shape"),
        (#"{"type":2,"opts":{"rooms":[],"except":[]}}"#, "unexpected_shape"),
        (#"{"type":2,"opts":{"rooms":7},"rooms":["x"]}"#, "unexpected_shape"), (#"{"type":4}"#, "unexpected_shape"),
        (#"{"type":5,"requestid":"x","opts":{}}"#, "unknown_type"), (#"{"type":7,"opts":{}}"#, "unexpected_shape"),
        (#"{"type":6}"#, "unexpected_shape"), (#"{"type":6,"data":[]}"#, "unexpected_shape"),
        (#"{"type":6,"data":[{}]}"#, "unexpected_shape"),
        (#"{"type":7,"requestId":"x","packet":{"type":2,"data":["e"],"nsp":"/x"},"opts":{}}"#, "wrong_channel"),
    ])
    func malformedRequest(_ text: String, _ reason: String) async throws {
        let nodes = NodesOnPaper()
        try await nodes.start()
        try nodes.publish(text)
        #expect(nodes.rejected(reason) == 2)
        #expect(nodes.hosts[0].calls == [])
        #expect(nodes.redis.published.count == 1)
        await nodes.close()
    }

    /// A question that can't be read is one about nobody: without an answer the other node would wait for it.
    @Test(arguments: [
        (#"{"type":5}"#, #"{"sockets":[]}"#), (#"{"type":5,"requestId":"x"}"#, #"{"requestId":"x","sockets":[]}"#),
        (#"{"type":5,"requestId":7,"opts":{"rooms":7}}"#, #"{"requestId":7,"sockets":[]}"#),
        (#"{"type":5,"requestId":"x","opts":{"rooms":[{},null]}}"#, #"{"requestId":"x","sockets":[]}"#),
        (#"{"type":0,"requestId":"x","rooms":true}"#, #"{"requestId":"x","sockets":[]}"#),
        (#"{"type":7,"requestId":"x","opts":{}}"#, #"{"type":8,"requestId":"x","clientCount":0}"#),
        (
            #"{"type":7,"requestId":"x","packet":{"type":2,"data":["connect"]},"opts":{}}"#,
            #"{"type":8,"requestId":"x","clientCount":0}"#
        ),
    ])
    func unreadableQuestion(_ text: String, _ answer: String) async throws {
        let nodes = NodesOnPaper(count: 1)
        try await nodes.start()
        try nodes.publish(text)
        await nodes.adapters[0].close()
        #expect(
            nodes.redis.published.last?.arguments == [
                "socket.io-response#/#", ByteBuffer(string: answer).hexadecimal,
            ]
        )
        #expect(nodes.hosts[0].calls == [])
        await nodes.close()
    }

    @Test func deepMessages() async throws {
        let nodes = NodesOnPaper()
        try await nodes.start()
        try nodes.publish(#"{"type":6,"data":["e","# + String(repeating: "[", count: 100_000))
        var deep = ByteBuffer(bytes: [0x93, 0xA1, 0x78, 0x82, 0xA4] + Array("type".utf8) + [0x02, 0xA4])
        deep.writeString("data")
        deep.writeBytes([0x92, 0xA1, 0x65])
        deep.writeRepeatingByte(0x91, count: 100_000)
        deep.writeInteger(0xC0 as UInt8)
        deep.writeInteger(0x80 as UInt8)
        try nodes.redis.publish("other", "socket.io#/#", deep)
        #expect(nodes.rejected("undecodable") == 4)
        #expect(nodes.hosts[0].calls == [])
        await nodes.close()
    }

    /// Every recorded message, each of its bytes spoiled, cut off at each byte: nothing but being ignored may follow, or
    /// being taken for what it then says.
    @Test func spoiledMessages() async throws {
        let nodes = NodesOnPaper(count: 1)
        try await nodes.start()
        var generator = SeededGenerator(seed: 6)
        for record in ClassicRecord.all where record.key == "socket.io" && !record.usesSpecificChannel {
            for command in record.commands where command.name == "PUBLISH" && command.payload.readableBytes < 400 {
                let bytes = Array(command.payload.readableBytesView)
                for index in bytes.indices {
                    var spoiled = bytes
                    spoiled[index] = generator.next()
                    try nodes.redis.publish("other", command.channel, ByteBuffer(bytes: spoiled))
                    try nodes.redis.publish("other", command.channel, ByteBuffer(bytes: bytes[..<index]))
                    try nodes.redis.publish("other", "socket.io-response#/#", ByteBuffer(bytes: spoiled))
                }
            }
            nodes.redis.forgetCommands()
        }
        // Still at work.
        try nodes.publish(#"{"uid":"x","requestId":"last","type":1}"#)
        await nodes.published(2)
        await nodes.close()
    }

    @Test func unboundedTimeoutsAreBounded() async throws {
        let nodes = NodesOnPaper(count: 1)
        try await nodes.start()
        for timeout in ["1e300", "-5", "9223372036854775807"] {
            try nodes.publish(
                #"{"type":7,"requestId":"x","packet":{"type":2,"data":["e"]},"opts":{"rooms":[],"flags":{"timeout":\#(timeout)}}}"#
            )
        }
        let timeouts = nodes.hosts[0].calls.map { call -> TimeAmount? in
            if case .deliverWithAck(_, _, let timeout) = call { timeout } else { nil }
        }
        #expect(timeouts == [.hours(24), .zero, .hours(24)])
        await nodes.close()
    }

    @Test func messagesOfEmitters() async throws {
        let nodes = NodesOnPaper(count: 1)
        try await nodes.start()
        try nodes.publish(#"{"type":2,"opts":{"rooms":["r"],"except":[]},"rooms":["a",7]}"#)
        try nodes.publish(#"{"type":3,"opts":{"rooms":[],"except":["x"]},"rooms":["a"]}"#)
        try nodes.publish(#"{"type":4,"opts":{"rooms":["r"]},"close":true,"unknown":{}}"#)
        try nodes.publish(#"{"uid":"emitter","type":6,"data":["sse",1]}"#)
        #expect(
            nodes.hosts[0].calls == [
                .join(BroadcastOptions(rooms: ["r"]), ["a", "7"]), .leave(BroadcastOptions(except: ["x"]), ["a"]),
                .disconnect(BroadcastOptions(rooms: ["r"]), closing: true),
                .serverSide(["sse", 1], wantsReply: false),
            ]
        )
        await nodes.close()
    }

    // MARK: Questions

    @Test func aloneThereIsNobodyToAsk() async throws {
        let nodes = NodesOnPaper(count: 1)
        try await nodes.start()
        let adapter = nodes.adapters[0]
        #expect(try await adapter.serverCount() == 1)
        #expect(try await adapter.fetchSockets(self.everybody, timeout: nil) == [])
        #expect(try await adapter.allRooms(timeout: nil) == [])
        #expect(try await adapter.serverSideEmitWithAck(["e"], timeout: nil) == [])
        #expect(!nodes.redis.published.contains { $0.name == "PUBLISH" })
        await nodes.close()
    }

    @Test func silentNodeMeansTimeoutWithWhatOthersSaid() async throws {
        let nodes = NodesOnPaper(count: 2)
        try await nodes.start()
        // A third one is counted, and never answers.
        nodes.redis.setCount { $0 + 1 }
        let sockets = Task { try await nodes.adapters[0].fetchSockets(self.everybody, timeout: .seconds(2)) }
        await nodes.published(3)
        await nodes.loop.advanceTime(by: .seconds(2))
        let error = await #expect(throws: ClusterError.self) { try await sockets.value }
        #expect(error?.code == .timeout)
        #expect(
            error?.message
                == "timeout reached while waiting for fetchSockets response: only 1 responses received out of 2;"
                + " no answer of a node without a name"
        )
        #expect(error?.partialSockets.map(\.id) == ["socket-1"])
        #expect(try nodes.metrics.expectCounter("socketio_cluster_request_timeouts_total").totalValue == 1)

        nodes.redis.forgetCommands()
        nodes.hosts[1].answerServerSide(with: ["yes"])
        let answers = Task { try await nodes.adapters[0].serverSideEmitWithAck(["e"], timeout: nil) }
        await nodes.published(3)
        await nodes.loop.advanceTime(by: .seconds(5))
        let second = await #expect(throws: ClusterError.self) { try await answers.value }
        #expect(second?.partialResponses == ["yes"])
        await nodes.close()
    }

    /// A node without a name has gone: those that are left are asked once more, and nobody's time is up.
    @Test func deadNodeEndsTheWait() async throws {
        let nodes = NodesOnPaper(count: 2)
        try await nodes.start()
        let isDead = NIOLockedValueBox(false)
        nodes.redis.setCount { count in isDead.withLockedValue { $0 } ? count : count + 1 }
        let isOver = NIOLockedValueBox(false)
        let sockets = Task {
            defer { isOver.withLockedValue { $0 = true } }
            return try await nodes.adapters[0].fetchSockets(self.everybody, timeout: .seconds(60))
        }
        await nodes.published(3)
        await nodes.loop.advanceTime(by: .seconds(10))
        #expect(!isOver.withLockedValue { $0 })
        isDead.withLockedValue { $0 = true }
        // No look is later than that.
        await nodes.loop.advanceTime(by: .seconds(1))
        #expect(try await sockets.value.map(\.id) == ["socket-1"])
        await nodes.close()
    }

    /// Which one has gone of those without a name can't be told: a broadcast is not sent twice, so its reports are waited for.
    @Test func deadNodeReportsNothingInTheNameOfOthers() async throws {
        let nodes = NodesOnPaper(count: 2)
        try await nodes.start()
        let isDead = NIOLockedValueBox(false)
        nodes.redis.setCount { count in isDead.withLockedValue { $0 } ? count : count + 2 }
        let counts = NIOLockedValueBox<[Int]>([])
        let others = try await nodes.adapters[0].publishWithAck(
            Broadcast(arguments: ["e"], options: self.everybody),
            timeout: .seconds(60),
            onClientCount: { count in counts.withLockedValue { $0.append(count) } },
            onAcknowledgement: { _ in }
        )
        #expect(others.nodes == 3)
        isDead.withLockedValue { $0 = true }
        for _ in 0..<10 { await nodes.loop.advanceTime(by: .seconds(1)) }
        #expect(counts.withLockedValue { $0 } == [1])
        await nodes.close()
    }

    @Test func lateAndRepeatedAnswersMeanNothing() async throws {
        let nodes = NodesOnPaper(count: 1)
        try await nodes.start()
        nodes.redis.setCount { _ in 2 }
        let sockets = Task { try await nodes.adapters[0].fetchSockets(self.everybody, timeout: nil) }
        await nodes.published(2)
        let answer = #"{"requestId":"re-0-1","sockets":[{"id":"x","handshake":{},"rooms":["x",7],"data":null}]}"#
        for _ in 0..<3 { try nodes.publish(answer, on: "socket.io-response#/#") }
        let received = try await sockets.value
        #expect(received.map(\.id) == ["x"])
        #expect(received.first?.rooms == ["x", "7"])
        // Answers to questions of others, or of nobody, of other shapes.
        for text in [
            #"{"requestId":"other","sockets":[]}"#, #"{"type":8,"requestId":"other","clientCount":1}"#,
            #"{"type":6,"requestId":"re-0-1"}"#, #"{"sockets":[],"requestId":"re-0-1"}"#,
        ] { try nodes.publish(text, on: "socket.io-response#/#node-0#") }
        await nodes.close()
    }

    @Test func acknowledgementsEndWithTheTimeout() async throws {
        let nodes = NodesOnPaper(count: 1)
        try await nodes.start()
        nodes.redis.setCount { _ in 3 }
        let counts = NIOLockedValueBox<[Int]>([])
        let values = NIOLockedValueBox<[JSONValue?]>([])
        let others = try await nodes.adapters[0].publishWithAck(
            Broadcast(arguments: ["e"], options: self.everybody),
            timeout: .seconds(1),
            onClientCount: { count in counts.withLockedValue { $0.append(count) } },
            onAcknowledgement: { value in values.withLockedValue { $0.append(value) } }
        )
        #expect(others.nodes == 2)
        try nodes.publish(#"{"type":8,"requestId":"re-0-1","clientCount":2}"#, on: "socket.io-response#/#")
        try nodes.publish(#"{"type":9,"requestId":"re-0-1","packet":"ok"}"#, on: "socket.io-response#/#")
        try nodes.publish(#"{"type":9,"requestId":"re-0-1"}"#, on: "socket.io-response#/#")
        await nodes.loop.advanceTime(by: .seconds(1))
        try nodes.publish(#"{"type":8,"requestId":"re-0-1","clientCount":2}"#, on: "socket.io-response#/#")
        try nodes.publish(#"{"type":9,"requestId":"re-0-1","packet":"late"}"#, on: "socket.io-response#/#")
        #expect(counts.withLockedValue { $0 } == [2])
        #expect(values.withLockedValue { $0 } == ["ok", nil])
        await nodes.close()
    }

    @Test func closingEndsQuestions() async throws {
        let nodes = NodesOnPaper(count: 1)
        try await nodes.start()
        nodes.redis.setCount { _ in 2 }
        let sockets = Task { try await nodes.adapters[0].fetchSockets(self.everybody, timeout: nil) }
        await nodes.published(2)
        await nodes.adapters[0].close()
        let error = await #expect(throws: ClusterError.self) { try await sockets.value }
        #expect(error?.code == .closed)
        let late = await #expect(throws: ClusterError.self) {
            try await nodes.adapters[0].fetchSockets(self.everybody, timeout: nil)
        }
        #expect(late?.code == .closed)
        // And nothing reaches the namespace any more.
        try nodes.publish(#"{"type":2,"opts":{"rooms":[],"except":[]},"rooms":["a"]}"#)
        #expect(nodes.hosts[0].calls == [])
        await nodes.close()
    }

    @Test func cancellationEndsAQuestion() async throws {
        let nodes = NodesOnPaper(count: 1)
        try await nodes.start()
        nodes.redis.setCount { _ in 2 }
        let task = Task { try await nodes.adapters[0].fetchSockets(BroadcastOptions(), timeout: nil) }
        await nodes.published(2)
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        await nodes.close()
    }

    // MARK: Redis away

    @Test func refusedPublishesAreCounted() async throws {
        let nodes = NodesOnPaper(count: 2)
        try await nodes.start()
        nodes.redis.setPublishError(RESPError(code: .queueFull, message: "full"))
        nodes.adapters[0].publish(Broadcast(arguments: ["e"], options: self.everybody))
        nodes.adapters[0].addSockets(self.everybody, rooms: ["x"])
        #expect(try nodes.metrics.expectCounter("socketio_cluster_messages_unpublished_total").totalValue == 2)
        let error = await #expect(throws: ClusterError.self) {
            try await nodes.adapters[0].fetchSockets(self.everybody, timeout: nil)
        }
        #expect(error?.code == .unreachable)
        await #expect(throws: ClusterError.self) {
            try await nodes.adapters[0].publishWithAck(
                Broadcast(arguments: ["e"], options: self.everybody),
                timeout: .seconds(1),
                onClientCount: { _ in },
                onAcknowledgement: { _ in }
            )
        }
        await nodes.close()
    }

    @Test func unreachableRedisIsToldAtOnce() async throws {
        let nodes = NodesOnPaper(count: 2)
        try await nodes.start()
        nodes.redis.setCount { _ in throw RESPError(code: .disconnected, message: "not connected to Redis") }
        for _ in 0..<2 {
            let error = await #expect(throws: ClusterError.self) {
                try await nodes.adapters[0].fetchSockets(self.everybody, timeout: nil)
            }
            #expect(error?.code == .unreachable)
            // Also while only the subscriptions are away: then the count would leave us out.
            nodes.redis.setCount(nil)
            nodes.redis.setAvailable(false, for: "0")
        }
        await nodes.close()
    }

    @Test func countsAreDoubtedAfterAReconnection() async throws {
        let nodes = NodesOnPaper(count: 3)
        try await nodes.start()
        #expect(try await nodes.adapters[0].serverCount() == 3)
        nodes.redis.setAvailable(false, for: "0")
        // Only one of the others is back.
        let present = NIOLockedValueBox(2)
        nodes.redis.setCount { _ in present.withLockedValue { $0 } }
        nodes.redis.setAvailable(true, for: "0")
        nodes.redis.forgetCommands()
        let sockets = Task { try await nodes.adapters[0].fetchSockets(self.everybody, timeout: .hours(1)) }
        await nodes.published(1)
        for _ in 0..<5 {
            await nodes.loop.advanceTime(by: .milliseconds(100))
            #expect(!nodes.redis.published.contains { $0.name == "PUBLISH" })
        }
        present.withLockedValue { $0 = 3 }
        while !nodes.redis.published.contains(where: { $0.name == "PUBLISH" }) {
            await nodes.loop.advanceTime(by: .milliseconds(100))
        }
        #expect(try await Set(sockets.value.map(\.id)) == ["socket-1", "socket-2"])
        await nodes.close()
    }

    @Test func doubtEndsWithTheGrace() async throws {
        let nodes = NodesOnPaper(count: 3)
        try await nodes.start()
        #expect(try await nodes.adapters[0].serverCount() == 3)
        nodes.redis.setAvailable(false, for: "0")
        nodes.redis.setCount { _ in 1 }
        nodes.redis.setAvailable(true, for: "0")
        let isDone = NIOLockedValueBox(false)
        let task = Task {
            defer { isDone.withLockedValue { $0 = true } }
            return try await nodes.adapters[0].serverCount()
        }
        var waited = TimeAmount.zero
        while !isDone.withLockedValue({ $0 }) {
            await nodes.loop.advanceTime(by: .milliseconds(100))
            waited = waited + .milliseconds(100)
            await Task.yield()
        }
        #expect(try await task.value == 1)
        #expect(waited >= .seconds(3))
        await nodes.close()
    }
}
