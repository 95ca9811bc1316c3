import NIOCore
import RESP
import SocketIOWire
import Testing

@testable import RedisAdapters

/// What Redis says of a stream tells whether something is missing behind a place; never more than is certain.
struct StreamsContinuityTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var what: String
        var info: (first: UInt64?, last: UInt64, deleted: UInt64?)?
        var place: UInt64
        var expected: StreamContinuity
        var testDescription: String { self.what }
    }

    private static func id(_ milliseconds: UInt64) -> RESPStreamID {
        RESPStreamID(milliseconds: milliseconds, sequence: 0)
    }

    static let cases: [Case] = [
        Case(what: "at the first entry", info: (10, 20, 0), place: 10, expected: .whole),
        Case(what: "between the first and the last", info: (10, 20, 0), place: 15, expected: .whole),
        Case(what: "at the end", info: (10, 20, 0), place: 20, expected: .whole),
        Case(what: "before the first", info: (10, 20, 0), place: 9, expected: .trimmed),
        Case(what: "behind the end: it has begun anew", info: (10, 20, 0), place: 21, expected: .another),
        Case(what: "one in the middle was deleted", info: (10, 20, 15), place: 12, expected: .trimmed),
        Case(what: "one before was deleted", info: (10, 20, 11), place: 12, expected: .whole),
        Case(what: "an old Redis tells of no deletions", info: (10, 20, nil), place: 12, expected: .whole),
        Case(what: "all is trimmed, and all was read", info: (nil, 20, 0), place: 20, expected: .whole),
        Case(what: "all is trimmed, and not all was read", info: (nil, 20, 0), place: 19, expected: .trimmed),
        Case(what: "there is no stream, and never was", info: nil, place: 0, expected: .whole),
        Case(what: "there is no stream any more", info: nil, place: 5, expected: .another),
    ]

    @Test(arguments: Self.cases) func continuity(_ one: Case) throws {
        let info = try one.info.map { info -> RESPStreamInfo in
            func bulk(_ text: String) -> RESPValue { .bulkString(ByteBuffer(string: text)) }
            var reply: [RESPValue] = [bulk("last-generated-id"), bulk("\(info.last)-0")]
            if let first = info.first {
                reply += [bulk("first-entry"), .array([bulk("\(first)-0"), .array([])])]
            }
            if let deleted = info.deleted { reply += [bulk("max-deleted-entry-id"), bulk("\(deleted)-0")] }
            return try RESPStreamInfo(.array(reply))
        }
        #expect(StreamContinuity(of: info, readThrough: Self.id(one.place)) == one.expected)
    }

    /// The place right before an entry is as good as the entry's.
    @Test func placeBeforeTheFirst() throws {
        func bulk(_ text: String) -> RESPValue { .bulkString(ByteBuffer(string: text)) }
        let info = try RESPStreamInfo(
            .array([
                bulk("last-generated-id"), bulk("7-5"), bulk("first-entry"), .array([bulk("7-5"), .array([])]),
            ])
        )
        let (near, far) = (RESPStreamID(milliseconds: 7, sequence: 4), RESPStreamID(milliseconds: 7, sequence: 3))
        #expect(StreamContinuity(of: info, readThrough: near) == .whole)
        #expect(StreamContinuity(of: info, readThrough: far) == .trimmed)
    }

    @Test func replicationID() throws {
        func reply(_ text: String) -> RESPValue { .bulkString(ByteBuffer(string: text)) }
        let text = "# Replication\r\nrole:master\r\nmaster_replid:38f4\r\nmaster_replid2:0000\r\n"
        #expect(try StreamHistory.replicationID(of: reply(text)).get() == "38f4")
        #expect(try StreamHistory.replicationID(of: .verbatimString(ByteBuffer(string: text))).get() == "38f4")
        for wrong in [reply(""), reply("master_replid2:38f4"), reply("master_replid:\r\n"), .null, .integer(1)] {
            #expect(throws: RESPError.self) { try StreamHistory.replicationID(of: wrong).get() }
        }
        let refused = RESPValue.error(RESPError(reply: "NOPERM no"))
        #expect(throws: RESPError.self) { try StreamHistory.replicationID(of: refused).get() }
    }
}
