import Logging
import Metrics
import MetricsTestKit
import NIOCore
import NIOEmbedded
import RESP
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import RedisAdapters

/// Broken and hostile entries and messages: dropped, counted by reason, and nothing else is touched.
@Suite(.timeLimit(.minutes(1)))
struct StreamsHostileTests {
    private static func metric(_ reason: String, _ metrics: TestMetrics) -> Int64 {
        let label = "socketio_cluster_messages_rejected_total"
        return (try? metrics.expectCounter(label, [("reason", reason)]).totalValue) ?? 0
    }

    /// Runs one node, and returns what its clients got besides the event that comes last.
    private func run(_ body: (InProcessStreams) -> Void) async throws -> (lines: [String], metrics: TestMetrics) {
        let (loop, redis, metrics) = (NIOAsyncTestingEventLoop(), InProcessStreams(), TestMetrics())
        let host = LogHost(eventLoop: loop)
        let factory = StreamsAdapterFactory(
            configuration: StreamsAdapterConfiguration(),
            bus: redis.bus("A", on: loop),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            metricsFactory: metrics
        )
        let adapter = factory.makeAdapter(for: host)
        try await adapter.start()
        host.forget()
        body(redis)
        let last = #"{"packet":{"type":2,"data":["last"]},"opts":{"rooms":[],"except":[],"flags":{}}}"#
        redis.add(["uid", "x", "nsp", "/", "type", "3", "data", last])
        await loop.run()
        await adapter.close()
        var lines = host.lines
        let end = lines.popLast()
        #expect(end?.hasSuffix("42[\"last\"]") == true)
        return (lines, metrics)
    }

    static let entries: [(fields: [String], reason: String?)] = [
        (["x", "y"], "unexpected_shape"),
        (["uid", "a"], "unexpected_shape"),
        (["uid", "a", "nsp", "", "type", "3"], "unexpected_shape"),
        (["uid", "a", "nsp", "/"], "unexpected_shape"),
        (["uid", "a", "nsp", "/", "type", "x"], "unexpected_shape"),
        (["uid", "a", "nsp", "/", "type", "99999999999999999999"], "unexpected_shape"),
        (["uid", "a", "nsp", "/", "type", "77"], "unknown_type"),
        (["uid", "a", "nsp", "/", "type", "-3"], "unknown_type"),
        (["uid", "a", "nsp", "/", "type", "3"], "unexpected_shape"),
        (["uid", "a", "nsp", "/", "type", "3", "data", ""], "unexpected_shape"),
        (["uid", "a", "nsp", "/", "type", "3", "data", "{"], "undecodable"),
        (["uid", "a", "nsp", "/", "type", "3", "data", "null"], "undecodable"),
        (["uid", "a", "nsp", "/", "type", "3", "data", "%%%%"], "undecodable"),
        (["uid", "a", "nsp", "/", "type", "3", "data", "{}"], "unexpected_shape"),
        (["uid", "a", "nsp", "/", "type", "3", "data", #"{"packet":{"type":2,"data":["e"]}}"#], "unexpected_shape"),
        (
            [
                "uid", "a", "nsp", "/", "type", "3", "data",
                #"{"packet":{"type":2,"data":["e"]},"opts":{"rooms":7}}"#,
            ], "unexpected_shape"
        ),
        (
            [
                "uid", "a", "nsp", "/", "type", "3", "data",
                #"{"packet":{"type":2,"data":[]},"opts":{"rooms":[]}}"#,
            ], "unexpected_shape"
        ),
        (
            [
                "uid", "a", "nsp", "/", "type", "3", "data",
                #"{"packet":{"type":2,"data":["connect"]},"opts":{"rooms":[]}}"#,
            ], "unexpected_shape"
        ),
        (["uid", "a", "nsp", "/", "type", "4", "data", #"{"opts":{"rooms":[]}}"#], "unexpected_shape"),
        (["uid", "a", "nsp", "/", "type", "5", "data", "[]"], "undecodable"),
        (["uid", "a", "nsp", "/", "type", "6", "data", "{}"], "unexpected_shape"),
        (["uid", "a", "nsp", "/", "type", "9", "data", #"{"packet":[]}"#], "unexpected_shape"),
        (["uid", "a", "nsp", "/", "type", "8", "data", "{}"], "unexpected_shape"),
        (
            [
                "uid", "a", "nsp", "/", "type", "3", "data",
                "{\"packet\":" + String(repeating: "[", count: 100_000),
            ], "undecodable"
        ),
        // Nothing wrong: nodes of version 0.2, an entry of nobody here, an answer to nobody's question.
        (["uid", "a", "nsp", "/", "type", "1"], nil),
        (["uid", "a", "nsp", "/", "type", "2"], nil),
        (["uid", "a", "nsp", "/", "type", "13"], nil),
        (["uid", "a", "nsp", "/elsewhere", "type", "3", "data", "{"], nil),
        (["uid", "a", "nsp", "/", "type", "8", "data", #"{"requestId":"x","sockets":[]}"#], nil),
        (["uid", "a", "nsp", "/", "type", "11", "data", #"{"requestId":"x","clientCount":1}"#], nil),
    ]

    @Test(arguments: Self.entries.indices) func entry(_ index: Int) async throws {
        let (fields, reason) = Self.entries[index]
        let (lines, metrics) = try await self.run { redis in
            redis.add(fields)
        }
        #expect(lines == [])
        for name in ClusterProtocolError.Reason.allCases.map(\.rawValue) {
            #expect(Self.metric(name, metrics) == (name == reason ? 1 : 0), "\(fields) \(name)")
        }
    }

    /// Nodes of version 0.2 ask in the stream; they are answered over channels, as official nodes of version 0.3 do.
    @Test func questionInTheStream() async throws {
        let cluster = try LogCluster(1)
        try await cluster[0].adapter.start()
        cluster.redis.redis.forgetCommands()
        let opts = #""opts":{"rooms":[],"except":[],"flags":{}}"#
        for (type, data) in [
            ("7", "{\(opts),\"requestId\":\"r7\"}"), ("9", #"{"packet":["sse",1],"requestId":"r9"}"#),
            ("3", "{\"packet\":{\"type\":2,\"data\":[\"e\"]},\"requestId\":\"r3\",\(opts)}"),
        ] {
            cluster.redis.add(["uid", "old", "nsp", "/", "type", type, "data", data])
        }
        await cluster.settle()
        let answers = cluster.redis.sentCommands.filter { $0.name == "PUBLISH" }
        #expect(answers.map { $0.arguments[0] } == Array(repeating: "socket.io#/#old#", count: 2))
        #expect(cluster[0].host.lines.contains("serverside [\"sse\",1]"))
        #expect(cluster[0].host.lines.contains("asked [\"e\"]"))
        await cluster[0].adapter.close()
    }

    /// Random bytes on every channel and as every field.
    @Test func randomBytes() async throws {
        var generator = SeededGenerator(seed: 8)
        func bytes(_ length: Int) -> ByteBuffer {
            ByteBuffer(bytes: (0..<length).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
        }
        let uid = StreamsAdapterConfiguration().makeID()
        let (lines, _) = try await self.run { redis in
            for length in 0..<150 {
                for channel in ["socket.io#/#", "socket.io#/#\(uid)#"] {
                    redis.execute("x", [ByteBuffer(string: "PUBLISH"), ByteBuffer(string: channel), bytes(length)])
                }
                for type in 1...13 {
                    let words = ["XADD", "socket.io", "*", "uid", "x", "nsp", "/", "type", "\(type)", "data"]
                    redis.execute("x", words.map { ByteBuffer(string: $0) } + [bytes(length)])
                }
            }
        }
        // Nothing of that addresses everybody by accident.
        #expect(lines.allSatisfy { !$0.hasPrefix("disconnects") })
    }

    /// A message for another namespace on this one's channel, and one of this node's own that somebody sends again.
    @Test func strayMessages() async throws {
        let encoder = ClusterEncoder(uid: "x", namespace: "/other")
        let (lines, metrics) = try await self.run { redis in
            let message = encoder.published(.serverSideEmit(["e"], requestID: nil))
            redis.execute("x", [ByteBuffer(string: "PUBLISH"), ByteBuffer(string: "socket.io#/#"), message])
        }
        #expect(lines == [])
        #expect(Self.metric("wrong_channel", metrics) == 1)
    }

    /// Somebody writes entries in this node's name: they are not sent to its clients, and nothing else goes wrong.
    @Test func forgedOwnEntries() async throws {
        try await LogCluster.run { cluster in
            let data = #"{"packet":{"type":2,"data":["forged"]},"opts":{"rooms":[],"except":[],"flags":{}}}"#
            for data in [data, "{", "", "%"] {
                cluster.redis.add(["uid", "uid of A", "nsp", "/", "type", "3", "data", data])
            }
            cluster[0].publish("a")
            await cluster.settle()
            #expect(cluster[0].host.lines == ["late 1000-1 42[\"forged\"]", "own 1000-5 a"])
        }
    }
}
