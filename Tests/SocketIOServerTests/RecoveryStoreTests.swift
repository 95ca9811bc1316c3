import EngineIO
import NIOCore
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import SocketIOServer

/// What is kept for clients that are away: how it is found, counted and forgotten.
@Suite(.timeLimit(.minutes(1))) struct RecoveryStoreTests {
    private static let codec = OffsetCodec()

    private static func log(_ rooms: [[Room]]) -> EventLog {
        var log = EventLog(form: .own(Self.codec))
        for rooms in rooms {
            _ = log.append(PacketEncoder.event("e", arguments: []), BroadcastOptions(rooms: rooms), at: .now())
        }
        return log
    }

    private static func ticket() throws -> RecoveryTicket {
        RecoveryTicket(
            id: try #require(SessionID("abcdefghijklmnopqrst")),
            socketID: try #require(SocketID("ABCDEFGHIJKLMNOPQRST")),
            connected: 0,
            data: [:]
        )
    }

    // MARK: Offsets

    @Test(arguments: [0, 1, 35, 36, 1_000_000, Int.max]) func offsetsAreReadAsTheyWereWritten(_ number: Int) {
        let text = Self.codec.text(of: number)
        #expect(Self.codec.number(of: text) == number)
        // What is another text byte for byte is another log's, or nobody's.
        let digits = text.utf8.count - 9
        let (prefix, suffix) = (String(text.prefix(9)), String(text.suffix(digits)))
        for wrong in [
            "", text + "\u{301}", prefix + "\u{301}" + suffix, prefix + "+" + suffix, prefix + "-" + suffix,
            prefix + "0" + suffix, String(text.prefix(8)) + "_" + suffix, "!" + text.dropFirst(),
        ] {
            #expect(Self.codec.number(of: wrong) == nil)
        }
        #expect(OffsetCodec().number(of: text) == nil)
    }

    // MARK: Finding

    @Test func missedEventsAreThoseOfTheClientsRooms() throws {
        let ticket = try Self.ticket()
        var log = Self.log([["a"], ["b"], [], ["a", "b"], [ticket.socketID.room], ["c"], ["a"]])
        ticket.joined("a", at: 0)
        ticket.joined("b", at: 2)
        ticket.left("a", at: 4)
        #expect(log.events(after: 0, for: ticket.audience, limit: 10)?.map(\.number) == [1, 3, 4, 5])
        #expect(log.events(after: 3, for: ticket.audience, limit: 10)?.map(\.number) == [4, 5])
        log.forgetOldest()
        #expect(log.events(after: 0, for: ticket.audience, limit: 10) == nil)
        #expect(log.events(after: 1, for: ticket.audience, limit: 10)?.map(\.number) == [3, 4, 5])
        #expect(log.events(after: 8, for: ticket.audience, limit: 10) == nil)
    }

    /// However much others have been sent, nobody looks at it, with the lock held that every event needs.
    @Test func eventsOfOtherRoomsAreNotLookedAt() throws {
        let ticket = try Self.ticket()
        ticket.joined("a", at: 0)
        let others = Array(repeating: [Room("other")], count: 1_000)
        let log = Self.log([["a"]] + others + [["a"]])
        #expect(log.events(after: 0, for: ticket.audience, limit: 2)?.map(\.number) == [1, 1_002])
        #expect(log.events(after: 0, for: ticket.audience, limit: 1) == nil)
        // Nor at what was sent to the client's room before it came, or after it left.
        ticket.joined("other", at: 1_000)
        ticket.left("other", at: 1_001)
        #expect(log.events(after: 0, for: ticket.audience, limit: 3)?.map(\.number) == [1, 1_001, 1_002])
    }

    @Test func clientThatGoesInAndOutIsNotRememberedAtLength() throws {
        let ticket = try Self.ticket()
        for number in 0..<10_000 {
            ticket.joined("a", at: number)
            ticket.left("a", at: number + 1)
        }
        ticket.joined("b", at: 10_000)
        ticket.measure()
        #expect(ticket.bytes < 20_000)
        #expect(ticket.rooms == ["b"])
        // It does not know any more who was where in the beginning.
        ticket.lastSent = 10_000
        #expect(ticket.start(after: 1) == nil)
        #expect(ticket.start(after: 9_990) == 9_990)
    }

    // MARK: Counting

    private static func server(
        _ disconnects: Recorder<String>,
        _ change: (inout ConnectionStateRecovery) -> Void = { _ in }
    ) -> TestServer {
        var configuration = SocketServerConfiguration()
        var recovery = ConnectionStateRecovery()
        change(&recovery)
        configuration.connectionStateRecovery = recovery
        configuration.engine.limits.maxQueuedBytes = 64 * 1024
        return TestServer(
            configuration: configuration,
            setUp: { io in
                for name in ["/", "/quiet"] {
                    let namespace = io.of(name)
                    namespace.on("join") { (socket: Socket, room: String) in socket.join(Room(room)) }
                    namespace.on("remember") { (socket: Socket, value: JSONValue) in socket.data = value }
                    namespace.onDisconnect { socket, _ in disconnects.record(socket.namespace.name) }
                }
            }
        )
    }

    /// What is counted is what is kept: events, and what is known of the clients that are away.
    @Test func everythingKeptIsCounted() async throws {
        let disconnects = Recorder<String>()
        try await Self.server(disconnects).run { io, address in
            let budget = try #require(io.recoveryBudget)
            let room = String(repeating: "r", count: 5_000)
            let visitor = try await RecoveryTests.Visitor.connect(to: address)
            for event in ["[\"join\",\"\(room)\"]", "[\"remember\",\"\(String(repeating: "x", count: 10_000))\"]"] {
                try await visitor.client.send("420\(event)")
                #expect(await visitor.client.nextText() == "430[]")
            }
            #expect(budget.use == RecoveryUse())
            await visitor.client.close()
            _ = await disconnects.next()
            let away = budget.use
            #expect(away.sessions == 1 && away.events == 0)
            #expect((15_000..<20_000).contains(away.bytes))
            io.sockets.emit("e", String(repeating: "x", count: 1_000))
            #expect(budget.use.events == 1)
            let event = budget.use.bytes - away.bytes
            #expect((1_000..<2_000).contains(event))
            // However often it comes and goes, there is one client.
            var offset: String?
            for _ in 0..<20 {
                let (missed, again) = try await visitor.back(to: address, offset: offset)
                #expect(again.sid == visitor.sid)
                if let last = missed.last { offset = try RecoveryTests.split(last).offset }
                #expect(budget.use == RecoveryUse(events: 1, bytes: event))
                await again.client.close()
                _ = await disconnects.next()
                #expect(budget.use == RecoveryUse(events: 1, bytes: event + away.bytes, sessions: 1))
            }
            await io.close()
            #expect(budget.use == RecoveryUse())
        }
    }

    /// Data is the application's, or its clients': it may be large.
    @Test func clientWithTooMuchDataIsNotRemembered() async throws {
        let disconnects = Recorder<String>()
        try await Self.server(disconnects, { $0.maximumBytes = 10_000 }).run { io, address in
            let visitor = try await RecoveryTests.Visitor.connect(to: address)
            try await visitor.client.send("420[\"remember\",[\"\(String(repeating: "x", count: 10_000))\"]]")
            #expect(await visitor.client.nextText() == "430[]")
            await visitor.client.close()
            _ = await disconnects.next()
            #expect(io.recoveryBudget?.use == RecoveryUse())
            let (_, again) = try await visitor.back(to: address, offset: nil)
            #expect(again.sid != visitor.sid)
        }
    }

    // MARK: Forgetting

    /// The last straw may be anybody's; who keeps most forgets.
    @Test(arguments: [true, false]) func busyNamespaceTakesNothingFromAQuietOne(_ byCount: Bool) async throws {
        let disconnects = Recorder<String>()
        let server = Self.server(disconnects) { recovery in
            if byCount { recovery.maximumEvents = 100 } else { recovery.maximumBytes = 20_000 }
        }
        try await server.run { io, address in
            let visitor = try await RecoveryTests.Visitor.connect(to: address, "/quiet")
            await visitor.client.close()
            _ = await disconnects.next()
            for number in 0..<200 { io.sockets.emit("busy", number) }
            for number in 0..<5 { io.of("/quiet").emit("quiet", number) }
            for number in 0..<200 { io.sockets.emit("busy", number) }
            let use = try #require(io.recoveryBudget?.use)
            #expect(byCount ? use.events == 100 : use.bytes <= 20_000)
            let (missed, again) = try await visitor.back(to: address, "/quiet", offset: nil)
            #expect(again.sid == visitor.sid)
            #expect(missed.count == 5)
        }
    }

    // MARK: Coming back again and again

    /// The client may have seen none of what was sent to it; but not without end.
    @Test func sameEventsAreNotSentForEver() async throws {
        let disconnects = Recorder<String>()
        try await Self.server(disconnects).run { io, address in
            let visitor = try await RecoveryTests.Visitor.connect(to: address)
            io.sockets.emit("seen")
            let offset = try await visitor.event().offset
            await visitor.client.close()
            _ = await disconnects.next()
            // Half of what may wait for a client is sent at once; four times that again.
            io.sockets.emit("missed", String(repeating: "x", count: 30_000))
            var returns = 0
            while returns < 10 {
                let (missed, again) = try await visitor.back(to: address, offset: offset)
                guard again.sid == visitor.sid else {
                    #expect(missed.isEmpty)
                    break
                }
                #expect(missed.count == 1)
                returns += 1
                await again.client.close()
                _ = await disconnects.next()
            }
            // Once, and four times again; more if the test takes so long that it may have more.
            #expect((5..<10).contains(returns))
        }
    }

    @Test(arguments: [true, false]) func nobodyUnseesAnEvent(_ hasOffset: Bool) async throws {
        let disconnects = Recorder<String>()
        try await Self.server(disconnects).run { io, address in
            let visitor = try await RecoveryTests.Visitor.connect(to: address)
            io.sockets.emit("first")
            let first = try await visitor.event().offset
            io.sockets.emit("second")
            let second = try await visitor.event().offset
            await visitor.client.close()
            _ = await disconnects.next()
            let (missed, again) = try await visitor.back(to: address, offset: second)
            #expect(missed.isEmpty && again.sid == visitor.sid)
            await again.client.close()
            _ = await disconnects.next()
            let (none, other) = try await visitor.back(to: address, offset: hasOffset ? first : nil)
            #expect(none.isEmpty && other.sid != visitor.sid)
        }
    }
}
