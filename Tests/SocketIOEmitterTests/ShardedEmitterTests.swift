import NIOConcurrencyHelpers
import NIOCore
import RESP
import SocketIOWire
import Testing

@testable import SocketIOEmitter

/// There is no official emitter for the sharded adapter: this one publishes on the channels and in the envelope of an
/// official node.
@Suite(.timeLimit(.minutes(1)))
struct ShardedEmitterTests {
    private static func published(
        _ mode: Emitter.SubscriptionMode,
        prefix: String = "socket.io",
        _ body: (Emitter) throws -> Void
    ) rethrows -> [EmitterCommand] {
        let commands = NIOLockedValueBox<[EmitterCommand]>([])
        try body(
            Emitter(transport: .sharded(channelPrefix: prefix, subscriptionMode: mode), namespace: "/") { command in
                commands.withLockedValue { $0.append(command) }
                return .sent
            }
        )
        return commands.withLockedValue { $0 }
    }

    private static func command(_ channel: String, _ text: String) -> EmitterCommand {
        .publishSharded(channel: channel, ByteBuffer(string: text))
    }

    private static let socketID = Room("12345678901234567890")

    /// A room's channel is the one that a node of the same mode listens to.
    @Test(arguments: Emitter.SubscriptionMode.allCases)
    func channels(_ mode: Emitter.SubscriptionMode) throws {
        let commands = try Self.published(mode, prefix: "p") { emitter in
            try emitter.emit("e")
            try emitter.to("r").emit("e")
            try emitter.to("r").except("x").emit("e")
            try emitter.to(Self.socketID).emit("e")
            try emitter.to("r", "s").emit("e")
            try emitter.of("admin").to("é").emit("e")
            try emitter.to("r").socketsJoin("s")
            try emitter.to("r").disconnectSockets()
            try emitter.serverSideEmit("e")
        }
        let channels = commands.map { command in
            guard case .publishSharded(let channel, _) = command else { return "not sharded" }
            return channel
        }
        let all = "p#/#"
        let expected: [String] =
            switch mode {
            case .static: [all, all, all, all, all, "p#/admin#", all, all, all]
            case .dynamic: [all, "p#/#r#", "p#/#r#", all, all, "p#/admin#é#", all, all, all]
            case .dynamicPrivate:
                [all, "p#/#r#", "p#/#r#", "p#/#\(Self.socketID.name)#", all, "p#/admin#é#", all, all, all]
            }
        #expect(channels == expected)
    }

    /// A slash with an accent behind it is a slash.
    @Test(arguments: ["\u{301}x", "/\u{301}x"]) func namesAreReadAsBytes(_ namespace: String) throws {
        let commands = try Self.published(.static) { emitter in _ = try emitter.of(namespace).emit("e") }
        var names: [[UInt8]] = []
        for case .publishSharded(let channel, _) in commands { names.append(Array(channel.utf8)) }
        #expect(names == [Array("socket.io#/\u{301}x#".utf8)])
    }

    @Test func texts() throws {
        let commands = try Self.published(.dynamic) { emitter in
            try emitter.to("r").except("x").volatile.emit("hello", 1)
            try emitter.to("r").socketsJoin("s", "t")
            try emitter.to("r").socketsLeave("s")
            try emitter.disconnectSockets(closingConnection: true)
            try emitter.of("/admin").serverSideEmit("io", ["a": 1])
        }
        let all = "socket.io#/#"
        let options = #""opts":{"rooms":["r"],"except":[],"flags":{}}"#
        let end = #""uid":"emitter","nsp":"/"}"#
        #expect(
            commands == [
                Self.command(
                    "socket.io#/#r#",
                    #"{"type":3,"data":{"packet":{"type":2,"data":["hello",1],"nsp":"/"},"#
                        + #""opts":{"rooms":["r"],"flags":{"volatile":true},"except":["x"]}},\#(end)"#
                ),
                Self.command(all, #"{"type":4,"data":{\#(options),"rooms":["s","t"]},\#(end)"#),
                Self.command(all, #"{"type":5,"data":{\#(options),"rooms":["s"]},\#(end)"#),
                Self.command(
                    all,
                    #"{"type":6,"data":{"opts":{"rooms":[],"except":[],"flags":{}},"close":true},\#(end)"#
                ),
                Self.command(
                    "socket.io#/admin#",
                    #"{"type":9,"data":{"packet":["io",{"a":1}]},"uid":"emitter","nsp":"/admin"}"#
                ),
            ]
        )
    }

    /// Bytes make it MessagePack, and a node reads them as what they were.
    @Test func bytes() throws {
        let commands = try Self.published(.static) { try $0.to("r").emit("bin", ByteBuffer(bytes: [1, 2])) }
        guard case .publishSharded(_, let message)? = commands.first else {
            Issue.record("nothing was published")
            return
        }
        let envelope = try ClusterEnvelope(parsing: message)
        #expect(envelope.uid == "emitter")
        #expect(envelope.namespace == "/")
        guard case .broadcast(let broadcast) = envelope.content else {
            Issue.record("\(envelope.content)")
            return
        }
        #expect(broadcast.options?.rooms == ["r"])
        #expect(try broadcast.payload.arguments() == ["bin", .binary(ByteBuffer(bytes: [1, 2]))])
    }
}
