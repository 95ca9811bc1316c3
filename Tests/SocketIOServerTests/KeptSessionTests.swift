import NIOCore
import OrderedCollections
import SocketIOWire
import Testing

@testable import SocketIOServer

/// What nodes keep of a client for each other, and the offsets in it.
struct KeptSessionTests {
    private static func offset(_ milliseconds: UInt64, _ sequence: UInt64 = 0) throws -> EventOffset {
        try #require(EventOffset(milliseconds: milliseconds, sequence: sequence))
    }

    private static func session() throws -> KeptSession {
        var session = KeptSession(
            id: try #require(SessionID("abcdefghijklmnopqrst")),
            socketID: try #require(SocketID("ABCDEFGHIJKLMNOPQRST")),
            rooms: ["a", "é"],
            data: ["x": [1, "y"]]
        )
        session.record = KeptSession.Record(
            claim: .max,
            isNew: false,
            isAway: true,
            history: "9a\"b",
            connected: try offset(5),
            handled: try offset(9, 3),
            told: try offset(5),
            lastSent: try offset(8),
            completeFrom: .start,
            isBehind: false,
            stays: [
                .init(room: "a", joined: try offset(6), left: nil), .init(room: "é", joined: .start, left: nil),
                .init(room: "b", joined: try offset(6), left: try offset(7, 1)),
            ]
        )
        return session
    }

    private func parsed(_ value: JSONValue) throws -> JSONValue {
        var text = ByteBuffer()
        text.writeJSON(value)
        return try JSONValue(parsing: text)
    }

    // MARK: Offsets

    @Test(arguments: [(0, 0), (1_732_172_345_678, 0), (1, 1_048_575), (8_796_093_022_207, 7)] as [(UInt64, UInt64)])
    func offsetsAreReadAsTheyWereWritten(_ milliseconds: UInt64, _ sequence: UInt64) throws {
        let offset = try Self.offset(milliseconds, sequence)
        #expect(offset.text == "\(milliseconds)-\(sequence)")
        #expect(EventOffset(offset.text) == offset)
        #expect(offset.milliseconds == milliseconds && offset.sequence == sequence)
    }

    /// One offset has one text, byte for byte; and none is a place that it is not.
    @Test(arguments: [
        "", "-", "1", "1-", "-1", "01-0", "1-00", "1-0 ", " 1-0", "+1-0", "1--0", "1-0-0", "a-0", "1-a", "1\u{301}-0",
        "１-0", "8796093022208-0", "1-1048576", "18446744073709551616-0", "0-99999999999999999999999999999999999999",
    ]) func otherTextsAreNoOffsets(_ text: String) { #expect(EventOffset(text) == nil) }

    /// Offsets are computed from what clients send, too.
    @Test func nothingStandsBeforeTheBeginning() {
        #expect(EventOffset(position: -1) == .start)
        #expect(EventOffset(position: .min).text == "0-0")
    }

    @Test func offsetsAreInTheOrderOfTheLog() throws {
        let offsets = [try Self.offset(1, 9), try Self.offset(2), try Self.offset(2, 1), try Self.offset(10)]
        #expect(offsets.shuffled().sorted() == offsets)
    }

    // MARK: Sessions

    @Test func sessionIsReadAsItWasWritten() throws {
        let session = try Self.session()
        let json = try self.parsed(try #require(session.json))
        #expect(KeptSession(json: json) == session)
        var other = session
        other.record?.lastSent = nil
        other.record?.isAway = false
        other.record?.isBehind = true
        #expect(KeptSession(json: try self.parsed(try #require(other.json))) == other)
    }

    /// Whoever wrote it, and however long it is: the time for it grows as its length does.
    @Test(.timeLimit(.minutes(1))) func longSessionIsTakenOver() throws {
        var session = try Self.session()
        session.record?.stays = try (0..<200_000).map { number in
            let left = number % 2 == 0 ? try Self.offset(UInt64(number) + 1) : nil
            return KeptSession.Stay(room: Room("\(number)"), joined: .start, left: left)
        }
        let ticket = RecoveryTicket(session, nil, history: 0)
        #expect(ticket.rooms.count == 100_000)
        #expect(ticket.pastStays > 0 && ticket.pastStays <= 256)
        // Those that were forgotten are not taken for known.
        let forgotten = ticket.stays.values.flatMap(\.past).map(\.left).min() ?? 0
        #expect(ticket.completeFrom > 0 && ticket.completeFrom < forgotten)
    }

    /// The client's own room comes first, as in Node, and is none of those that it has joined.
    @Test func officialFormIsThatOfNode() throws {
        let session = try Self.session()
        #expect(
            session.official == [
                "sid": "ABCDEFGHIJKLMNOPQRST", "pid": "abcdefghijklmnopqrst",
                "rooms": ["ABCDEFGHIJKLMNOPQRST", "a", "é"], "data": ["x": [1, "y"]],
            ]
        )
        let read = try #require(KeptSession(official: try self.parsed(session.official)))
        #expect(read.rooms == ["a", "é"] && read.record == nil && read.json == nil)
    }

    /// Whatever else stands there is no session: each part left out, or of another type.
    @Test func whatIsNoSessionIsNotRead() throws {
        let session = try Self.session()
        for (form, read) in [
            (try #require(session.json), { KeptSession(json: $0) }), (session.official, { KeptSession(official: $0) }),
        ] as [(JSONValue, (JSONValue) -> KeptSession?)] {
            guard case .object(let members) = form else { throw Unexpected() }
            for (key, value) in members where key != "data" {
                for wrong in [nil, .null, 7, .bool(true), [], [7], "x", ["x", 7]] as [JSONValue?] where wrong != value {
                    var changed = members
                    changed[key] = wrong
                    // What may be empty, or nothing, or any text.
                    if key == "rooms" || key == "stays", wrong == [] { continue }
                    if key == "sent", wrong == .null { continue }
                    if key == "history", wrong == "x" { continue }
                    if key == "behind" || key == "away", case .bool? = wrong { continue }
                    #expect(read(.object(changed)) == nil, "\(key): \(String(describing: wrong))")
                }
            }
            #expect(read("x") == nil && read([]) == nil)
        }
    }

    private struct Unexpected: Error {}
}
