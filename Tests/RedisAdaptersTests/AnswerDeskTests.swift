import MetricsTestKit
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire
import Testing

@testable import RedisAdapters

/// What a node is asked: however often, and however much it would have to tell.
@Suite(.timeLimit(.minutes(1)))
struct AnswerDeskTests {
    private static func answers(_ nodes: NodesOnPaper) -> [JSONValue] {
        nodes.redis.published.compactMap { command in
            guard command.name == "PUBLISH", command.arguments[0].hasPrefix("socket.io-response#/#") else { return nil }
            return try? JSONValue(parsing: ByteBuffer(hexadecimal: command.arguments[1]))
        }
    }

    private static func request(_ id: String, _ type: Int, _ rest: String) -> String {
        #"{"uid":"other","requestId":"\#(id)","type":\#(type)\#(rest)}"#
    }

    @Test(arguments: [(0, #","rooms":[]"#, "sockets"), (1, "", "rooms"), (5, #","opts":{"rooms":[]}"#, "sockets")])
    func largeAnswersAreRefused(_ type: Int, _ rest: String, _ list: String) async throws {
        let nodes = NodesOnPaper(count: 1) { $0.cluster.maximumAnswerBytes = 10 }
        try await nodes.start()
        try nodes.publish(Self.request("x", type, rest))
        await nodes.published(2)
        let answer = try #require(Self.answers(nodes).first)
        // An official node takes it for an empty answer.
        #expect(answer["requestId"] == "x")
        #expect(answer[list] == [])
        #expect(answer["refused"]?.stringValue?.contains("10 bytes") == true)
        #expect(try nodes.metrics.expectCounter("socketio_cluster_answers_refused_total").totalValue == 1)
        await nodes.close()
    }

    @Test func refusalIsAnErrorToWhoeverAsks() async throws {
        let nodes = NodesOnPaper(count: 2) { $0.cluster.maximumAnswerBytes = 10 }
        try await nodes.start()
        let asker = nodes.adapters[0]
        let asked: [@Sendable () async throws -> Void] = [
            { _ = try await asker.fetchSockets(BroadcastOptions(), timeout: nil) },
            { _ = try await asker.allRooms(timeout: nil) },
            { _ = try await asker.findSocket("socket-1", timeout: nil) },
        ]
        for ask in asked {
            let error = await #expect(throws: ClusterError.self) { try await ask() }
            #expect(error?.code == .refused)
            #expect(error?.message.contains("more than 10 bytes") == true)
        }
        // Who has nothing to tell refuses nothing.
        #expect(try await asker.fetchSockets(BroadcastOptions(rooms: ["nobody"]), timeout: nil) == [])
        await nodes.close()
    }

    /// Those who ask the same at the same time share one look at the sockets, and more than fit are refused.
    @Test func floodOfQuestions() async throws {
        let nodes = NodesOnPaper(count: 1)
        try await nodes.start()
        nodes.hosts[0].hold(true)
        for number in 0..<5_000 { try nodes.publish(Self.request("\(number)", 5, #","opts":{"rooms":["r"]}"#)) }
        // Most are refused at once, before anything is looked up.
        _ = await nodes.adapters[0].isIdle
        let refused = Self.answers(nodes).count
        #expect(refused >= 5_000 - 1_024)
        nodes.hosts[0].hold(false)
        await nodes.adapters[0].close()
        let answers = Self.answers(nodes)
        #expect(answers.count == 5_000)
        #expect(Set(answers.compactMap { $0["requestId"]?.stringValue }).count == 5_000)
        #expect(answers.count { $0["refused"] != nil } == refused)
        #expect(nodes.hosts[0].calls.count <= 4)
        await nodes.close()
    }

    /// What waits is bounded in bytes as well.
    @Test func floodOfLongQuestions() async throws {
        let nodes = NodesOnPaper(count: 1)
        try await nodes.start()
        nodes.hosts[0].hold(true)
        for number in 0..<100 {
            let rooms = #","opts":{"rooms":["\#(number)","\#(String(repeating: "x", count: 100_000))"]}"#
            try nodes.publish(Self.request("\(number)", 5, rooms))
        }
        _ = await nodes.adapters[0].isIdle
        #expect(Self.answers(nodes).count >= 55)
        nodes.hosts[0].hold(false)
        await nodes.adapters[0].close()
        #expect(Self.answers(nodes).count == 100)
        await nodes.close()
    }
}
