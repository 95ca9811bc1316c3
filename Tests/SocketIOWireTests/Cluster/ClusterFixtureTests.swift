import NIOCore
import SocketIOWire
import Testing

/// Everything that official nodes and emitters of the sharded and streams adapters were seen to send: a Swift node writes
/// the same bytes, and understands them.
struct ClusterFixtureTests {
    @Test func fixturesAreRead() {
        let counts = [
            ClusterRecord.shardedMessages, ClusterRecord.publishedMessages, ClusterRecord.entries,
            ClusterRecord.emitted,
        ].map(\.count)
        #expect(counts == [306, 113, 96, 12])
    }

    @Test(arguments: ClusterRecord.shardedMessages)
    func sharded(_ record: ClusterRecord) throws {
        let message = try #require(record.message)
        let encoder = record.encoder
        #expect(encoder.sharded(message) == record.payload)
        if message.isResponse {
            let reply = encoder.shardedReply(message)
            #expect(reply.message(requestID: record.data["requestId"]) == record.payload)
        }
        let envelope = try ClusterEnvelope(parsing: record.payload)
        #expect(envelope.uid == UTF8Text(record.uid))
        #expect(envelope.namespace == UTF8Text(record.namespace))
        try record.check(envelope.content)
        // Where it was published.
        let channels = ClusterChannels(
            prefix: record.options["channelPrefix"]?.stringValue ?? "socket.io",
            namespace: record.namespace
        )
        let mode = try #require(
            ShardedSubscriptionMode(rawValue: record.options["subscriptionMode"]?.stringValue ?? "dynamic")
        )
        let requestChannel = mode.roomChannel(of: message).map { channels.room($0) } ?? channels.namespace
        let responseChannel = channels.responses(to: try Self.asker(of: record))
        #expect(record.channel == (message.isResponse ? responseChannel : requestChannel))
    }

    @Test(arguments: ClusterRecord.publishedMessages)
    func published(_ record: ClusterRecord) throws {
        let message = try #require(record.message)
        #expect(record.encoder.published(message) == record.payload)
        if message.isResponse {
            let reply = record.encoder.publishedReply(message)
            #expect(reply.message(requestID: record.data["requestId"]) == record.payload)
        }
        let envelope = try ClusterEnvelope(parsing: record.payload)
        #expect(envelope.uid == UTF8Text(record.uid))
        #expect(envelope.namespace == UTF8Text(record.namespace))
        try record.check(envelope.content)
        let channels = ClusterChannels(
            prefix: record.options["channelPrefix"]?.stringValue ?? "socket.io",
            namespace: record.namespace
        )
        let expected = message.isResponse ? channels.responses(to: try Self.asker(of: record)) : channels.namespace
        #expect(record.channel == expected)
    }

    /// The uid in the name of the channel that an answer was published to; empty for a request.
    private static func asker(of record: ClusterRecord) throws -> String {
        let parts = try #require(record.channel).split(separator: "#", omittingEmptySubsequences: false)
        return parts.count == 4 ? String(parts[2]) : ""
    }

    @Test(arguments: ClusterRecord.entries + ClusterRecord.emitted)
    func entries(_ record: ClusterRecord) throws {
        let message = try #require(record.message)
        let onlyPlaintext = record.options["onlyPlaintext"]?.boolValue ?? false
        #expect(record.encoder.entry(message, onlyPlaintext: onlyPlaintext) == record.fields)
        let entry = try StreamEntry(fields: record.fields)
        #expect(entry.uid == UTF8Text(record.uid))
        #expect(entry.isFrom(text(record.uid)))
        #expect(!entry.isFrom(text("other")))
        #expect(entry.namespace == UTF8Text(record.namespace))
        #expect(entry.type.rawValue == record.type)
        try record.check(entry.content())
        // Which stream it was added to.
        let name = StreamName(
            record.options["streamName"]?.stringValue ?? "socket.io",
            count: record.options["streamCount"]?.intValue ?? 1
        )
        #expect(record.stream == name.stream(of: record.namespace))
        #expect(name.allStreams.contains(name.stream(of: record.namespace)))
    }

    /// Bytes of a Swift node in plain text are what Node makes of a `Buffer`.
    @Test func onlyPlaintext() throws {
        let nested: JSONValue = ["a": .binary(hex("01")), "b": [["0": 2, "1": 3], [:]], "c": "text"]
        let entry = ClusterEncoder(uid: "a", namespace: "/").entry(
            .broadcast(["bin", nested, .binary(ByteBuffer())], BroadcastOptions(), requestID: nil),
            onlyPlaintext: true
        )
        let plain = ClusterRecord.entries.filter { $0.options["onlyPlaintext"] == true }
        let recorded = plain.filter { $0.name.contains("binary-nested") }
        #expect(recorded.map { $0.fields[7] } == [entry[7]])
    }

    @Test func streams() throws {
        for value in ClusterRecord.streams["streamOfNamespace"]?["values"]?.arrayValue ?? [] {
            let namespace = try #require(value["nsp"]?.stringValue)
            for count in [3, 4] {
                let expected = value["streamCount\(count)"]?.stringValue
                #expect(StreamName("socket.io", count: count).stream(of: namespace) == expected)
            }
        }
        let names = StreamName("s", count: 3)
        #expect(names.allStreams == ["s--2", "s--1", "s-0", "s-1", "s-2"])
        #expect(names.officialStreams == ["s-0", "s-1", "s-2"])
        #expect(StreamName("s", count: 0).allStreams == ["s"])
        #expect(StreamName("s").stream(of: "/my-namespace") == "s")
    }

    @Test func sessions() throws {
        let sessions = ClusterRecord.streams["sessions"]?.arrayValue ?? []
        let commands = sessions.flatMap { $0["records"]?.arrayValue ?? [] }.flatMap { $0["commands"]?.arrayValue ?? [] }
        let kept = commands.filter { $0["command"] == "SET" }
        #expect(kept.count == 5)
        for command in kept {
            let recorded = text(try #require(command["args"]?[1]?.stringValue))
            let session = try StreamSession(parsing: recorded)
            #expect(session.text == recorded)
            #expect(session.socketID.string == command["decodedValue"]?["sid"]?.stringValue)
            #expect(session.sessionID.string == command["decodedValue"]?["pid"]?.stringValue)
            #expect(session.rooms == ClusterRecord.rooms(command["decodedValue"]?["rooms"]))
            #expect(session.data == command["decodedValue"]?["data"])
        }
    }

    /// Which channels official nodes subscribe to when their clients join rooms.
    @Test func subscriptions() throws {
        var subscriptions = 0
        for session in ClusterRecord.sharded["sessions"]?.arrayValue ?? [] {
            let mode = try #require(
                ShardedSubscriptionMode(rawValue: session["options"]?["subscriptionMode"]?.stringValue ?? "dynamic")
            )
            let channels = (session["afterConnect"]?.arrayValue ?? []).compactMap { $0["args"]?[0]?.stringValue }
            let rooms = ["r1", "42", "a#b/c*", "é€", "aaaaaaaaaaaaaaaaaaaa", "kick"].map { Room($0) }
            let prefix = session["options"]?["channelPrefix"]?.stringValue ?? "socket.io"
            let names = ClusterChannels(prefix: prefix, namespace: "/")
            for room in rooms {
                #expect(mode.subscribes(to: room, isPrivate: false) == channels.contains(names.room(room)))
            }
            // The rooms of ids are the only ones that are not among the others.
            let hasPrivate = channels.contains { channel in
                let parts = channel.split(separator: "#", omittingEmptySubsequences: false)
                return parts.count == 4 && parts[2].utf8.count == 20 && parts[2] != "aaaaaaaaaaaaaaaaaaaa"
            }
            #expect(mode.subscribes(to: "9iWQRhtzyHKt_Vk-AAAF", isPrivate: true) == hasPrivate)
            subscriptions += channels.count
        }
        #expect(subscriptions > 30)
    }
}
