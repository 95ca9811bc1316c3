import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@testable import RESP

private func entry(_ id: String, _ words: String...) -> RESPValue { .array([bulk(id), .array(words.map(bulk))]) }

private func id(_ milliseconds: UInt64, _ sequence: UInt64 = 0) -> RESPStreamID {
    RESPStreamID(milliseconds: milliseconds, sequence: sequence)
}

@Suite struct StreamIDTests {
    @Test(arguments: ["0-0", "1-0", "1526919030474-55", "18446744073709551615-18446744073709551615"])
    func readsWhatItWrites(text: String) throws {
        #expect(try #require(RESPStreamID(text.utf8)).description == text)
    }

    @Test(arguments: [
        "", "-", "1", "1-", "-1", "1-2-3", "+1-1", "1-+1", " 1-1", "1-1 ", "a-1", "1_1", "18446744073709551616-0",
        "0-18446744073709551616", "1-1\u{301}", "--",
    ])
    func nothingElse(text: String) {
        #expect(RESPStreamID(text.utf8) == nil)
    }

    @Test func order() {
        #expect(id(9, 9) < id(10, 0) && id(10, 0) < id(10, 1) && !(id(10, 1) < id(10, 1)))
        #expect(id(1, 2).next == id(1, 3))
        #expect(id(1, .max).next == id(2, 0))
        #expect(id(.max, .max).next == nil)
    }
}

@Suite struct StreamCursorTests {
    private func describe(_ events: [StreamCursor.Event]) -> [String] {
        events.map { event in
            switch event {
            case .entries(let stream, let entries): "\(stream): \(entries.map(\.id))"
            case .unusable(let stream, let id, let error): "\(stream): \(id) \(error.code)"
            }
        }
    }

    @Test func beginsAtTheEnd() throws {
        var cursor = StreamCursor(keys: ["s", "t"], start: .end, count: 100, block: .seconds(5))
        #expect(cursor.infoCommands == [["XINFO", "STREAM", "s"], ["XINFO", "STREAM", "t"]])
        let info = ["length", "last-generated-id", "max-deleted-entry-id", "entries-added", "first-entry"].map(bulk)
        let values = [.integer(2), bulk("7-1"), bulk("3-0"), .integer(9), entry("4-0", "a", "b")]
        try cursor.received(info: .array(zip(info, values).flatMap { [$0, $1] }), of: 0)
        // One that is made with its first entry.
        try cursor.received(info: .error(RESPError(reply: "ERR no such key")), of: 1)
        #expect(cursor.positions.map(\.id) == [id(7, 1), .zero])
        #expect(cursor.positions[1].info == nil)
        let first = try #require(cursor.positions[0].info)
        #expect(first.length == 2 && first.entriesAdded == 9)
        #expect(first.maxDeletedID == id(3) && first.firstID == id(4))
        #expect(
            cursor.readCommand == ["XREAD", "COUNT", "100", "BLOCK", "5000", "STREAMS", "s", "t", "7-1", "0-0"]
        )
        // What was read stays read when the connection is another one.
        _ = try cursor.received(.array([.array([bulk("t"), .array([entry("8-0", "a", "b")])])]))
        try cursor.received(info: .array([info[1], bulk("99-0")]), of: 1)
        #expect(cursor.positions.map(\.id) == [id(7, 1), id(8)])
    }

    @Test func readsMapsAndArrays() throws {
        let entries = RESPValue.array([entry("1-0", "a", "b", "a", "c"), .array([bulk("1-1"), .null])])
        for reply in [
            RESPValue.map([RESPMapEntry(key: bulk("s"), value: entries)]), .array([.array([bulk("s"), entries])]),
        ] {
            var cursor = StreamCursor(keys: ["s"], start: .after(.zero), count: 10, block: .seconds(1))
            let events = try cursor.received(reply)
            #expect(self.describe(events) == ["0: [1-0, 1-1]"])
            guard case .entries(_, let entries) = events.first else { return }
            #expect(entries[0].fields.map { String(buffer: $0.value) } == ["b", "c"])
            #expect(entries[0]["a"] == ByteBuffer(string: "b"))
            #expect(entries[1].fields.isEmpty)
            #expect(cursor.positions[0].id == id(1, 1))
        }
        var cursor = StreamCursor(keys: ["s"], start: .after(.zero), count: 10, block: .seconds(1))
        #expect(try cursor.received(.null).isEmpty)
    }

    @Test func goesOnBehindWhatCannotBeUsed() throws {
        var cursor = StreamCursor(keys: ["s"], start: .after(.zero), count: 10, block: .seconds(1))
        let tooLong = RESPValue.error(RESPError(code: .tooLong, message: "x"))
        let entries: [RESPValue] = [
            entry("1-0", "a", "b"), .array([bulk("2-0"), .array([bulk("a"), tooLong])]),
            .array([bulk("3-0"), .array([.integer(1), .array([])])]), entry("4-0"),
        ]
        #expect(
            self.describe(try cursor.received(.array([.array([bulk("s"), .array(entries)])])))
                == ["0: [1-0]", "0: 2-0 tooLong", "0: 3-0 protocolViolation", "0: [4-0]"]
        )
        #expect(cursor.positions[0].id == id(4))
    }

    @Test(arguments: [
        RESPValue.integer(1), bulk("x"), .array([bulk("s")]), .array([.array([bulk("s")])]),
        .array([.array([bulk("u"), .array([])])]), .array([.array([bulk("s"), .integer(1)])]),
        .array([.array([bulk("s"), .array([bulk("1-0")])])]), .array([.array([bulk("s"), .array([entry("x")])])]),
        .array([.array([bulk("s"), .array([entry("5-0")])])]),
        .array([.array([bulk("s"), .array([entry("6-0"), entry("6-0")])])]),
        .map([RESPMapEntry(key: .integer(1), value: .array([]))]), .error(RESPError(reply: "WRONGTYPE x")),
    ])
    func whatIsNoAnswerIsAnError(reply: RESPValue) {
        var cursor = StreamCursor(keys: ["s"], start: .after(id(5)), count: 10, block: .seconds(1))
        #expect(throws: RESPError.self) { try cursor.received(reply) }
    }

    @Test func asksForLessAfterTooMuch() throws {
        var cursor = StreamCursor(keys: ["s"], start: .after(.zero), count: 10, block: .seconds(1))
        for count in [5, 2, 1, 1] {
            cursor.replyWasTooLong()
            #expect(cursor.count == count)
        }
        for (number, count) in [2, 4, 8, 10, 10].enumerated() {
            _ = try cursor.received(.array([.array([bulk("s"), .array([entry("\(number + 1)-0")])])]))
            #expect(cursor.count == count)
        }
    }
}

@Suite(.timeLimit(.minutes(1)))
struct StreamReaderTests {
    let redis = FakeRedis()
    private let lines = NIOLockedValueBox<[String]>([])

    private var taken: [String] {
        self.lines.withLockedValue { lines in
            defer { lines = [] }
            return lines
        }
    }

    private func read(_ client: RESPClient, from start: RESPStreamStart = .end) -> RESPStreamReader {
        client.readStreams(["s"], from: start, block: .seconds(60)) { [lines] event in
            let line =
                switch event {
                case .started(let positions): "started \(positions[0].id)"
                case .entries(_, let entries): "\(entries.map(\.id))"
                case .unusable(_, let id, _): "unusable \(id)"
                case .interrupted(let error): "interrupted \(error.message)"
                }
            lines.withLockedValue { $0.append(line) }
        }
    }

    private let xread = ["XREAD", "COUNT", "100", "BLOCK", "5000", "STREAMS", "s"]

    @Test func readsOnOverALoss() throws {
        let client = self.redis.makeClient()
        let reader = self.read(client)
        #expect(try self.redis.commands(0) == [["HELLO", "3"]])
        try self.redis.reply(0, FakeRedis.hello)
        #expect(try self.redis.commands(0) == [["XINFO", "STREAM", "s"]])
        #expect(self.taken == [])
        try self.redis.reply(0, "%1\r\n$17\r\nlast-generated-id\r\n$3\r\n3-1\r\n")
        #expect(self.taken == ["started 3-1"])
        #expect(try self.redis.commands(0) == [self.xread + ["3-1"]], "no longer than the keep-alive's interval")
        try self.redis.reply(0, "%1\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n4-0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n")
        #expect(self.taken == ["[4-0]"])
        #expect(try self.redis.commands(0) == [self.xread + ["4-0"]])
        // While Redis keeps it waiting a question stands behind.
        self.redis.advance(.seconds(5))
        #expect(try self.redis.commands(0) == [["ROLE"]])
        try self.redis.reply(0, "_\r\n")
        #expect(try self.redis.commands(0) == [self.xread + ["4-0"]])
        try self.redis.reply(0, "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n")
        #expect(self.taken == [])
        self.redis.drop(0)
        #expect(self.taken == ["interrupted Redis closed the connection"])
        self.redis.connectError = IOError(errnoCode: 111, reason: "connect")
        self.redis.advance(.milliseconds(50))
        #expect(self.taken == [], "that is known already")
        self.redis.connectError = nil
        self.redis.advance(.milliseconds(100))
        _ = try self.redis.commands(1)
        try self.redis.reply(1, FakeRedis.hello)
        _ = try self.redis.commands(1)
        try self.redis.reply(1, "%1\r\n$17\r\nlast-generated-id\r\n$3\r\n9-0\r\n")
        #expect(self.taken == ["started 4-0"])
        #expect(try self.redis.commands(1) == [self.xread + ["4-0"]])
        let cancelled = reader.cancelled()
        self.redis.loop.run()
        try cancelled.wait()
        #expect(!self.redis.channels[1].isActive)
        self.redis.advance(.seconds(10))
        #expect(self.redis.channels.count == 2)
        #expect(self.taken == [])
    }

    @Test func leavesASilentRedis() throws {
        let client = self.redis.makeClient()
        let reader = self.read(client, from: .after(.zero))
        _ = try self.redis.commands(0)
        try self.redis.reply(0, FakeRedis.hello + "-ERR no such key\r\n")
        #expect(self.taken == ["started 0-0"])
        self.redis.advance(.seconds(5))
        #expect(self.redis.channels[0].isActive)
        self.redis.advance(.seconds(5))
        #expect(!self.redis.channels[0].isActive)
        #expect(self.taken == ["interrupted silent for 10.0 s, a question was not answered"])
        _ = reader
    }

    @Test func leavesAReplica() throws {
        let client = self.redis.makeClient()
        let reader = self.read(client, from: .after(.zero))
        _ = try self.redis.commands(0)
        try self.redis.reply(0, FakeRedis.hello + "-ERR no such key\r\n")
        self.redis.advance(.seconds(5))
        try self.redis.reply(0, "_\r\n*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:7\r\n$9\r\nconnected\r\n:0\r\n")
        #expect(!self.redis.channels[0].isActive)
        #expect(self.taken.last?.contains("is a replica of h:7") == true)
        _ = reader
    }

    @Test(arguments: ["-WRONGTYPE x", "-NOPERM x", "-LOADING x", "$9\r\nno answer"])
    func refusalsAreTriedAgainAfterAPause(reply: String) throws {
        let client = self.redis.makeClient()
        let reader = self.read(client, from: .after(.zero))
        _ = try self.redis.commands(0)
        try self.redis.reply(0, FakeRedis.hello + "-ERR no such key\r\n")
        try self.redis.reply(0, reply + "\r\n")
        #expect(!self.redis.channels[0].isActive)
        #expect(self.taken.count == 2)
        self.redis.advance(.milliseconds(49))
        #expect(self.redis.channels.count == 1)
        self.redis.advance(.milliseconds(1))
        #expect(self.redis.channels.count == 2)
        // Again and again, with longer pauses.
        _ = try self.redis.commands(1)
        try self.redis.reply(1, FakeRedis.hello + reply + "\r\n")
        self.redis.advance(.milliseconds(99))
        #expect(self.redis.channels.count == 2)
        self.redis.advance(.milliseconds(1))
        #expect(self.redis.channels.count == 3)
        _ = reader
    }

    @Test func endsWithTheClient() throws {
        let client = self.redis.makeClient()
        let reader = self.read(client, from: .after(.zero))
        _ = try self.redis.commands(0)
        try self.redis.reply(0, FakeRedis.hello + "-ERR no such key\r\n")
        let closed = client.closed()
        self.redis.loop.run()
        try closed.wait()
        #expect(!self.redis.channels[0].isActive)
        #expect(self.taken == ["started 0-0"])
        _ = reader
    }
}
