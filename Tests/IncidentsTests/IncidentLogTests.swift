import Incidents
import Logging
import NIOCore
import NIOEmbedded
import SocketIOTestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct IncidentLogTests {
    private struct Fixture {
        let loop = EmbeddedEventLoop()
        let lines = LogLines()
        let log: IncidentLog

        init(level: Logger.Level = .info) {
            self.log = IncidentLog(logger: self.lines.logger(level), source: "Tests", eventLoop: self.loop)
        }

        func take() -> [String] { self.lines.take() }
    }

    @Test func theFirstIsToldAtOnceAndTheRestTogether() {
        let fixture = Fixture()
        fixture.log.record("Refused", reason: "full", details: ["address": "192.0.2.1"])
        #expect(fixture.take() == ["info Refused address=192.0.2.1 count=1 reason=full"])
        for _ in 0..<1000 { fixture.log.record("Refused", reason: "full") }
        fixture.log.record("Refused", reason: "full", count: 7)
        #expect(fixture.take() == [])
        fixture.loop.advanceTime(by: .seconds(59))
        #expect(fixture.take() == [])
        fixture.loop.advanceTime(by: .seconds(1))
        #expect(fixture.take() == ["info Refused count=1007 reason=full seconds=60"])
    }

    @Test func aQuietMinuteMakesTheNextOneNewsAgain() {
        let fixture = Fixture()
        fixture.log.record("Refused", reason: "full")
        fixture.loop.advanceTime(by: .seconds(60))
        #expect(fixture.take().count == 1)
        fixture.log.record("Refused", reason: "full")
        #expect(fixture.take() == ["info Refused count=1 reason=full"])
    }

    @Test func reasonsDoNotHideEachOther() {
        let fixture = Fixture()
        fixture.log.record("Refused", reason: "full")
        fixture.log.record("Refused", reason: "late")
        fixture.log.record("Dropped", reason: "full")
        #expect(fixture.take().count == 3)
    }

    /// A line a minute, for however long it goes on, and no incident uncounted.
    @Test func aFloodIsALineAMinute() {
        let fixture = Fixture()
        for _ in 0..<600 {
            for _ in 0..<10 { fixture.log.record("Refused", reason: "full") }
            fixture.loop.advanceTime(by: .seconds(1))
        }
        let lines = fixture.take()
        #expect(lines.count == 11)
        let counts = lines.compactMap { line in line.split(separator: " ").compactMap { Int($0.dropFirst(6)) }.first }
        #expect(counts.reduce(0, +) == 6000)
    }

    /// What stands for many is told with the details of one of them.
    @Test func theRestIsToldWithTheDetailsOfItsFirst() {
        let fixture = Fixture()
        for number in 0..<5 { fixture.log.record("Refused", reason: "full", details: ["number": "\(number)"]) }
        #expect(fixture.take() == ["info Refused count=1 number=0 reason=full"])
        fixture.loop.advanceTime(by: .seconds(60))
        #expect(fixture.take() == ["info Refused count=4 number=1 reason=full seconds=60"])
        fixture.log.record("Refused", reason: "full")
        fixture.loop.advanceTime(by: .seconds(60))
        #expect(fixture.take() == ["info Refused count=1 reason=full seconds=60"])
    }

    /// Nobody makes texts of what is not told.
    @Test func detailsAreMadeForLinesOnly() {
        let fixture = Fixture()
        var made = 0
        func details() -> Logger.Metadata {
            made += 1
            return [:]
        }
        for _ in 0..<1000 { fixture.log.record("Refused", reason: "full", details: details()) }
        // The first, and the first of the rest.
        #expect(made == 2)
        let silent = Fixture(level: .warning)
        silent.log.record("Refused", reason: "full", details: details())
        #expect(made == 2)
    }

    // MARK: Failures

    private func fail(_ fixture: Fixture, times: Int) {
        for number in 0..<times {
            fixture.log.record(
                "A handler failed",
                reason: "event",
                level: .warning,
                pace: .failures,
                details: ["number": "\(number)"]
            )
        }
    }

    /// Clients can't fill the log with an application's failures, and what it leaves out is counted.
    @Test func manyFailuresAreFewWarnings() {
        let fixture = Fixture()
        self.fail(fixture, times: 1000)
        let first = fixture.take()
        #expect(first == (0..<20).map { "warning A handler failed count=1 number=\($0) reason=event" })
        fixture.loop.advanceTime(by: .seconds(1))
        #expect(fixture.take() == ["warning A handler failed count=980 number=20 reason=event seconds=1"])
        self.fail(fixture, times: 1000)
        #expect(fixture.take() == [])
        fixture.loop.advanceTime(by: .seconds(1))
        #expect(fixture.take() == ["warning A handler failed count=1000 number=0 reason=event seconds=1"])
    }

    @Test func eachQuietSecondBringsBackALine() {
        let fixture = Fixture()
        self.fail(fixture, times: 20)
        #expect(fixture.take().count == 20)
        fixture.loop.advanceTime(by: .seconds(5))
        #expect(fixture.take() == [])
        self.fail(fixture, times: 6)
        #expect(fixture.take().count == 5)
        fixture.loop.advanceTime(by: .seconds(1))
        #expect(fixture.take() == ["warning A handler failed count=1 number=5 reason=event seconds=1"])
        fixture.loop.advanceTime(by: .seconds(100))
        self.fail(fixture, times: 21)
        #expect(fixture.take().count == 20)
    }

    /// Whoever looks for one sees each.
    @Test func allFailuresAreToldAtDebug() {
        let fixture = Fixture(level: .debug)
        self.fail(fixture, times: 100)
        let lines = fixture.take()
        #expect(lines.count == 100)
        #expect(lines.last == "debug A handler failed number=99")
    }

    @Test func theLevelIsRespected() {
        let fixture = Fixture(level: .warning)
        fixture.log.record("Refused", reason: "full")
        #expect(fixture.take() == [])
        fixture.log.record("No descriptors", reason: "limit", level: .warning)
        #expect(fixture.take().count == 1)
    }

    @Test func howManyReasonsThereAreIsBounded() {
        let fixture = Fixture()
        for number in 0..<10_000 { fixture.log.record("Refused", reason: "\(number)") }
        #expect(fixture.take().count == 256)
        fixture.loop.advanceTime(by: .seconds(60))
        fixture.log.record("Refused", reason: "another")
        #expect(fixture.take().count == 1)
    }
}
