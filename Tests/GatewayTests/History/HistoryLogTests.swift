import NIOCore
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

/// What the in-memory kind of histories keeps.
@Suite struct HistoryLogTests {
    private static func stream(
        _ name: String = "a",
        size: Int = 3,
        ttl: Int = 10,
        mark: String? = nil
    )
        -> HistoryAddition.Stream
    {
        .init(name: name, retention: HistoryRetention(size: size, ttl: .seconds(ttl)), mark: mark)
    }

    private static func addition(_ text: String, to streams: HistoryAddition.Stream...) -> HistoryAddition {
        HistoryAddition(id: text, streams: streams, message: ByteBuffer(string: text))
    }

    /// Histories, and what to ask of them in few words.
    private struct Logs {
        var logs = HistoryLogs(maximumCount: 100, maximumBytes: 10_000)
        var now = 0.0

        @discardableResult
        mutating func add(_ text: String, to streams: HistoryAddition.Stream...) -> [HistoryPosition]? {
            self.logs.append(
                HistoryAddition(id: text, streams: streams, message: ByteBuffer(string: text)),
                at: self.now
            )
        }

        /// `["b", "c"]`, or the reason why not.
        mutating func read(
            _ stream: HistoryAddition.Stream,
            since: HistoryPosition? = nil,
            _ extent: HistoryQuestion.Extent = .whole,
            limit: Int = 100,
            bytes: Int = 1_000
        ) -> [String] {
            let question = HistoryQuestion(stream, since: since, extent: extent, limit: limit, maximumBytes: bytes)
            let answer = self.logs.read(question, at: self.now)
            if let loss = answer.loss { return ["!\(loss.rawValue)"] }
            return answer.events.map { String(buffer: $0.message) } + (answer.hasMore ? ["…"] : [])
        }

        mutating func position(_ stream: HistoryAddition.Stream) -> HistoryPosition {
            self.logs.read(HistoryQuestion(stream, limit: 1), at: self.now).position
        }
    }

    @Test func everythingBehindAPositionIsThereOrNothing() {
        var logs = Logs()
        let stream = Self.stream()
        let start = logs.position(stream)
        #expect(start.offset == 0)
        #expect(logs.read(stream, since: start) == [])
        logs.add("a", to: stream)
        let first = logs.position(stream)
        logs.add("b", to: stream)
        logs.add("c", to: stream)
        #expect(logs.read(stream, since: start) == ["a", "b", "c"])
        #expect(logs.read(stream, since: first) == ["b", "c"])
        #expect(logs.read(stream, since: first, limit: 1) == ["!too many"])
        #expect(logs.read(stream, since: first, bytes: 1) == ["!too many"])
        logs.add("d", to: stream)
        #expect(logs.read(stream, since: start) == ["!trimmed"])
        #expect(logs.read(stream, since: first) == ["b", "c", "d"])
        // A place that the history has not given out.
        #expect(logs.read(stream, since: HistoryPosition(offset: 5, epoch: first.epoch)) == ["!epoch"])
        #expect(logs.read(stream, since: HistoryPosition(offset: 2, epoch: "other")) == ["!epoch"])
        #expect(logs.read(stream) == [])
    }

    @Test func pagesGoOnWhereTheLastOneEnded() {
        var logs = Logs()
        let stream = Self.stream(size: 10)
        let start = logs.position(stream)
        for text in ["a", "b", "c", "d"] { logs.add(text, to: stream) }
        #expect(logs.read(stream, .page, limit: 2) == ["c", "d"])
        #expect(logs.read(stream, since: start, .page, limit: 3) == ["a", "b", "c", "…"])
        // One event is given, however long it is, or nobody would get on.
        #expect(logs.read(stream, since: start, .page, bytes: 0) == ["a", "…"])
    }

    @Test func timeTakesEventsAndThenTheHistory() {
        var logs = Logs()
        let stream = Self.stream(size: 10)
        let start = logs.position(stream)
        logs.add("a", to: stream)
        let first = logs.position(stream)
        logs.now = 6
        logs.add("b", to: stream)
        logs.now = 11
        #expect(logs.read(stream, since: start) == ["!trimmed"])
        #expect(logs.read(stream, since: first) == ["b"])
        #expect(logs.read(stream, .page) == ["b"])
        logs.now = 17
        #expect(logs.read(stream, since: first) == ["!epoch"])
        #expect(logs.position(stream).offset == 0)
    }

    @Test func whatIsMissingInAHistoryMakesItsPositionsWorthless() {
        var logs = Logs()
        let (number, text) = (Self.stream("1", mark: "n"), Self.stream("2", mark: "t"))
        logs.add("a", to: number, text)
        let positions = (logs.position(number), logs.position(text))
        var marked = Self.addition("b", to: number)
        marked.marks = ["t"]
        _ = logs.logs.append(marked, at: 0)
        #expect(logs.read(number, since: positions.0) == ["b"])
        #expect(logs.read(text, since: positions.1) == ["!epoch"])
        var dropped = Self.addition("c", to: number)
        dropped.isKept = false
        #expect(logs.logs.append(dropped, at: 0) == nil)
        #expect(logs.read(number, since: positions.0) == ["!epoch"])
        let later = (logs.position(number), logs.position(text))
        var all = HistoryAddition(id: "", streams: [], message: ByteBuffer())
        all.marksEverything = true
        #expect(logs.logs.append(all, at: 0) == nil)
        #expect(logs.read(number, since: later.0) == ["!epoch"])
        #expect(logs.read(text, since: later.1) == ["!epoch"])
    }

    @Test func whatWasAddedBeforeIsNotAddedAgain() {
        var logs = Logs()
        let stream = Self.stream()
        let start = logs.position(stream)
        logs.add("a", to: stream)
        var again = Self.addition("a", to: stream)
        again.isRepeated = true
        #expect(logs.logs.append(again, at: 0) == nil)
        #expect(logs.read(stream, since: start) == ["a"])
    }

    @Test func memoryIsBounded() {
        var logs = HistoryLogs(maximumCount: 50, maximumBytes: 1_000)
        let message = ByteBuffer(repeating: 0, count: 10)
        for index in 0..<1_000 {
            let stream = Self.stream("\(index)", size: 2)
            for _ in 0..<3 {
                _ = logs.append(HistoryAddition(id: "\(index)", streams: [stream], message: message), at: 0)
            }
            // Readers make histories, too.
            _ = logs.read(HistoryQuestion(Self.stream("read-\(index)"), limit: 1), at: 0)
            #expect(logs.count <= 51)
            #expect(logs.byteCount <= 1_010)
        }
        // The newest is there.
        let answer = logs.read(HistoryQuestion(Self.stream("999"), extent: .page, limit: 9), at: 0)
        #expect(answer.events.count == 2)
        let long = ByteBuffer(repeating: 0, count: 5_000)
        _ = logs.append(HistoryAddition(id: "l", streams: [Self.stream("long")], message: long), at: 0)
        #expect(logs.count == 1)
    }

    // MARK: What waits

    @Test func whatCouldNotBeAddedIsAddedInOrderAndWhatFoundNoPlaceIsMarked() {
        var box = HistoryOutbox(maximumCount: 2, maximumBytes: 100)
        #expect(!box.isInUse)
        #expect(box.begin() == nil)
        for text in ["a", "b", "c"] { box.keep(Self.addition(text, to: Self.stream())) }
        #expect(box.isInUse)
        #expect(box.hasLost)
        let first = box.begin()
        #expect(first?.id == "a")
        #expect(first?.isRepeated == true)
        // One at a time.
        #expect(box.begin() == nil)
        box.failed()
        #expect(box.begin()?.id == "a")
        #expect(box.added()?.id == "b")
        let mark = box.added()
        #expect(mark?.marksEverything == true)
        #expect(mark?.streams.isEmpty == true)
        #expect(box.isInUse)
        #expect(box.added() == nil)
        #expect(!box.isInUse)
        box.keep(HistoryAddition(id: "long", streams: [], message: ByteBuffer(repeating: 0, count: 101)))
        #expect(box.begin()?.marksEverything == true)
    }

    @Test func ownAdditionsAreDeliveredOnce() {
        var own = OwnAdditions(capacity: 2)
        own.begin("a")
        #expect(
            [own.deliverEarly("a"), own.deliverEarly("a"), own.heard("a"), own.heard("a")] == [
                true, false, true, false,
            ]
        )
        own.begin("b")
        // The node has heard of it before it was told that it failed.
        #expect([own.heard("b"), own.deliverEarly("b"), own.heard("of somebody else")] == [false, false, false])
        for id in ["c", "d", "e"] { own.begin(id) }
        #expect([own.deliverEarly("c"), own.deliverEarly("d"), own.deliverEarly("e")] == [false, true, true])
    }

    // MARK: Texts

    @Test(
        arguments: [
            ["offset": 3, "epoch": "x"], ["offset": 0, "epoch": ""], ["offset": 3, "epoch": "x", "room": "r"],
        ] as [JSONValue]
    )
    func positionsAreRead(_ value: JSONValue) throws {
        let position = try #require(HistoryPosition(value))
        #expect(HistoryPosition(text: position.text) == position)
    }

    @Test(
        arguments: [
            .null, "x", 3, [:], ["offset": 3], ["epoch": "x"], ["offset": -1, "epoch": "x"],
            ["offset": 1.5, "epoch": "x"],
            ["offset": "3", "epoch": "x"], ["offset": 3, "epoch": 4], ["offset": 9_007_199_254_740_993, "epoch": "x"],
            ["offset": 3, "epoch": .string(String(repeating: "x", count: 129))], [3, "x"],
        ] as [JSONValue]
    )
    func whatIsNoPositionIsNotRead(_ value: JSONValue) { #expect(HistoryPosition(value) == nil) }

    @Test(arguments: [
        "", "@", "3", "x@y", "-1@x", "9999999999999999999@x", " 3@x", "3@" + String(repeating: "x", count: 129),
    ])
    func textsThatAreNoPositionsAreNotRead(_ text: String) { #expect(HistoryPosition(text: text) == nil) }

    /// Names of rooms that back ends choose are any text.
    @Test(arguments: ["a", "", "room:x", "entity:api::a.b:1", "é:\u{301}", "a\nb\tc", "io-history:room:x", "@"])
    func namesOfHistoriesAreReadBack(_ name: String) throws {
        let room = HistoryKey.room(Room(name))
        #expect(HistoryKey(name: room.name) == room)
        #expect(HistoryKey(followersRoom: room.followersRoom) == room)
        #expect(RoomName.isInternal(room.followersRoom))
        #expect(RoomName.isReserved(room.positionsRoom.name))
    }

    @Test func entitiesHaveHistoriesOfTheirOwn() {
        let key = HistoryKey.entity(EntityRef(uid: Samples.article, id: "5"))
        #expect(HistoryKey(name: key.name) == key)
        #expect(HistoryKey(followersRoom: key.followersRoom) == key)
        #expect(EntityRef(followedIn: key.followersRoom) == nil)
        for name in ["", "room", "entity:", "entity:x", "entity:api::a.b:", "other:x"] {
            #expect(HistoryKey(name: name) == nil)
        }
    }

    @Test func contentsAreReadBack() throws {
        let lifecycle = LifecycleEvent(
            event: "update",
            schema: SchemaReference(uid: Samples.article, singularName: "story"),
            data: Samples.entry
        )
        let key = HistoryKey.entity(EntityRef(uid: Samples.article, id: "abc"))
        let content = HistoryContent(id: "i", keys: [key, .room("r")], except: ["s"], body: .lifecycle(lifecycle))
        let read = try HistoryContent(content.bytes)
        #expect(read.keys == content.keys)
        #expect(read.except == ["s"])
        guard case .lifecycle(let event) = read.body else { return #expect(Bool(false), "another body") }
        #expect(event == lifecycle)
        let binary = JSONValue.binary(ByteBuffer(bytes: [0, 255, 10]))
        let raw = try HistoryContent(
            HistoryContent(id: "i", keys: [], except: [], body: .raw(event: "e", argument: binary)).bytes
        )
        guard case .raw("e", let argument) = raw.body else { return #expect(Bool(false), "another body") }
        #expect(argument == binary)
        let head = try HistoryContent.head(of: content.bytes)
        #expect(head.id == "i")
        #expect(head.keys == content.keys)
    }

    /// Somebody else may have written into the histories.
    @Test func spoiledContentsAreErrorsAndNothingElse() throws {
        let bytes = HistoryContent(
            id: "i",
            keys: [.room("r")],
            except: ["s"],
            body: .raw(event: "e", argument: ["a": [1, 2]])
        ).bytes
        for length in 0..<bytes.readableBytes {
            let cut = try #require(bytes.getSlice(at: 0, length: length))
            #expect(throws: (any Error).self) { try HistoryContent(cut) }
        }
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<5_000 {
            var spoiled = bytes
            let index = Int.random(in: 0..<bytes.readableBytes, using: &generator)
            spoiled.setInteger(UInt8.random(in: .min ... .max, using: &generator), at: index)
            _ = try? HistoryContent(spoiled)
            _ = try? HistoryContent.head(of: spoiled)
        }
    }

    @Test func aPlaceFollowsTheOneBeforeOrBeginsAnew() {
        let last = HistoryPosition(offset: 3, epoch: "e")
        #expect(HistoryPosition(offset: 4, epoch: "e").follows(last))
        #expect(HistoryPosition(offset: 4, epoch: "marked").follows(last))
        #expect(HistoryPosition(offset: 1, epoch: "f").follows(last))
        #expect(!HistoryPosition(offset: 5, epoch: "e").follows(last))
        #expect(!HistoryPosition(offset: 3, epoch: "e").follows(last))
        #expect(!HistoryPosition(offset: 1, epoch: "e").follows(last))
        #expect(!HistoryPosition(offset: 2, epoch: "f").follows(last))
    }
}
