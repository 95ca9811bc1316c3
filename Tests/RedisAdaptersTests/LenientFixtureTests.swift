import Logging
import Metrics
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import OrderedCollections
import SocketIOWire
import Testing

@testable import RedisAdapters
@testable import SocketIOServer

/// What other languages, old versions and hands have published to an official node, and what is to be done with it here:
/// the demand stands in the fixture's `want`.
@Suite(.timeLimit(.minutes(1)))
struct LenientFixtureTests {
    @Test func fixtureIsRead() {
        #expect(LenientEntry.published.count == 498)
        #expect(LenientEntry.calls.count == 86)
        let known = Set(LenientEntry.all.map(\.id))
        #expect(known.count == 584)
        for id in Self.deviations.keys { #expect(known.contains(id)) }
        for id in Self.wanted.keys { #expect(known.contains(id)) }
    }

    // MARK: Where this node does something else than is wanted

    /// Why it does, and what it does.
    private static let deviations: [String: (reason: String, consequences: Consequences)] = [
        "s-numtext": ("rooms are texts here, so a number and its text are one room", sockets(["c3", "c4"])),
        "j-opts-numtext": ("rooms are texts here, so a number and its text are one room", joined(["c3", "c4"], "new")),
        "l-text42": ("rooms are texts here, so a number and its text are one room", left(["c3", "c4"], "42")),
        "chan-42.0": ("rooms are texts here, so a number and its text are one room", hello(["c3", "c4"])),
        "chan-space42": ("rooms are texts here, so a number and its text are one room", hello(["c3", "c4"])),
        "a-own": ("a node does not answer itself: it has asked itself before it asks the others", Consequences()),
        "j-own": ("a node has carried its own commands out before it sends them", Consequences()),
        "id-5": (
            "nobody waits for the acknowledgement, and the number may be one that this node waits for",
            hello(["c1", "c2", "c3", "c4", "c5"])
        ),
        "e-null": ("an event without a name is none, as in e-nodata", Consequences()),
    ]

    /// What `want` says in words.
    private static let wanted: [String: [Consequences]] = [
        "rooms-text-42": [hello(["c3", "c4"])],
        "py-roma-room-channel-2": [hello(["c1", "c2"])],
        "val-array-key": [hello(everybody, "{}")], "val-map-key": [hello(everybody, "{}")],
        "val-proto": [hello(everybody, #"{"__proto__":{"x":1},"a":1}"#), hello(everybody, #"{"a":1}"#)],
        "s-text": [sockets(["c1"])], "s-map": [sockets(everybody)], "s-5": [sockets([])], "s-true": [sockets([])],
        "s-num": [sockets(["c3", "c4"])], "s-odd": [sockets(["c3", "c4"])],
        "a-specific-nouid": [answered(#"{"requestId":"q1","rooms":[\#(allRooms)]}"#)],
        "a-specific-nulluid": [answered(#"{"requestId":"q1","rooms":[\#(allRooms)]}"#)],
        "j-num": [Consequences(), joined(["c1"], "7")], "j-odd": [joined(["c1"], "4.5", "ok")],
        "j-nums": [joined(["c1"], "7")],
        "j-huge": [Consequences(joined: ["c1": Set((0..<5000).map { "x\($0)" })])],
        "j-opts-text": [joined(["c1"], "new")], "j-opts-rmap": [Consequences(), joined(everybody, "new")],
        "j-opts-odd": [joined(["c3", "c4"], "new")], "j-opts-nullroom": [Consequences()],
        "j-opts-num": [joined(["c3", "c4"], "new")], "j-opts-except": [joined(["c2", "c3", "c4", "c5"], "new")],
        "j-opts-array": [Consequences(), joined(everybody, "new")],
        "j-old-noroom": [answered(#"{"requestId":"q1"}"#)],
        "l-text": [left(["c1"], "both")], "l-num": [Consequences()], "l-nullroom": [Consequences()],
        "l-num42": [left(["c3", "c4"], "42")], "l-opts-map": [Consequences(), left(["c1", "c2"], "both")],
        "d-text": [Consequences(disconnected: ["c1"])],
        "f-missing": [described([])], "f-null": [described([])], "f-true": [described([])], "f-text": [described([])],
        "f-rooms-text": [described(["c1"])], "f-rooms-map": [described([])], "f-rooms-5": [described([])],
        "f-rooms-odd": [described(["c3", "c4"])], "f-except-5": [described([])],
        "b-noopts": [Consequences(), counted([])], "b-nopacket": [Consequences(), counted([])],
        "b-rooms-map": [Consequences(), counted([])], "b-type5": [counted(["c1"])], "b-data-empty": [counted([])],
        "b-except": [counted(["c2"])],
        "e-many": [
            Consequences(
                serverEvents: [
                    LenientEntry.canonical(.array(["sse"] + (0..<1000).map { .int($0) }))
                ]
            )
        ],
    ]

    /// What is wanted of an entry; more than one if either is fine.
    private static func wanted(of entry: LenientEntry) -> [Consequences] {
        if let deviation = self.deviations[entry.id] { return [deviation.consequences] }
        if let wanted = self.wanted[entry.id] { return wanted }
        if let clients = entry.wantTo {
            var consequences = Consequences()
            for client in clients { consequences.events[client] = LenientEntry.events(entry.wantFrames) }
            return [consequences]
        }
        let official = entry.officialConsequences
        let mayBeIgnored = entry.want.contains("ignore") ? [Consequences()] : []
        if entry.want.hasPrefix("ignore") {
            let mayBeOfficial = entry.want.contains("as official") || entry.want.contains("or answer;")
            return mayBeIgnored + (mayBeOfficial ? [official] : [])
        }
        for prefix in ["as official", "same as official", "same content", "deliver"] where entry.want.hasPrefix(prefix)
        {
            return [official] + mayBeIgnored
        }
        Issue.record("nobody says what is wanted of \(entry.id): \(entry.want)")
        return []
    }

    // MARK: Messages

    private static let everybody = ["c1", "c2", "c3", "c4", "c5"]

    private static func roster(_ loop: any EventLoop) -> [RosterHost] {
        [
            RosterHost(
                name: "/",
                members: [
                    .init("c1", ["r1", "both"]), .init("c2", ["r2", "both"]), .init("c3", ["42", "4.5"]),
                    .init("c4", ["42", "4.5", "true", "null", "[object Object]", "1", "r"]), .init("c5", []),
                ],
                eventLoop: loop
            ),
            RosterHost(name: "/admin", members: [.init("m1", ["r1"])], eventLoop: loop),
        ]
    }

    /// A node of two namespaces, as the official one was.
    private struct Node {
        let redis = InProcessRedis()
        let hosts: [RosterHost]
        let adapters: [ClusterAdapter]

        init(_ entry: LenientEntry, _ loop: any EventLoop) {
            let hosts = LenientFixtureTests.roster(loop)
            self.hosts = hosts
            let bus = self.redis.bus("A", on: loop)
            self.adapters = hosts.enumerated().map { index, host in
                var configuration = PubSubAdapterConfiguration(
                    requestsTimeout: .milliseconds(400),
                    publishOnSpecificResponseChannel: entry.answersSpecifically
                )
                configuration.cluster.livenessInterval = .hours(1)
                let ids = NIOLockedValueBox(["uidA_\(index)", "rqid00"])
                configuration.makeID = { ids.withLockedValue { $0.isEmpty ? "spare!" : $0.removeFirst() } }
                return ClusterAdapter(host: host, configuration: configuration, bus: bus)
            }
        }

        func start() async throws {
            for adapter in self.adapters { try await adapter.start() }
            self.redis.forgetCommands()
        }

        func close() async { for adapter in self.adapters { await adapter.close() } }

        var consequences: Consequences {
            var all = self.hosts[0].consequences
            let others = self.hosts[1].consequences
            all.events.merge(others.events) { $0 + $1 }
            all.disconnected.formUnion(others.disconnected)
            for command in self.redis.published where command.client == "A.pub" && command.name == "PUBLISH" {
                all.answers.append(
                    LenientEntry.answer(command.arguments[0], ByteBuffer(hexadecimal: command.arguments[1]))
                )
            }
            return all
        }
    }

    @Test(arguments: LenientEntry.published)
    func message(_ entry: LenientEntry) async throws {
        let node = Node(entry, NIOAsyncTestingEventLoop())
        try await node.start()
        for message in entry.messages { try node.redis.publish("hand", message.channel, message.payload) }
        // Answers that are being looked up are waited for.
        await node.close()
        let wanted = Self.wanted(of: entry)
        let consequences = node.consequences
        #expect(wanted.contains(consequences), "wanted \(wanted), seen \(consequences)")
        if Self.deviations[entry.id] != nil {
            #expect(consequences != entry.officialConsequences, "this is no deviation any more")
        }
    }

    // MARK: Consequences

    private static func hello(_ clients: [String], _ argument: String = "1") -> Consequences {
        let event = LenientEntry.event(#"42["hello",\#(argument)]"#, [])
        return Consequences(events: Dictionary(uniqueKeysWithValues: clients.map { ($0, [event]) }))
    }

    private static func joined(_ clients: [String], _ rooms: String...) -> Consequences {
        Consequences(joined: Dictionary(uniqueKeysWithValues: clients.map { ($0, Set(rooms)) }))
    }

    private static func left(_ clients: [String], _ rooms: String...) -> Consequences {
        Consequences(left: Dictionary(uniqueKeysWithValues: clients.map { ($0, Set(rooms)) }))
    }

    private static func answered(_ texts: String...) -> Consequences {
        Consequences(answers: texts.map { LenientEntry.answer("socket.io-response#/#", ByteBuffer(string: $0)) })
    }

    /// All rooms of the roster.
    private static var allRooms: String {
        let rooms = self.roster(NIOAsyncTestingEventLoop())[0].rooms
        return rooms.map { "\"\($0)\"" }.joined(separator: ",")
    }

    private static func sockets(_ clients: [String]) -> Consequences {
        let ids = clients.map { "\"\(RosterHost.Member.id(of: $0))\"" }
        return self.answered(#"{"requestId":"q1","sockets":[\#(ids.joined(separator: ","))]}"#)
    }

    private static func described(_ clients: [String]) -> Consequences {
        let rooms = [
            "c1": #""r1","both""#, "c3": #""42","4.5""#, "c4": #""42","4.5","true","null","[object Object]","1","r""#,
        ]
        let sockets = clients.map { client in
            let id = RosterHost.Member.id(of: client)
            return #"{"id":"\#(id)","rooms":["\#(id)",\#(rooms[client] ?? "")],"data":{"name":"\#(client)"}}"#
        }
        return self.answered(#"{"requestId":"q1","sockets":[\#(sockets.joined(separator: ","))]}"#)
    }

    /// A broadcast that these clients have acknowledged.
    private static func counted(_ clients: [String]) -> Consequences {
        var consequences = self.answered(#"{"type":8,"requestId":"q1","clientCount":\#(clients.count)}"#)
        for client in clients {
            consequences.events[client] = ["acknowledged " + LenientEntry.canonical(["hello", 1])]
            consequences.answers += self.answered(#"{"type":9,"requestId":"q1","packet":"ack-\#(client)"}"#).answers
        }
        return consequences
    }

    // MARK: - Answers

    /// What a call gave its caller.
    enum Outcome: Equatable {
        case resolved(String)
        /// The time was up; what had been answered.
        case timeout(String)
    }

    private static let callDeviations: [String: (reason: String, outcome: Outcome)] = [
        "cf-type1": ("an answer to another question is none; so the call times out, as official", .timeout("")),
        "ca-sockets": ("an answer to another question is none; so the call times out, as official", .timeout("")),
        "cb-two-counts": ("a second count cannot be another node's, because there is none", .resolved("[\"a\"]")),
    ]

    private static func socket(_ id: String, _ rooms: [String], _ handshake: String, _ data: String) -> String {
        let list = rooms.sorted().joined(separator: ",")
        return "\(id) [\(list)] \(handshake) \(data)"
    }

    private static let handshake = LenientEntry.canonical([
        "headers": [:], "time": "t", "address": "1.2.3.4", "xdomain": false, "secure": false, "issued": 1, "url": "/",
        "query": [:], "auth": [:],
    ])

    private static func remote(rooms: [String] = ["remote1", "r1"], handshake: String = Self.handshake) -> Outcome {
        .resolved(Self.socket("remote1", rooms, handshake, #"{"n":1.0}"#))
    }

    private static let wantedOfCalls: [String: Outcome] = [
        "cf-missing": .resolved(""), "cf-null": .resolved(""), "cf-map": .resolved(""), "cf-text": .resolved(""),
        "cf-ids": .resolved(""), "cf-nullentry": .resolved(""), "cf-5": .resolved(""),
        "cf-rooms-odd": remote(rooms: ["42", "4.5"]), "cf-rooms-text": remote(rooms: ["r1"]),
        "cf-rooms-map": remote(rooms: []), "cf-rooms-5": remote(rooms: []), "cf-rooms-true": remote(rooms: []),
        "cf-hs-missing": remote(handshake: "{}"), "cf-hs-null": remote(handshake: "{}"),
        "cf-hs-text": remote(handshake: "{}"),
        "cf-id-missing": .resolved(""), "cf-id-null": .resolved(""),
        "cf-id-num": .resolved(socket("5", ["remote1", "r1"], handshake, #"{"n":1.0}"#)),
        "cf-bad-then-good": remote(), "cf-nil-then-good": remote(),
        "cf-hs-numbers": remote(
            handshake: LenientEntry.canonical(["issued": "5", "secure": 1, "query": ["EIO": 4], "time": 5])
        ),
        "cf-huge": .resolved((0..<2000).map { socket("x\($0)", [], "{}", "{}") }.sorted().joined(separator: "; ")),
        "ca-missing": .resolved(""), "ca-null": .resolved(""), "ca-map": .resolved(""), "ca-text": .resolved(""),
        "ca-nullroom": .resolved(""), "ca-nums": .resolved(""), "ca-odd": .resolved("x1"),
        "ca-huge": .resolved((0..<3000).map { "x\($0)" }.sorted().joined(separator: ",")),
        "ce-othertype": .timeout("[]"), "ce-sockets": .timeout("[]"),
        "cb-count-text": .resolved("[\"ok\"]"), "cb-count-null": .resolved("[]"), "cb-count-missing": .resolved("[]"),
        "cb-count-lower": .resolved("[\"ok\"]"), "cb-count-float": .timeout("[\"ok\"]"),
        "cb-count-neg": .resolved("[]"), "cb-type-text": .timeout("[]"),
    ]

    private static func wantedOutcome(of entry: LenientEntry) -> Outcome? {
        if let deviation = self.callDeviations[entry.id] { return deviation.outcome }
        if let wanted = self.wantedOfCalls[entry.id] { return wanted }
        guard entry.want.hasPrefix("as official") || entry.want == "timeout, as official" else {
            Issue.record("nobody says what is wanted of \(entry.id): \(entry.want)")
            return nil
        }
        guard let resolved = entry.official["resolved"] else { return .timeout("") }
        if let sockets = resolved["remote"]?.arrayValue {
            let texts = sockets.map { socket in
                let handshake = socket["handshake"] ?? .null
                return self.socket(
                    socket["id"]?.stringValue ?? "",
                    (socket["rooms"]?["$set"]?.arrayValue ?? []).compactMap(\.stringValue),
                    handshake["$"] == nil ? LenientEntry.canonical(handshake) : self.handshake,
                    LenientEntry.canonical(socket["data"]?["$"] == nil ? socket["data"] ?? .null : .object([:]))
                )
            }
            return .resolved(texts.sorted().joined(separator: "; "))
        }
        if let more = resolved["more"]?.arrayValue {
            return .resolved(more.compactMap(\.stringValue).sorted().joined(separator: ","))
        }
        let responses = (resolved["responses"]?.arrayValue ?? []).map { $0["$"] == nil ? $0 : .null }
        let text = LenientEntry.canonical(.array(responses))
        return resolved["err"]?.isNull ?? true ? .resolved(text) : .timeout(text)
    }

    @Test(arguments: LenientEntry.calls)
    func call(_ entry: LenientEntry) async throws {
        let loop = NIOAsyncTestingEventLoop()
        let node = Node(entry, loop)
        try await node.start()
        // One more node is counted, and says nothing but what stands in the entry.
        node.redis.setCount { _ in 2 }
        let (adapter, call) = (node.adapters[0], entry.call)
        let local = node.hosts[0].rooms
        let task = Task { try await Self.outcome(of: call ?? "", adapter, local: local) }
        guard entry.call != "sockets" else {
            // The ids of this node's sockets: a call that asks nobody, and that there is not here.
            #expect(entry.messages.isEmpty)
            #expect(try await task.value == .resolved(""))
            return await node.close()
        }
        while node.redis.published.count < 2 {
            await loop.run()
            await Task.yield()
        }
        for message in entry.messages { try node.redis.publish("hand", message.channel, message.payload) }
        let isSettled = await adapter.isIdle
        if entry.official["took"] == "at once", entry.official["resolved"] != nil, entry.call != "emitAck",
            Self.wantedOutcome(of: entry).map({ if case .resolved = $0 { true } else { false } }) ?? false
        {
            #expect(isSettled, "it has to be over without time passing")
        }
        let isDone = NIOLockedValueBox(false)
        let result = Task {
            defer { isDone.withLockedValue { $0 = true } }
            return await task.result
        }
        while !isDone.withLockedValue({ $0 }) {
            await loop.advanceTime(by: .milliseconds(100))
            await Task.yield()
        }
        let outcome = try await result.value.get()
        #expect(outcome == Self.wantedOutcome(of: entry))
        await node.close()
        await loop.run()
    }

    private static func outcome(of call: String, _ adapter: ClusterAdapter, local: Set<Room>) async throws -> Outcome {
        switch call {
        case "fetchSockets":
            do {
                let sockets = try await adapter.fetchSockets(BroadcastOptions(rooms: ["r1"]), timeout: nil)
                let texts = sockets.map { socket in
                    self.socket(
                        socket.id,
                        socket.rooms.map(\.name),
                        LenientEntry.canonical(socket.handshake),
                        LenientEntry.canonical(socket.data)
                    )
                }
                return .resolved(texts.sorted().joined(separator: "; "))
            } catch let error as ClusterError where error.code == .timeout {
                return .timeout("")
            }
        case "allRooms":
            do {
                let rooms = try await adapter.allRooms(timeout: nil).subtracting(local)
                return .resolved(rooms.map(\.name).sorted().joined(separator: ","))
            } catch let error as ClusterError where error.code == .timeout {
                return .timeout("")
            }
        case "serverSideEmit":
            do {
                let answers = try await adapter.serverSideEmitWithAck(["question", 1], timeout: nil)
                return .resolved(LenientEntry.canonical(.array(answers.map { $0 ?? .null })))
            } catch let error as ClusterError where error.code == .timeout {
                return .timeout(LenientEntry.canonical(.array(error.partialResponses.map { $0 ?? .null })))
            }
        case "emitAck":
            let collector = AcknowledgementCollector()
            let timer = adapter.context.eventLoop.scheduleTask(in: .milliseconds(400)) { collector.timeOut() }
            defer { timer.cancel() }
            collector.localClients(0)
            let options = BroadcastOptions(rooms: ["nobody-here"])
            let others = try await adapter.publishWithAck(
                Broadcast(arguments: ["question", 1], options: options),
                timeout: .milliseconds(400),
                onClientCount: { collector.remoteClients($0) },
                onAcknowledgement: { collector.answered($0) }
            )
            collector.otherNodes(others)
            do {
                return .resolved(LenientEntry.canonical(.array(try await collector.answers().map(\.value))))
            } catch let error as AcknowledgementError {
                return .timeout(LenientEntry.canonical(.array(error.answers.map(\.value))))
            }
        default: return .resolved("")
        }
    }
}
