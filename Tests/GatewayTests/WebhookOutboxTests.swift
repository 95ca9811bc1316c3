import NIOCore
import Testing

@testable import Gateway

/// What is sent to a webhook when, what again, and what is given up: the whole on a clock of its own.
@Suite(.timeLimit(.minutes(1))) struct WebhookOutboxTests {
    private typealias Outbox = WebhookOutbox<Int, String>

    private static func at(_ milliseconds: Int64) -> NIODeadline { .uptimeNanoseconds(1) + .milliseconds(milliseconds) }

    private static func settings(_ change: (inout Outbox.Settings) -> Void = { _ in }) -> Outbox.Settings {
        var settings = Outbox.Settings()
        settings.backoff = Backoff(first: .milliseconds(100), longest: .milliseconds(400))
        settings.breaker = .init(failures: 3, pause: .milliseconds(1000), longestPause: .milliseconds(4000))
        change(&settings)
        return settings
    }

    private static func put(
        _ outbox: inout Outbox,
        _ message: String,
        lane: Int = 0,
        bytes: Int = 10,
        until end: Int64 = 60_000,
        canWait: Bool = true,
        at now: Int64 = 0
    ) throws {
        try outbox.enqueue(
            message,
            lane: lane,
            bytes: bytes,
            deadline: Self.at(end),
            canWait: canWait,
            at: Self.at(now)
        )
    }

    private static func sent(_ step: Outbox.Step) -> [[String]] { step.sendings.map { $0.messages.map(\.message) } }

    @Test func eventsOfALaneAreSentOneAfterTheOther() throws {
        var outbox = Outbox(Self.settings())
        for message in ["a1", "a2", "a3"] { try Self.put(&outbox, message, lane: 1) }
        try Self.put(&outbox, "b1", lane: 2)
        let first = outbox.due(at: Self.at(0))
        #expect(Self.sent(first) == [["a1"], ["b1"]])
        #expect(outbox.due(at: Self.at(1)).sendings.isEmpty)
        #expect(outbox.finished(first.sendings[0].batch, .answered, at: Self.at(2), chance: 0).ended.count == 1)
        #expect(Self.sent(outbox.due(at: Self.at(2))) == [["a2"]])
    }

    @Test func requestsAreLimitedAndLanesTakeTurns() throws {
        var outbox = Outbox(Self.settings { $0.concurrency = 1 })
        for lane in 1...3 { for number in 1...2 { try Self.put(&outbox, "\(lane).\(number)", lane: lane) } }
        var order: [String] = []
        while case let step = outbox.due(at: Self.at(0)), let sending = step.sendings.first {
            #expect(step.sendings.count == 1)
            order += sending.messages.map(\.message)
            _ = outbox.finished(sending.batch, .answered, at: Self.at(0), chance: 0)
        }
        #expect(order == ["1.1", "2.1", "3.1", "1.2", "2.2", "3.2"])
        #expect(outbox.count == 0)
        #expect(outbox.bytes == 0)
        #expect(outbox.laneCount == 0)
    }

    @Test func batchesHoldSoManyEventsAndBytes() throws {
        var outbox = Outbox(
            Self.settings {
                $0.batch = 3
                $0.batchBytes = 25
            }
        )
        for number in 1...3 { try Self.put(&outbox, "a\(number)", lane: 1) }
        try Self.put(&outbox, "long", lane: 2, bytes: 1000)
        for lane in 3...7 { try Self.put(&outbox, "\(lane)", lane: lane, bytes: 5) }
        let step = outbox.due(at: Self.at(0))
        #expect(Self.sent(step) == [["a1", "a2"], ["long"], ["3", "4", "5"], ["6", "7"]])
        _ = outbox.finished(step.sendings[0].batch, .answered, at: Self.at(0), chance: 0)
        #expect(Self.sent(outbox.due(at: Self.at(0))) == [["a3"]])
    }

    @Test func whatIsTooMuchIsNotTaken() throws {
        var outbox = Outbox(
            Self.settings {
                $0.maximumEvents = 4
                $0.maximumBytes = 100
                $0.maximumEventsPerLane = 2
            }
        )
        try Self.put(&outbox, "1", lane: 1)
        try Self.put(&outbox, "2", lane: 1)
        #expect(throws: Outbox.Refusal.laneFull) { try Self.put(&outbox, "3", lane: 1) }
        #expect(throws: Outbox.Refusal.full) { try Self.put(&outbox, "3", lane: 2, bytes: 81) }
        try Self.put(&outbox, "3", lane: 2)
        try Self.put(&outbox, "4", lane: 3)
        #expect(throws: Outbox.Refusal.full) { try Self.put(&outbox, "5", lane: 4) }
        // What is under way counts until it is answered.
        let step = outbox.due(at: Self.at(0))
        #expect(step.sendings.count == 3)
        #expect(throws: Outbox.Refusal.full) { try Self.put(&outbox, "5", lane: 4) }
        _ = outbox.finished(step.sendings[0].batch, .answered, at: Self.at(0), chance: 0)
        try Self.put(&outbox, "5", lane: 4)
    }

    @Test func failuresAreRepeatedWithGrowingPauses() throws {
        var outbox = Outbox(
            Self.settings {
                $0.attempts = 4
                $0.breaker.failures = 100
            }
        )
        try Self.put(&outbox, "x")
        var now: Int64 = 0
        var pauses: [Int64] = []
        var batches: Set<Int> = []
        for attempt in 0..<4 {
            let step = outbox.due(at: Self.at(now))
            let sending = try #require(step.sendings.first)
            #expect(sending.earlierAttempts == attempt)
            batches.insert(sending.batch)
            let result = outbox.finished(sending.batch, .failed(retryAfter: nil), at: Self.at(now), chance: 1)
            guard attempt < 3 else {
                #expect(result.ended.map(\.end) == [.exhausted])
                break
            }
            #expect(result.ended.isEmpty)
            let wakeAt = try #require(outbox.due(at: Self.at(now)).wakeAt)
            #expect(outbox.due(at: wakeAt - .milliseconds(1)).sendings.isEmpty)
            pauses.append((wakeAt - Self.at(now)).nanoseconds / 1_000_000)
            now = (wakeAt - Self.at(0)).nanoseconds / 1_000_000
        }
        #expect(pauses == [100, 200, 400])
        // The same request all the time, so that its id stays.
        #expect(batches.count == 1)
        #expect(outbox.count == 0)
    }

    /// Chance takes away up to half of a pause, so that nodes do not come together.
    @Test func pausesHaveAShareOfChance() {
        let backoff = Backoff(first: .milliseconds(100), longest: .milliseconds(1000))
        #expect(backoff.delay(0, chance: 0) == .milliseconds(50))
        #expect(backoff.delay(2, chance: 0.5) == .milliseconds(300))
        for earlier in [-1, 5, 64, .max] { #expect(backoff.delay(earlier, chance: 1) <= .milliseconds(1000)) }
    }

    @Test func anEndpointMaySayWhenToComeAgain() throws {
        var outbox = Outbox(Self.settings { $0.breaker.failures = 100 })
        try Self.put(&outbox, "x", lane: 1)
        let step = outbox.due(at: Self.at(0))
        _ = outbox.finished(step.sendings[0].batch, .failed(retryAfter: .seconds(2)), at: Self.at(0), chance: 1)
        try Self.put(&outbox, "y", lane: 2)
        // Not even another event goes there before.
        #expect(outbox.due(at: Self.at(1999)).sendings.isEmpty)
        #expect(outbox.due(at: Self.at(1999)).wakeAt == Self.at(2000))
        #expect(Self.sent(outbox.due(at: Self.at(2000))) == [["x"], ["y"]])
        // It may not ask for a year.
        for sending in [step.sendings[0].batch, step.sendings[0].batch + 1] {
            _ = outbox.finished(sending, .failed(retryAfter: .hours(10_000)), at: Self.at(2000), chance: 1)
        }
        #expect(outbox.due(at: Self.at(2000 + 4000)).sendings.count == 2)
    }

    @Test func timeRunsOutWhereverAnEventIs() throws {
        var outbox = Outbox(Self.settings { $0.concurrency = 1 })
        try Self.put(&outbox, "under way", lane: 1, until: 100)
        try Self.put(&outbox, "waiting", lane: 2, until: 200)
        try Self.put(&outbox, "behind", lane: 1, until: 300)
        let step = outbox.due(at: Self.at(0))
        #expect(step.wakeAt == Self.at(100))
        #expect(outbox.due(at: Self.at(100)).ended.map(\.message) == ["under way"])
        // The answer that comes too late is for nobody.
        let late = outbox.finished(step.sendings[0].batch, .failed(retryAfter: nil), at: Self.at(110), chance: 1)
        #expect(late.ended.isEmpty)
        let second = outbox.due(at: Self.at(120))
        #expect(Self.sent(second) == [["waiting"]])
        #expect(outbox.due(at: Self.at(200)).ended.map(\.message) == ["waiting"])
        #expect(outbox.due(at: Self.at(300)).ended.map(\.message) == ["behind"])
        _ = outbox.finished(second.sendings[0].batch, .answered, at: Self.at(310), chance: 1)
        #expect(outbox.due(at: Self.at(400)).sendings.isEmpty)
        #expect(outbox.count == 0)
        #expect(outbox.laneCount == 0)
        #expect(outbox.due(at: Self.at(400)).wakeAt == nil)
    }

    @Test func anEndpointThatFailsRestsAndIsTriedWithOneRequest() throws {
        var outbox = Outbox(Self.settings { $0.attempts = 100 })
        for lane in 1...5 { try Self.put(&outbox, "\(lane)", lane: lane) }
        var changes: [CircuitBreaker.Change] = []
        for sending in outbox.due(at: Self.at(0)).sendings {
            changes.append(outbox.finished(sending.batch, .failed(retryAfter: nil), at: Self.at(0), chance: 1).change)
        }
        #expect(changes == [.none, .none, .opened, .none, .none])
        // Who waits for an answer is told at once; others wait.
        #expect(throws: Outbox.Refusal.resting(.milliseconds(500))) {
            try Self.put(&outbox, "now", lane: 9, canWait: false, at: 500)
        }
        try Self.put(&outbox, "later", lane: 9, at: 500)
        #expect(outbox.due(at: Self.at(999)).sendings.isEmpty)
        #expect(outbox.due(at: Self.at(999)).wakeAt == Self.at(1000))
        let probe = outbox.due(at: Self.at(1000))
        #expect(probe.sendings.count == 1)
        #expect(outbox.due(at: Self.at(1001)).sendings.isEmpty)
        let probed = outbox.finished(probe.sendings[0].batch, .failed(retryAfter: nil), at: Self.at(1100), chance: 1)
        #expect(probed.change == .none)
        // Twice as long.
        #expect(outbox.due(at: Self.at(3099)).sendings.isEmpty)
        let second = outbox.due(at: Self.at(3100))
        #expect(second.sendings.count == 1)
        #expect(outbox.finished(second.sendings[0].batch, .answered, at: Self.at(3101), chance: 1).change == .closed)
        #expect(outbox.due(at: Self.at(3600)).sendings.count == 5)
    }

    /// An endpoint that refuses an event is there all the same.
    @Test func refusalsAreNoFailures() throws {
        var outbox = Outbox(Self.settings())
        for lane in 1...8 { try Self.put(&outbox, "\(lane)", lane: lane) }
        for sending in outbox.due(at: Self.at(0)).sendings {
            let result = outbox.finished(sending.batch, .rejected, at: Self.at(0), chance: 1)
            #expect(result.change == .none)
            #expect(result.ended.map(\.end) == [.rejected])
        }
        // One that answers nonsense is not.
        for lane in 1...3 { try Self.put(&outbox, "\(lane)", lane: lane) }
        let results = outbox.due(at: Self.at(0)).sendings.map {
            outbox.finished($0.batch, .broken, at: Self.at(0), chance: 1)
        }
        #expect(results.map(\.change) == [.none, .none, .opened])
        #expect(results.flatMap { $0.ended.map(\.end) } == [.broken, .broken, .broken])
    }

    @Test func closingGivesUpWhatIsNotUnderWay() throws {
        var outbox = Outbox(Self.settings { $0.concurrency = 1 })
        for number in 1...3 { try Self.put(&outbox, "\(number)", lane: number) }
        let step = outbox.due(at: Self.at(0))
        #expect(outbox.close().map(\.message) == ["2", "3"])
        #expect(outbox.close().isEmpty)
        #expect(throws: Outbox.Refusal.closed) { try Self.put(&outbox, "4") }
        let last = outbox.finished(step.sendings[0].batch, .failed(retryAfter: nil), at: Self.at(1), chance: 1)
        #expect(last.ended.map(\.end) == [.closed])
        #expect(outbox.count == 0)
        #expect(outbox.laneCount == 0)
    }

    /// Lanes whose events have expired are forgotten though nothing is sent, or a dead endpoint would fill the memory.
    @Test func lanesThatExpireAreForgotten() throws {
        var outbox = Outbox(Self.settings())
        for lane in 1...3 { try Self.put(&outbox, "\(lane)", lane: lane, until: 10) }
        for sending in outbox.due(at: Self.at(0)).sendings {
            _ = outbox.finished(sending.batch, .failed(retryAfter: .seconds(4)), at: Self.at(0), chance: 1)
        }
        for round in 0..<100 {
            let now = Int64(round * 10)
            for lane in 0..<20 {
                try Self.put(&outbox, "x", lane: 1000 + round * 20 + lane, until: now + 5, at: now)
            }
            _ = outbox.due(at: Self.at(now + 6))
        }
        #expect(outbox.count == 0)
        #expect(outbox.laneCount <= 130)
    }

    /// Whatever happens: each event ends once, lanes keep their order, limits hold, and nothing is left.
    @Test(arguments: 0..<40) func everyEventEndsOnce(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var outbox = Outbox(
            Self.settings {
                $0.maximumEvents = Int.random(in: 1...40, using: &random)
                $0.maximumBytes = Int.random(in: 50...2000, using: &random)
                $0.maximumEventsPerLane = Int.random(in: 1...10, using: &random)
                $0.batch = Int.random(in: 1...5, using: &random)
                $0.batchBytes = Int.random(in: 1...60, using: &random)
                $0.concurrency = Int.random(in: 1...4, using: &random)
                $0.attempts = Int.random(in: 1...4, using: &random)
            }
        )
        var now: Int64 = 0
        var open: Set<String> = []
        var ended: Set<String> = []
        var underWay: [Int] = []
        var firstSent: [Int: [Int]] = [:]
        var number = 0
        func note(_ list: [Outbox.Ended]) {
            for one in list {
                #expect(open.remove(one.message) != nil, "\(one.message) ends and was not there")
                #expect(ended.insert(one.message).inserted)
            }
        }
        for round in 0..<600 {
            now += Int64.random(in: 0...80, using: &random)
            if round < 500, Bool.random(using: &random) {
                number += 1
                let lane = Int.random(in: 0..<6, using: &random)
                let message = "\(lane) \(number)"
                do throws(Outbox.Refusal) {
                    try outbox.enqueue(
                        message,
                        lane: lane,
                        bytes: Int.random(in: 1...40, using: &random),
                        deadline: Self.at(now + Int64.random(in: 1...3000, using: &random)),
                        canWait: Bool.random(using: &random),
                        at: Self.at(now)
                    )
                    open.insert(message)
                } catch {
                    // There was no place.
                }
            }
            if !underWay.isEmpty, Bool.random(using: &random) {
                let batch = underWay.remove(at: Int.random(in: 0..<underWay.count, using: &random))
                let outcomes: [Outbox.Outcome] = [
                    .answered, .answered, .rejected, .broken, .failed(retryAfter: nil),
                    .failed(retryAfter: .milliseconds(300)),
                ]
                let outcome = outcomes.randomElement(using: &random) ?? .answered
                note(outbox.finished(batch, outcome, at: Self.at(now), chance: 0.5).ended)
            }
            let step = outbox.due(at: Self.at(now))
            note(step.ended)
            for sending in step.sendings {
                #expect(!sending.messages.isEmpty)
                underWay.append(sending.batch)
                guard sending.earlierAttempts == 0 else { continue }
                for message in sending.messages {
                    let parts = message.message.split(separator: " ").compactMap { Int($0) }
                    firstSent[parts[0], default: []].append(parts[1])
                }
            }
            #expect(underWay.count <= outbox.settings.concurrency)
            #expect(outbox.count <= outbox.settings.maximumEvents)
            #expect(outbox.bytes <= outbox.settings.maximumBytes)
        }
        for numbers in firstSent.values { #expect(numbers == numbers.sorted()) }
        while let batch = underWay.popLast() {
            note(outbox.finished(batch, .answered, at: Self.at(now), chance: 0.5).ended)
        }
        note(outbox.due(at: Self.at(now + 100_000)).ended)
        #expect(open.isEmpty)
        #expect(outbox.count == 0)
        #expect(outbox.bytes == 0)
    }
}
