import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import OrderedCollections
import SocketIOServer
import SocketIOWire
import Testing

@testable import Gateway

/// The log that all nodes write, and those who read it.
@Suite(.timeLimit(.minutes(1))) struct EventLogTests {
    private static func bytes(_ text: String) -> ByteBuffer { ByteBuffer(string: #"{"type":"\#(text)"}"#) }
    private static func id(_ milliseconds: UInt64, _ sequence: UInt64) -> LogEntryID {
        LogEntryID(milliseconds: milliseconds, sequence: sequence)
    }

    private static func log(_ types: [String], keeping limit: Int = 100, at seconds: Double = 1) async -> InMemoryLog {
        let log = InMemoryLog { seconds }
        await log.append(types.map(Self.bytes), keeping: limit)
        return log
    }

    private func reader(_ log: any SharedLog, after id: LogEntryID? = nil) -> EventLogReader {
        EventLog(log, eventLoop: MultiThreadedEventLoopGroup.singleton.next()).reader(after: id, pause: .zero)
    }

    private func types(_ news: EventLogReader.News?) -> [String]? {
        if case .entries(let entries)? = news { entries.map { $0.type ?? "none" } } else { nil }
    }

    private func isGap(_ news: EventLogReader.News?) -> Bool { if case .gap? = news { true } else { false } }

    // MARK: Places

    @Test(
        arguments: [
            ("0-0", 0, 0), ("1789000000000-7", 1_789_000_000_000, 7),
            ("18446744073709551615-18446744073709551615", .max, .max), ("007-1", 7, 1),
        ] as [(String, UInt64, UInt64)]
    )
    func placesAreRead(text: String, milliseconds: UInt64, sequence: UInt64) {
        #expect(LogEntryID(text) == Self.id(milliseconds, sequence))
    }

    @Test(arguments: [
        "", "-", "1", "1-", "-1", "1-1-1", "1-1 ", " 1-1", "+1-1", "1-+1", "１-1", "1-1\r\n", "0x1-1", "$", "*", "1-*",
        "18446744073709551616-0", "999999999999999999999999-1", "1\u{0}-1",
    ])
    func otherTextsAreNoPlaces(text: String) { #expect(LogEntryID(text) == nil) }

    @Test func theNextPlace() {
        #expect(Self.id(1, 2).next == Self.id(1, 3))
        #expect(Self.id(1, .max).next == Self.id(2, 0))
        #expect(Self.id(.max, .max).next == nil)
        #expect(Self.id(1, .max) < Self.id(2, 0))
    }

    // MARK: The log

    @Test func theNewestAreKeptInOrder() async {
        // The clock stands still, and then goes back.
        let seconds = NIOLockedValueBox(5.0)
        let log = InMemoryLog { seconds.withLockedValue { $0 } }
        await log.append(["a", "b", "c"].map(Self.bytes), keeping: 3)
        seconds.withLockedValue { $0 = 1 }
        await log.append(["d"].map(Self.bytes), keeping: 3)
        let all = await log.last(10, before: nil)
        #expect(all.map(\.bytes) == ["b", "c", "d"].map(Self.bytes))
        #expect(all.map(\.id) == [Self.id(5000, 1), Self.id(5000, 2), Self.id(5000, 3)])
        #expect(await log.last(2, before: Self.id(5000, 3)).map(\.id) == [Self.id(5000, 1), Self.id(5000, 2)])
        #expect(await log.last(2, before: Self.id(5000, 1)) == [])
        #expect(await log.last(0, before: nil) == [])
    }

    /// A page is whole only if nothing between the place and its first entry is gone.
    @Test(arguments: [
        (LogEntryID(milliseconds: 1000, sequence: 0), 3, true, 2),
        (LogEntryID(milliseconds: 1000, sequence: 0), 2, false, 2),
        (LogEntryID(milliseconds: 1000, sequence: 1), 2, true, 1),
        (LogEntryID(milliseconds: 1000, sequence: 2), 2, true, 0),
        (LogEntryID(milliseconds: 999, sequence: 0), 3, false, 3),
        (LogEntryID(milliseconds: 2000, sequence: 0), 3, false, 0),
    ])
    func gapsAreSeen(after id: LogEntryID, kept: Int, isWhole: Bool, count: Int) async {
        let page = await Self.log(["a", "b", "c"], keeping: kept).entries(after: id, count: 10)
        #expect(page.isWhole == isWhole)
        #expect(page.entries.count == count)
        #expect(page.newest == Self.id(1000, 2))
    }

    // MARK: Readers

    @Test func aReaderHearsWhatIsWrittenFromNowOn() async {
        let log = await Self.log(["old"])
        let reader = self.reader(log)
        // It finds its place before it waits for more.
        if case .nothing? = await reader.next(within: .zero) {} else { Issue.record("there was nothing yet") }
        await log.append(["a", "b"].map(Self.bytes), keeping: 100)
        #expect(self.types(await reader.next(within: .minutes(1))) == ["a", "b"])
        async let next = reader.next(within: .minutes(1))
        await log.append(["c"].map(Self.bytes), keeping: 100)
        #expect(self.types(await next) == ["c"])
    }

    /// The reader of a log that was empty hears all of it, and of no gap.
    @Test func anEmptyLogHasNoGap() async {
        let log = InMemoryLog()
        let reader = self.reader(log)
        _ = await reader.next(within: .zero)
        await log.append(["a"].map(Self.bytes), keeping: 100)
        #expect(self.types(await reader.next(within: .minutes(1))) == ["a"])
    }

    @Test func aReaderGoesOnWhereItWas() async {
        let log = await Self.log(["a", "b", "c"])
        #expect(self.types(await self.reader(log, after: Self.id(1000, 0)).next(within: .minutes(1))) == ["b", "c"])
    }

    @Test func aReaderIsToldOfAGap() async {
        let log = await Self.log(["a", "b", "c"], keeping: 1)
        let reader = self.reader(log, after: Self.id(1000, 0))
        #expect(self.isGap(await reader.next(within: .minutes(1))))
        #expect(self.types(await reader.next(within: .minutes(1))) == ["c"])
    }

    /// A place that this log has not given out is one of a log that is gone.
    @Test func aReaderOfAnotherLogHearsOfAGapAndThenAll() async {
        let log = await Self.log(["a", "b"])
        let reader = self.reader(log, after: Self.id(.max, .max))
        #expect(self.isGap(await reader.next(within: .minutes(1))))
        #expect(self.types(await reader.next(within: .minutes(1))) == ["a", "b"])
    }

    /// Long logs come page by page, with nothing missing or twice.
    @Test func pagesFollowEachOther() async {
        let types = (0..<1001).map { "\($0)" }
        let log = await Self.log(types, keeping: 2000)
        let reader = self.reader(log, after: Self.id(1000, 0))
        var heard = ["0"]
        while heard.count < types.count, let page = self.types(await reader.next(within: .minutes(1))) {
            #expect(page.count <= 100)
            heard += page
        }
        #expect(heard == types)
    }

    @Test func aReaderThatIsCancelledReturns() async {
        let reader = self.reader(await Self.log(["a"]))
        let (waits, isWaiting) = AsyncStream.makeStream(of: Void.self)
        let task = Task {
            _ = await reader.next(within: .zero)
            isWaiting.yield()
            return await reader.next(within: .minutes(10)) == nil
        }
        for await _ in waits { break }
        task.cancel()
        #expect(await task.value)
    }

    @Test func whatIsNoEntryIsLeftOut() async throws {
        let log = InMemoryLog()
        await log.append(["[", "[]", "1", #"{"type":"a"}"#].map { ByteBuffer(string: $0) }, keeping: 10)
        let entries = try await EventLog(log, eventLoop: MultiThreadedEventLoopGroup.singleton.next()).last(10)
        #expect(entries.map(\.type) == ["a"])
    }

    // MARK: Counting

    @Test func eventsAreCountedByTypeAndSecond() {
        var counters = EventCounters(now: 1000)
        for second in 0..<90 { for _ in 0..<2 { counters.count("a", at: 1000 + Double(second)) } }
        counters.count("b", at: 1089)
        let reading = counters.reading(at: 1089.5)
        #expect(reading.total == 181)
        #expect(reading.byType.map(\.type) == ["a", "b"])
        #expect(reading.byType.map(\.count) == [180, 1])
        // The last minute has sixty seconds with two each.
        #expect(reading.perSecond == 121.0 / 60)
        #expect(counters.reading(at: 1149).perSecond == 0)
        #expect(counters.reading(at: 1e12).perSecond == 0)
        #expect(counters.reading(at: 1e12).total == 181)
        counters.reset(at: 2000)
        counters.count("c", at: 2000.5)
        #expect(counters.reading(at: 2001).perSecond == 1)
        #expect(counters.reading(at: 2010).perSecond == 0.1)
        #expect(counters.reading(at: 2010).lastReset == 2000)
    }

    /// A clock that jumps, or says nonsense, breaks nothing.
    @Test(arguments: [Double.nan, .infinity, -.infinity, -5, 0, 1e300])
    func strangeTimes(now: Double) {
        var counters = EventCounters(now: 1000)
        counters.count("a", at: now)
        #expect(counters.reading(at: now).total == 1)
        var others = EventCounters(now: now)
        others.count("a", at: 1000)
        #expect(others.reading(at: 1000).total == 1)
    }

    @Test func typesAreBounded() {
        var counters = EventCounters(now: 0)
        for number in 0..<1000 { counters.count(UTF8Text("type-\(number)"), at: 0) }
        let reading = counters.reading(at: 0)
        #expect(reading.byType.count == EventCounters.maximumTypes + 1)
        #expect(reading.byType.first { $0.type == "other" }?.count == 1000 - EventCounters.maximumTypes)
    }
}
