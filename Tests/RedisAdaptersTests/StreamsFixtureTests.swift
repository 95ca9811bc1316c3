import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
import RESP
import SocketIOServer
import SocketIOWire
import Testing

@testable import RedisAdapters

/// Everything that the official streams adapter was seen to send and to do.
@Suite(.timeLimit(.minutes(1)))
struct StreamsFixtureTests {
    @Test func fixtureIsRead() {
        let counts = [StreamRecord.all, StreamRecord.sent, StreamRecord.silent, StreamRecord.recovery].map(\.count)
        #expect(counts[1] + counts[2] + counts[3] == counts[0])
        #expect(counts[0] > 150 && counts[3] == 23)
        #expect(StreamRecord.emitted.count == 12)
    }

    /// The same call, made by a Swift node, sends the same bytes the same way, in the same order; and the other node, a Swift
    /// one as well, answers with the bytes that the official one answered with.
    @Test(arguments: StreamRecord.sent)
    func sent(_ record: StreamRecord) async throws {
        let cluster = StreamsCluster(record)
        try await cluster.start()
        cluster.redis.redis.forgetCommands()
        let caller = try #require(cluster.adapters[record.caller])
        let other = try #require(cluster.hosts[record.caller == "A" ? "B" : "A"])
        let command = try #require(record.commands.first { $0.type != nil })
        let options = BroadcastOptions(recorded: command.data["opts"] ?? [:])
        let answers = record.commands.filter { $0.client == "B.pub" && $0.requestID != nil && record.caller == "A" }

        switch command.type {
        case 3 where command.requestID == nil:
            let arguments = command.data["packet"]?["data"]?.arrayValue ?? []
            caller.publish(Broadcast(arguments: arguments, options: options))
        case 3:
            let acknowledgements = answers.filter { $0.type == 12 }.map { $0.data["packet"]?.asUndefined }
            other.acknowledge(with: acknowledgements)
            let counts = NIOLockedValueBox<[Int]>([])
            let values = NIOLockedValueBox<[JSONValue?]>([])
            let arguments = command.data["packet"]?["data"]?.arrayValue ?? []
            let others = try await caller.publishWithAck(
                Broadcast(arguments: arguments, options: options),
                timeout: .seconds(5),
                onClientCount: { count in counts.withLockedValue { $0.append(count) } },
                onAcknowledgement: { value in values.withLockedValue { $0.append(value) } }
            )
            try await cluster.settle()
            #expect(others.nodes == 1)
            #expect(counts.withLockedValue { $0 } == [answers.first?.data["clientCount"]?.intValue])
            #expect(values.withLockedValue { $0 } == answers.filter { $0.type == 12 }.map { $0.data["packet"] })
            // Flags are honoured here.
            let timeout = TimeAmount.milliseconds(Int64(options.flags.timeoutMilliseconds ?? 0))
            #expect(other.calls == [.deliverWithAck(arguments, options, timeout)])
        case 4: caller.addSockets(options, rooms: StreamRecord.rooms(command.data["rooms"]))
        case 5: caller.delSockets(options, rooms: StreamRecord.rooms(command.data["rooms"]))
        case 6:
            caller.disconnectSockets(options, closingConnection: command.data["close"]?.boolValue ?? false)
        case 7:
            let sockets = try await caller.fetchSockets(options, timeout: nil)
            let names = other.names(options)
            let expected = record.sockets(of: "B").filter { names.contains($0.name) }.map(\.description)
            #expect(sockets == expected)
            #expect(other.calls.contains(.describe(options)))
        case 9 where command.requestID == nil:
            let arguments = command.data["packet"]?.arrayValue ?? []
            caller.serverSideEmit(arguments)
            try await cluster.settle()
            #expect(other.calls == [.serverSide(arguments, wantsReply: false)])
        case 9:
            let arguments = command.data["packet"]?.arrayValue ?? []
            other.answerServerSide(with: answers.map { $0.data["packet"]?.asUndefined })
            let values = try await caller.serverSideEmitWithAck(arguments, timeout: nil)
            #expect(values == answers.map { $0.data["packet"] })
            #expect(other.calls == [.serverSide(arguments, wantsReply: true)])
        default: Issue.record("an unexpected record")
        }
        try await cluster.settle()
        await cluster.close()

        let observed = cluster.redis.sentCommands
        let expected = record.sentCommands.map(\.observed)
        // Who is faster when clients acknowledge is chance.
        for node in ["A.pub", "B.pub"] {
            #expect(observed.filter { $0.client == node } == expected.filter { $0.client == node })
        }
        if command.type != 3 || command.requestID == nil { #expect(observed == expected) }
        switch command.type {
        case 4?: #expect(other.calls == [.join(options, StreamRecord.rooms(command.data["rooms"]))])
        case 5?: #expect(other.calls == [.leave(options, StreamRecord.rooms(command.data["rooms"]))])
        case 6?:
            let isClosing = command.data["close"]?.boolValue ?? false
            #expect(other.calls == [.disconnect(options, closing: isClosing)])
        default: break
        }
        // The sender did nothing to its own sockets when its entry came back.
        #expect(cluster.hosts[record.caller]?.calls == [])
    }

    /// What an official node or emitter sent does to the clients of a Swift node what it did to those of an official one.
    @Test(arguments: StreamRecord.sent + StreamRecord.emitted)
    func received(_ record: StreamRecord) async throws {
        // An emitter takes a name as it is: without the slash it means nobody.
        let isForNobody = !record.namespace.utf8.starts(with: "/".utf8)
        let cluster = StreamsCluster(record, namespace: isForNobody ? "/\(record.namespace)" : record.namespace)
        try await cluster.start()
        let command = try #require(record.commands.first { $0.type != nil })
        let receiver = record.caller == "A" ? "B" : "A"
        let host = try #require(cluster.hosts[receiver])
        var words = [ByteBuffer(string: command.name)] + command.arguments.map { ByteBuffer(string: $0) }
        if command.name != "XADD" { words[2] = ByteBuffer(hexadecimal: command.arguments[1]) }
        cluster.redis.execute("official", words)
        try await cluster.settle()
        await cluster.close()
        let (events, others) = try host.delivered()
        guard !isForNobody else {
            #expect(events.isEmpty && others.isEmpty)
            return
        }
        let options = BroadcastOptions(recorded: command.data["opts"] ?? [:])
        switch command.type {
        case 3 where command.requestID == nil:
            if record.session != "emitter" {
                #expect(events.sorted() == record.deliveries(to: receiver).sorted())
            } else {
                let arguments = JSONValue.array(command.data["packet"]?["data"]?.arrayValue ?? [])
                #expect(events.sorted() == host.names(options).map { "\($0) \(arguments)" }.sorted())
            }
            #expect(others.isEmpty)
        case 3: #expect(events.isEmpty && others.count == 1)
        case 4: #expect(others == [.join(options, StreamRecord.rooms(command.data["rooms"]))])
        case 5: #expect(others == [.leave(options, StreamRecord.rooms(command.data["rooms"]))])
        case 6: #expect(others == [.disconnect(options, closing: command.data["close"]?.boolValue ?? false)])
        case 7: #expect(others == [.describe(options)])
        case 9:
            let arguments = command.data["packet"]?.arrayValue ?? []
            #expect(others == [.serverSide(arguments, wantsReply: command.requestID != nil)])
        default: Issue.record("an unexpected record")
        }
        // And its own message means nothing to the one who is taken for the sender.
        if record.session != "emitter" { #expect(cluster.hosts[record.caller]?.calls == []) }
    }

    /// Subscriptions and the question to the streams, with every option.
    @Test(arguments: StreamRecord.sessions.indices.filter { StreamRecord.sessions[$0]["uids"] != nil })
    func startup(_ index: Int) async throws {
        let session = StreamRecord.sessions[index]
        let record = try #require(StreamRecord.sent.first { $0.session == session["title"]?.stringValue })
        let redis = InProcessStreams()
        for namespace in ["/", "/admin"] {
            let host = FakeHost(name: namespace)
            var configuration = record.configuration(of: "A")
            let uid = try #require(session["uids"]?["A"]?[namespace]?.stringValue)
            configuration.makeID = { uid }
            let factory = StreamsAdapterFactory.ofTest(configuration, redis.bus("A", on: host.eventLoop))
            let adapter = factory.makeAdapter(for: host)
            try await adapter.start()
            await adapter.close()
        }
        let recorded = (session["startup"]?.arrayValue ?? []).map { StreamRecord.Command($0).observed }
        let observed = redis.redis.commands
        #expect(redis.subscribed == recorded.filter { $0.client == "A.sub" })
        // One reader for all streams, those included that official nodes only write to; and it knows where they end.
        let count = record.options["streamCount"]?.intValue ?? 1
        let read = try #require(observed.first { $0.client == "A.read" })
        let official = recorded.filter { $0.client == "A.read" }
        #expect(official.count == count)
        #expect(Array(read.arguments.prefix(5)) == Array(try #require(official.first).arguments.prefix(5)))
        let streams = read.arguments[5..<(5 + (read.arguments.count - 5) / 2)]
        #expect(streams.count == 2 * count - 1)
        for command in official { #expect(streams.contains(command.arguments[5])) }
    }

    @Test func randomIDsLookLikeOfficialOnes() {
        let ids = (0..<1000).map { _ in StreamsAdapterConfiguration.randomID() }
        let alphabet = Set("0123456789abcdef")
        #expect(ids.allSatisfy { $0.count == 16 && alphabet.isSuperset(of: $0) })
        #expect(Set(ids).count == 1000)
    }
}

extension JSONValue {
    /// JavaScript's `undefined` is written as nil.
    fileprivate var asUndefined: JSONValue? { self.isNull ? nil : self }
}
