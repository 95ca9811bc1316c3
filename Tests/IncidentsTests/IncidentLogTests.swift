import Incidents
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@Suite(.timeLimit(.minutes(1)))
struct IncidentLogTests {
    /// Keeps what is logged.
    private struct Handler: LogHandler {
        let lines: NIOLockedValueBox<[String]>
        var logLevel = Logger.Level.info
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let metadata = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0)=\($1)" }
            self.lines.withLockedValue {
                $0.append((["\(event.level)", "\(event.message)"] + metadata).joined(separator: " "))
            }
        }
    }

    private final class Fixture {
        let loop = EmbeddedEventLoop()
        let lines = NIOLockedValueBox<[String]>([])
        private(set) lazy var log = IncidentLog(
            logger: Logger(label: "test") { [lines] _ in Handler(lines: lines, logLevel: self.level) },
            source: "Tests",
            eventLoop: self.loop
        )
        let level: Logger.Level

        init(level: Logger.Level = .info) { self.level = level }

        func take() -> [String] {
            self.lines.withLockedValue { lines in
                defer { lines = [] }
                return lines
            }
        }
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
