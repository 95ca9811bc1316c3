import MetricsTestKit
import NIOCore
import NIOEmbedded
import OrderedCollections
import RESP
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import RedisAdapters

/// What a node of a cluster ignores and refuses stands in its log: a line at once, and one a minute with the count.
@Suite(.timeLimit(.minutes(1)))
struct ClusterIncidentTests {
    /// Something that others do, or that Redis does.
    enum Incident: CaseIterable, Sendable {
        case rubbish, unknownType, wrongNamespace, rubbishForLeases, tooManyNodes, longAnswers, rubbishInTheStream
        case sessionForEverybody, questionWithoutAName, fullRedis

        /// How the line begins.
        var line: String {
            switch self {
            case .rubbish, .unknownType, .wrongNamespace, .rubbishForLeases, .tooManyNodes, .rubbishInTheStream,
                .sessionForEverybody:
                "info Messages of other nodes were ignored "
            case .longAnswers, .questionWithoutAName: "info Questions of other nodes were not answered "
            case .fullRedis: "info What other nodes should get was not handed to the broker "
            }
        }

        var reason: String {
            switch self {
            case .rubbish: "undecodable"
            case .unknownType: "unknown_type"
            case .wrongNamespace, .sessionForEverybody: "wrong_channel"
            case .rubbishForLeases, .tooManyNodes, .rubbishInTheStream: "unexpected_shape"
            case .longAnswers: "too_long"
            case .questionWithoutAName: "nameless"
            case .fullRedis: "message_refused"
            }
        }

        enum Kind { case classic, sharded, streams }

        var kind: Kind {
            switch self {
            case .rubbish, .rubbishForLeases, .tooManyNodes, .longAnswers, .fullRedis: .classic
            case .unknownType, .wrongNamespace: .sharded
            case .rubbishInTheStream, .sessionForEverybody, .questionWithoutAName: .streams
            }
        }
    }

    /// A node, and whoever else may publish.
    private struct Node {
        let loop = NIOAsyncTestingEventLoop()
        let redis = InProcessStreams()
        let lines = LogLines()
        let metrics = TestMetrics()
        let adapter: any Adapter

        init(_ kind: Incident.Kind) {
            let host = FakeHost(eventLoop: self.loop)
            let (bus, logger) = (self.redis.bus("A", on: self.loop), self.lines.logger(.info))
            let room = SocketDescription(id: "s", handshake: [:], rooms: ["s", "a room with a name"], data: [:])
            host.add([FakeHost.FakeSocket(name: "s", description: room)])
            switch kind {
            case .classic:
                var configuration = PubSubAdapterConfiguration()
                configuration.cluster.maximumAnswerBytes = 10
                self.adapter = PubSubAdapterFactory(
                    configuration: configuration,
                    bus: bus,
                    logger: logger,
                    metricsFactory: self.metrics
                ).makeAdapter(for: host)
            case .sharded:
                self.adapter = ShardedAdapterFactory(
                    configuration: ShardedAdapterConfiguration(),
                    bus: bus,
                    logger: logger,
                    metricsFactory: self.metrics
                ).makeAdapter(for: host)
            case .streams:
                self.adapter = StreamsAdapterFactory(
                    configuration: StreamsAdapterConfiguration(),
                    bus: bus,
                    logger: logger,
                    metricsFactory: self.metrics
                ).makeAdapter(for: host)
            }
        }

        func publish(_ channel: BusChannel, _ message: ByteBuffer) {
            try? self.redis.redis.publish("other", channel, message)
        }

        func publish(_ channel: BusChannel, _ text: String) { self.publish(channel, ByteBuffer(string: text)) }

        func cause(_ incident: Incident, _ number: Int) {
            switch incident {
            case .rubbish: self.publish(.plain("socket.io-request#/#"), "rubbish \(number)")
            case .unknownType: self.publish(.sharded("socket.io#/#"), #"{"uid":"x","nsp":"/","type":99,"data":{}}"#)
            case .wrongNamespace:
                self.publish(.sharded("socket.io#/#"), #"{"uid":"x","nsp":"/other","type":1,"data":{}}"#)
            case .rubbishForLeases: self.publish(.plain("socket.io-response#/#nodes#"), "rubbish \(number)")
            case .tooManyNodes:
                // The first ones fill the table.
                for extra in 0..<(number == 0 ? 10_001 : 1) {
                    let lease = Lease(node: UTF8Text("\(number)-\(extra)"), address: nil, version: 1, namespaces: [:])
                    self.publish(.plain("socket.io-response#/#nodes#"), lease.message)
                }
            case .longAnswers:
                let question = #"{"uid":"x","requestId":"\#(number)","type":1}"#
                self.publish(.plain("socket.io-request#/#"), question)
            case .rubbishInTheStream: self.redis.add(["uid", "x", "rubbish", "\(number)"])
            case .sessionForEverybody:
                let message = SessionMessage.take(requestID: "r", node: "x", session: "s").encoded
                self.publish(.plain("socket.io#/#"), message)
            case .questionWithoutAName:
                let question: JSONValue = [
                    "type": 7, "nsp": "/", "data": ["requestId": "r", "opts": ["rooms": [], "except": []]],
                ]
                var message = ByteBuffer()
                message.writeMessagePack(question, as: .msgpack)
                self.publish(.plain("socket.io#/#"), message)
            case .fullRedis: self.adapter.addSockets(BroadcastOptions(), rooms: ["r"])
            }
        }

        func take() -> [String] { self.lines.take().filter { $0.contains(" count=") } }
    }

    @Test(arguments: Incident.allCases) func lineAtOnceAndOneAMinute(_ incident: Incident) async throws {
        let node = Node(incident.kind)
        try await node.adapter.start()
        _ = node.lines.take()
        if incident == .fullRedis { node.redis.redis.setPublishError(RESPError(code: .queueFull, message: "full")) }
        node.cause(incident, 0)
        await node.loop.run()
        let first = node.take()
        #expect(first.count == 1)
        #expect(first.first?.hasPrefix(incident.line) == true, "\(first)")
        #expect(first.first?.contains(" count=1 ") == true, "\(first)")
        #expect(first.first?.contains(" reason=\(incident.reason)") == true, "\(first)")

        for number in 1...100 { node.cause(incident, number) }
        await node.loop.run()
        #expect(node.take() == [])
        await node.loop.advanceTime(by: .seconds(61))
        let second = node.take().filter { $0.contains("reason=\(incident.reason)") }
        #expect(second.count == 1)
        #expect(second.first?.contains("count=100 ") == true, "\(second)")
        node.redis.redis.setPublishError(nil)
        await node.adapter.close()
        await node.loop.run()
        await node.loop.shutdownGracefully()
    }
}
