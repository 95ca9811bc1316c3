import MetricsTestKit
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import OrderedCollections
import SocketIOWire
import Testing

@testable import RedisAdapters
@testable import SocketIOServer

/// What a node asks the others: together with others who ask, and no longer than it has to.
@Suite(.timeLimit(.minutes(1)))
struct QuestionTests {
    private let everybody = BroadcastOptions()

    private static func requests(_ nodes: NodesOnPaper) -> [JSONValue] {
        nodes.redis.published.compactMap { command in
            guard command.name == "PUBLISH", command.arguments[0] == "socket.io-request#/#" else { return nil }
            return try? JSONValue(parsing: ByteBuffer(hexadecimal: command.arguments[1]))
        }
    }

    private static func counts(_ nodes: NodesOnPaper) -> Int { nodes.redis.published.count { $0.name == "PUBSUB" } }

    /// Lets everything happen that needs no time, until something is the case.
    private static func settle(_ nodes: NodesOnPaper, until isDone: () async -> Bool) async {
        while await !isDone() {
            await nodes.loop.run()
            await Task.yield()
        }
    }

    private static func socket(_ id: String) -> String {
        #"{"id":"\#(id)","handshake":{},"rooms":["\#(id)"],"data":{}}"#
    }

    private static func answer(_ id: String, _ sockets: String...) -> String {
        #"{"requestId":"\#(id)","sockets":[\#(sockets.map(self.socket).joined(separator: ","))]}"#
    }

    // MARK: Together

    @Test func equalQuestionsAreAskedOnce() async throws {
        let nodes = NodesOnPaper(count: 1)
        try await nodes.start()
        nodes.redis.setCount { _ in 2 }
        let adapter = nodes.adapters[0]
        let options = BroadcastOptions(rooms: ["r"])
        let first = Task { try await adapter.fetchSockets(options, timeout: nil) }
        await Self.settle(nodes) { Self.requests(nodes).count == 1 }
        // They come while it is under way: what they have done before might be missing in its answers.
        let others = (0..<100).map { _ in Task { try await adapter.fetchSockets(options, timeout: nil) } }
        let different = Task { try await adapter.fetchSockets(BroadcastOptions(rooms: ["s"]), timeout: nil) }
        await Self.settle(nodes) {
            let waiting = await adapter.waiting
            return Self.requests(nodes).count == 2 && waiting == 102
        }
        #expect(Self.requests(nodes)[1]["opts"]?["rooms"] == ["s"])
        try nodes.publish(Self.answer("re-0-2", "d"), on: "socket.io-response#/#")
        #expect(try await different.value.map(\.id) == ["d"])
        try nodes.publish(Self.answer("re-0-1", "a"), on: "socket.io-response#/#")
        #expect(try await first.value.map(\.id) == ["a"])
        await Self.settle(nodes) { Self.requests(nodes).count == 3 }
        try nodes.publish(Self.answer("re-0-3", "a", "b"), on: "socket.io-response#/#")
        for other in others { #expect(try await other.value.map(\.id) == ["a", "b"]) }
        #expect(Self.requests(nodes).count == 3)
        #expect(Self.counts(nodes) <= 3)
        #expect(await adapter.isIdle)
        await nodes.close()
    }

    /// A node that does not answer keeps nobody else waiting for long.
    @Test func nextQuestionWaitsOnlyAMoment() async throws {
        let nodes = NodesOnPaper(count: 1)
        try await nodes.start()
        nodes.redis.setCount { _ in 2 }
        let adapter = nodes.adapters[0]
        let first = Task { try? await adapter.allRooms(timeout: .seconds(5)) }
        await Self.settle(nodes) { Self.requests(nodes).count == 1 }
        let second = Task { try await adapter.allRooms(timeout: .seconds(5)) }
        await Self.settle(nodes) { await adapter.waiting == 2 }
        await nodes.loop.advanceTime(by: .milliseconds(250))
        await Self.settle(nodes) { Self.requests(nodes).count == 2 }
        try nodes.publish(#"{"requestId":"re-0-2","rooms":["x"]}"#, on: "socket.io-response#/#")
        #expect(try await second.value == ["x"])
        first.cancel()
        _ = await first.value
        await nodes.close()
    }

    @Test func countsAreShared() async throws {
        let nodes = NodesOnPaper(count: 1)
        try await nodes.start()
        let isOpen = NIOLockedValueBox(false)
        nodes.redis.setCountGate { isOpen.withLockedValue { $0 } }
        let adapter = nodes.adapters[0]
        let counts = (0..<50).map { _ in Task { try await adapter.serverCount() } }
        await Self.settle(nodes) { await adapter.counting == 50 }
        isOpen.withLockedValue { $0 = true }
        for count in counts { #expect(try await count.value == 1) }
        // The first one, and one for all who have come while it was under way: that one may be older than what they know.
        #expect(Self.counts(nodes) == 2)
        await nodes.close()
    }

    // MARK: Searches

    /// Many search for sockets: few commands, and each search ends with the node that has its socket.
    @Test func searchesAreAskedTogether() async throws {
        let nodes = NodesOnPaper(count: 1)
        try await nodes.start()
        // One of them has frozen.
        nodes.redis.setCount { _ in 3 }
        let adapter = nodes.adapters[0]
        let first = Task { try await adapter.findSocket("a", timeout: .seconds(5)) }
        await Self.settle(nodes) { Self.requests(nodes).count == 1 }
        let others = (0..<50).map { number in
            Task { try await adapter.findSocket("s\(number)", timeout: .seconds(5)) }
        }
        await Self.settle(nodes) { await adapter.waiting == 51 }
        try nodes.publish(Self.answer("re-0-1", "a"), on: "socket.io-response#/#")
        #expect(try await first.value?.id == "a")
        await nodes.loop.advanceTime(by: .milliseconds(10))
        await Self.settle(nodes) { Self.requests(nodes).count == 2 }
        #expect(Self.requests(nodes)[1]["opts"]?["rooms"]?.arrayValue?.count == 50)
        let found = (0..<49).map { Self.socket("s\($0)") }.joined(separator: ",")
        try nodes.publish(#"{"requestId":"re-0-2","sockets":[\#(found)]}"#, on: "socket.io-response#/#")
        for number in 0..<49 { #expect(try await others[number].value?.id == "s\(number)") }
        // Nobody has said that it has the last one, and not everybody has said that it hasn't.
        await nodes.loop.advanceTime(by: .seconds(5))
        let error = await #expect(throws: ClusterError.self) { try await others[49].value }
        #expect(error?.code == .timeout)
        #expect(error?.message.contains("only 1 responses received out of 2") == true)
        #expect(error?.missing == [ClusterNode()])
        #expect(Self.requests(nodes).count == 2)
        await nodes.close()
    }

    @Test func whoIsOnlyInARoomOfThatNameIsNotFound() async throws {
        let nodes = NodesOnPaper(count: 1)
        try await nodes.start()
        nodes.redis.setCount { _ in 2 }
        let adapter = nodes.adapters[0]
        let search = Task { try await adapter.findSocket("wanted", timeout: nil) }
        await Self.settle(nodes) { Self.requests(nodes).count == 1 }
        #expect(Self.requests(nodes)[0]["opts"] == ["rooms": ["wanted"], "except": []])
        let member = #"{"id":"other","handshake":{},"rooms":["other","wanted"],"data":{}}"#
        try nodes.publish(#"{"requestId":"re-0-1","sockets":[\#(member)]}"#, on: "socket.io-response#/#")
        #expect(try await search.value == nil)
        await nodes.close()
    }

    // MARK: Which answers count

    @Test(arguments: [
        #"{"requestId":"re-0-1","rooms":["r"]}"#, #"{"type":8,"requestId":"re-0-1","clientCount":0}"#,
        #"{"type":6,"requestId":"re-0-1","data":1}"#, #"{"requestId":"re-0-1","data":[]}"#,
        #"{"type":1,"requestId":"re-0-1","sockets":[]}"#, #"{"type":9,"requestId":"re-0-1"}"#,
    ])
    func answersOfAnotherKind(_ text: String) async throws {
        let nodes = NodesOnPaper(count: 1)
        try await nodes.start()
        nodes.redis.setCount { _ in 2 }
        let adapter = nodes.adapters[0]
        let sockets = Task { try await adapter.fetchSockets(self.everybody, timeout: nil) }
        await Self.settle(nodes) { Self.requests(nodes).count == 1 }
        try nodes.publish(text, on: "socket.io-response#/#")
        #expect(await !adapter.isIdle)
        #expect(nodes.rejected("unexpected_shape") == 1)
        #expect(await adapter.collectedBytes == 0)
        try nodes.publish(Self.answer("re-0-1", "a"), on: "socket.io-response#/#")
        #expect(try await sockets.value.map(\.id) == ["a"])
        await nodes.close()
    }

    @Test func repeatedAnswersCountOnce() async throws {
        let nodes = NodesOnPaper(count: 1)
        try await nodes.start()
        nodes.redis.setCount { _ in 3 }
        let adapter = nodes.adapters[0]
        let sockets = Task { try await adapter.fetchSockets(self.everybody, timeout: nil) }
        await Self.settle(nodes) { Self.requests(nodes).count == 1 }
        for _ in 0..<3 { try nodes.publish(Self.answer("re-0-1", "a", "b"), on: "socket.io-response#/#") }
        #expect(await !adapter.isIdle)
        try nodes.publish(Self.answer("re-0-1", "c"), on: "socket.io-response#/#")
        #expect(try await sockets.value.map(\.id) == ["a", "b", "c"])

        let rooms = Task { try await adapter.allRooms(timeout: nil) }
        await Self.settle(nodes) { Self.requests(nodes).count == 2 }
        try nodes.publish(#"{"requestId":"re-0-2","rooms":["x","a"]}"#, on: "socket.io-response#/#")
        try nodes.publish(#"{"requestId":"re-0-2","rooms":["a","x"]}"#, on: "socket.io-response#/#")
        #expect(await !adapter.isIdle)
        try nodes.publish(#"{"requestId":"re-0-2","rooms":["x","c"]}"#, on: "socket.io-response#/#")
        #expect(try await rooms.value == ["x", "a", "c"])
        await nodes.close()
    }

    @Test func reportsOfMoreNodesThanThereAre() async throws {
        let nodes = NodesOnPaper(count: 1)
        try await nodes.start()
        let isOpen = NIOLockedValueBox(false)
        nodes.redis.setCount { _ in 2 }
        nodes.redis.setCountGate { isOpen.withLockedValue { $0 } }
        let adapter = nodes.adapters[0]
        let counts = NIOLockedValueBox<[Int]>([])
        let others = Task {
            try await adapter.publishWithAck(
                Broadcast(arguments: ["e"], options: self.everybody),
                timeout: .seconds(5),
                onClientCount: { count in counts.withLockedValue { $0.append(count) } },
                onAcknowledgement: { _ in }
            )
        }
        await Self.settle(nodes) { nodes.redis.published.contains { $0.name == "PUBLISH" } }
        // Before the nodes are counted, and after.
        let report = #"{"type":8,"requestId":"re-0-1","clientCount":1}"#
        for _ in 0..<3 { try nodes.publish(report, on: "socket.io-response#/#") }
        isOpen.withLockedValue { $0 = true }
        #expect(try await others.value.nodes == 1)
        try nodes.publish(report, on: "socket.io-response#/#")
        #expect(counts.withLockedValue { $0 } == [1])
        await nodes.close()
    }

    // MARK: Bounds

    @Test func answersThatTakeTooMuch() async throws {
        let nodes = NodesOnPaper(count: 1) { $0.cluster.maximumCollectedBytes = 1_000 }
        try await nodes.start()
        nodes.redis.setCount { _ in 9 }
        let adapter = nodes.adapters[0]
        let sockets = Task { try await adapter.fetchSockets(self.everybody, timeout: nil) }
        await Self.settle(nodes) { Self.requests(nodes).count == 1 }
        try nodes.publish(Self.answer("re-0-1", "a"), on: "socket.io-response#/#")
        #expect(await adapter.collectedBytes > 0)
        let many = (0..<30).map { Self.socket("s\($0)") }.joined(separator: ",")
        try nodes.publish(#"{"requestId":"re-0-1","sockets":[\#(many)]}"#, on: "socket.io-response#/#")
        let error = await #expect(throws: ClusterError.self) { try await sockets.value }
        #expect(error?.code == .refused)
        #expect(error?.message.contains("1000 bytes") == true)
        #expect(error?.partialSockets.map(\.id) == ["a"])
        #expect(await adapter.collectedBytes == 0)
        #expect(await adapter.isIdle)
        await nodes.close()
    }

    @Test func budgetIsGivenBack() async throws {
        let nodes = NodesOnPaper(count: 1)
        try await nodes.start()
        nodes.redis.setCount { _ in 3 }
        let adapter = nodes.adapters[0]
        // Answered, timed out, cancelled, closed.
        for end in 0..<4 {
            let sockets = Task { try await adapter.fetchSockets(self.everybody, timeout: .seconds(5)) }
            await Self.settle(nodes) { Self.requests(nodes).count == end + 1 }
            let id = "re-0-\(end + 1)"
            try nodes.publish(Self.answer(id, "a"), on: "socket.io-response#/#")
            #expect(await adapter.collectedBytes > 0)
            switch end {
            case 0: try nodes.publish(Self.answer(id, "b"), on: "socket.io-response#/#")
            case 1:
                await nodes.loop.advanceTime(by: .seconds(5))
                // Late, but it speaks: it is waited for again.
                try nodes.publish(Self.answer(id, "b"), on: "socket.io-response#/#")
            case 2: sockets.cancel()
            default: await adapter.close()
            }
            _ = await sockets.result
            #expect(await adapter.collectedBytes == 0)
        }
        await nodes.close()
    }

    // MARK: Nodes that don't answer

    /// A node that has frozen costs one timeout; after that it is asked, and not waited for, until it speaks again.
    @Test func silentNodeCostsOneTimeout() async throws {
        let nodes = NodesOnPaper(count: 1)
        try await nodes.start()
        nodes.redis.setCount { _ in 3 }
        let adapter = nodes.adapters[0]
        func ask(_ number: Int) async -> Task<[SocketDescription], any Error> {
            let task = Task { try await adapter.fetchSockets(self.everybody, timeout: .seconds(5)) }
            await Self.settle(nodes) { Self.requests(nodes).count == number }
            try? nodes.publish(Self.answer("re-0-\(number)", "a"), on: "socket.io-response#/#")
            return task
        }
        let first = await ask(1)
        #expect(await !adapter.isIdle)
        await nodes.loop.advanceTime(by: .seconds(5))
        #expect(await #expect(throws: ClusterError.self) { try await first.value }?.code == .timeout)
        // At once, with what came, and with who is missing.
        let error = await #expect(throws: ClusterError.self) { try await ask(2).value }
        #expect(error?.code == .incomplete)
        #expect(error?.partialSockets.map(\.id) == ["a"])
        #expect(error?.missing == [ClusterNode()])
        // It answers late: it speaks again, and is waited for.
        try nodes.publish(Self.answer("re-0-2", "b"), on: "socket.io-response#/#")
        let third = await ask(3)
        #expect(await !adapter.isIdle)
        try nodes.publish(Self.answer("re-0-3", "b"), on: "socket.io-response#/#")
        #expect(try await third.value.map(\.id) == ["a", "b"])
        await nodes.close()
    }

    @Test func tooManyQuestions() async throws {
        let nodes = NodesOnPaper(count: 1) { $0.cluster.maximumQuestions = 3 }
        try await nodes.start()
        nodes.redis.setCount { _ in 2 }
        let adapter = nodes.adapters[0]
        let waiting = (0..<3).map { _ in Task { try? await adapter.allRooms(timeout: nil) } }
        await Self.settle(nodes) { await adapter.waiting == 3 }
        let error = await #expect(throws: ClusterError.self) { try await adapter.findSocket("x", timeout: nil) }
        #expect(error?.code == .refused)
        await adapter.close()
        for task in waiting { #expect(await task.value == nil) }
        await nodes.close()
    }
}
