import DequeModule
import NIOCore

/// Events that wait for a webhook: what is sent when, what is sent again, and what is given up.
///
/// Events of one lane, which is a client, are sent one after the other and in their order. Lanes take turns. It decides
/// only: whoever owns it sends, and tells it what came of that. Time and chance come in as arguments.
struct WebhookOutbox<Lane: Hashable & Sendable, Message: Sendable>: Sendable {
    struct Settings: Sendable, Hashable {
        /// The most events, those under way included.
        var maximumEvents = 10_000
        /// The most bytes of them.
        var maximumBytes = 16 * 1_048_576
        /// The most events of one lane.
        var maximumEventsPerLane = 100
        /// The most events in one request.
        var batch = 1
        /// The most bytes in one request, unless a single event is longer.
        var batchBytes = 1_048_576
        /// The most requests at a time.
        var concurrency = 8
        /// How often a request is sent at most.
        var attempts = 8
        var backoff = Backoff(first: .milliseconds(500), longest: .seconds(60))
        var breaker = CircuitBreaker.Settings()
    }

    /// Why an event is not taken.
    enum Refusal: Error, Hashable {
        /// There is no place for more.
        case full
        /// The lane has too many.
        case laneFull
        /// The endpoint rests so long, and the event cannot wait.
        case resting(TimeAmount)
        case closed
    }

    /// What has become of an event.
    enum End: Sendable, Hashable {
        /// It was answered; the owner knows with what.
        case answered
        /// The endpoint does not want it.
        case rejected
        /// The endpoint does not work as it should.
        case broken
        /// It was sent too often in vain.
        case exhausted
        /// Its time is over.
        case expired
        /// The webhook is no more.
        case closed
    }

    /// One request to send.
    struct Sending: Sendable {
        let batch: Int
        /// How often it was sent before.
        let earlierAttempts: Int
        let messages: [(id: Int, message: Message)]
    }

    struct Ended: Sendable {
        let message: Message
        let end: End
    }

    /// What to do now, and when to ask again.
    struct Step: Sendable {
        var ended: [Ended] = []
        var sendings: [Sending] = []
        /// `nil`: when something happens.
        var wakeAt: NIODeadline?
    }

    /// What came of a request.
    enum Outcome: Sendable, Hashable {
        case answered
        /// The endpoint is there, but refuses these events.
        case rejected
        /// The endpoint does not work as it should, and to send these events again would not help.
        case broken
        /// The endpoint does not work now; it may have said when to come again.
        case failed(retryAfter: TimeAmount?)
    }

    private struct Entry: Sendable {
        let lane: Lane
        let message: Message
        let bytes: Int
    }

    private struct LaneState: Sendable {
        var waiting: Deque<Int> = []
        /// Whether events of it are in a request.
        var isBusy = false
        /// Whether it is in the line.
        var isInLine = false
    }

    private struct Batch: Sendable {
        var entries: [Int]
        var lanes: [Lane]
        var attempts = 0
        var notBefore = NIODeadline.uptimeNanoseconds(0)
    }

    var settings: Settings
    private(set) var breaker = CircuitBreaker()
    private(set) var bytes = 0
    private(set) var isClosed = false
    private var entries: [Int: Entry] = [:]
    private var deadlines = DeadlineQueue<Int>()
    private var lanes: [Lane: LaneState] = [:]
    /// The lanes that have events and no request, in the order of their turns.
    private var line: Deque<Lane> = []
    /// How many lanes in the line have nothing any more.
    private var emptyInLine = 0
    private var inFlight: [Int: Batch] = [:]
    /// What is to be sent again.
    private var retries: [Int: Batch] = [:]
    private var lastID = 0
    private var lastBatch = 0
    /// The endpoint has asked for peace until then.
    private var pausedUntil = NIODeadline.uptimeNanoseconds(0)

    init(_ settings: Settings = Settings()) { self.settings = settings }

    /// How many events there are, those under way included.
    var count: Int { self.entries.count }
    /// How many requests are under way.
    var requestCount: Int { self.inFlight.count }
    /// How many lanes are remembered.
    var laneCount: Int { max(self.lanes.count, self.line.count) }

    // MARK: Events

    /// Takes an event.
    ///
    /// - Parameters:
    ///   - message: What is to be sent.
    ///   - lane: Whose it is.
    ///   - bytes: How many bytes it has.
    ///   - deadline: When it is given up.
    ///   - canWait: Whether it is worth while to wait until the endpoint has rested.
    ///   - now: The time.
    /// - Throws: ``Refusal`` if the event is not taken.
    mutating func enqueue(
        _ message: Message,
        lane: Lane,
        bytes: Int,
        deadline: NIODeadline,
        canWait: Bool,
        at now: NIODeadline
    ) throws(Refusal) {
        guard !self.isClosed else { throw .closed }
        if !canWait, let rest = self.breaker.rest(at: now) { throw .resting(rest) }
        guard self.entries.count < self.settings.maximumEvents, self.bytes + bytes <= self.settings.maximumBytes else {
            throw .full
        }
        guard self.lanes[lane].map({ $0.waiting.count < self.settings.maximumEventsPerLane }) ?? true else {
            throw .laneFull
        }
        self.lastID += 1
        self.entries[self.lastID] = Entry(lane: lane, message: message, bytes: bytes)
        self.bytes += bytes
        self.deadlines.set(self.lastID, deadline)
        self.lanes[lane, default: LaneState()].waiting.append(self.lastID)
        self.enterLine(lane)
    }

    /// Says what is to be done now.
    mutating func due(at now: NIODeadline) -> Step {
        var step = Step()
        for id in self.deadlines.takeDue(at: now) {
            guard let entry = self.remove(id) else { continue }
            step.ended.append(Ended(message: entry.message, end: .expired))
            self.lanes[entry.lane]?.waiting.removeAll { $0 == id }
            self.settleLane(entry.lane)
        }
        self.dropEmptyRetries()
        while let sending = self.nextSending(at: now) { step.sendings.append(sending) }
        step.wakeAt = self.nextTime(at: now)
        return step
    }

    /// A request has ended.
    ///
    /// - Parameters:
    ///   - batch: The number of the request.
    ///   - outcome: What came of it.
    ///   - now: The time.
    ///   - chance: A random number from 0 to 1.
    /// - Returns: The events that have ended with it, and whether the breaker has changed.
    mutating func finished(
        _ batch: Int,
        _ outcome: Outcome,
        at now: NIODeadline,
        chance: Double
    ) -> (ended: [Ended], change: CircuitBreaker.Change) {
        guard var ended = self.inFlight.removeValue(forKey: batch) else { return ([], .none) }
        switch outcome {
        case .answered:
            return (self.end(ended, .answered), self.breaker.succeeded())
        case .rejected:
            return (self.end(ended, .rejected), self.breaker.succeeded())
        case .broken:
            let change = self.breaker.failed(at: now, chance: chance, self.settings.breaker)
            return (self.end(ended, .broken), change)
        case .failed(let retryAfter):
            let change = self.breaker.failed(at: now, chance: chance, self.settings.breaker)
            let longest = self.settings.breaker.longestPause
            if let retryAfter { self.pausedUntil = max(self.pausedUntil, now + min(retryAfter, longest)) }
            guard !self.isClosed else { return (self.end(ended, .closed), change) }
            guard ended.attempts < self.settings.attempts else { return (self.end(ended, .exhausted), change) }
            ended.notBefore = now + self.settings.backoff.delay(ended.attempts - 1, chance: chance)
            self.retries[batch] = ended
            return ([], change)
        }
    }

    /// Takes no more events, and gives up those that are not under way.
    mutating func close() -> [Ended] {
        guard !self.isClosed else { return [] }
        self.isClosed = true
        let underWay = Set(self.inFlight.values.flatMap(\.entries))
        var ended: [Ended] = []
        for id in self.entries.keys.sorted() where !underWay.contains(id) {
            if let entry = self.remove(id) { ended.append(Ended(message: entry.message, end: .closed)) }
        }
        self.retries = [:]
        self.line = []
        self.emptyInLine = 0
        self.lanes = [:]
        return ended
    }

    // MARK: Requests

    private mutating func nextSending(at now: NIODeadline) -> Sending? {
        guard !self.isClosed, self.inFlight.count < self.settings.concurrency, now >= self.pausedUntil else {
            return nil
        }
        if case .none = self.breaker.permission(at: now) { return nil }
        guard let (number, batch) = self.nextRetry(at: now) ?? self.nextBatch() else { return nil }
        self.breaker.began()
        var begun = batch
        begun.attempts += 1
        self.inFlight[number] = begun
        let messages = batch.entries.compactMap { id in self.entries[id].map { (id: id, message: $0.message) } }
        return Sending(batch: number, earlierAttempts: batch.attempts, messages: messages)
    }

    /// The request that has waited longest to be sent again.
    private mutating func nextRetry(at now: NIODeadline) -> (Int, Batch)? {
        let first = self.retries.filter { $0.value.notBefore <= now }
            .min { ($0.value.notBefore, $0.key) < ($1.value.notBefore, $1.key) }
        guard let first else { return nil }
        self.retries[first.key] = nil
        return (first.key, first.value)
    }

    private mutating func nextBatch() -> (Int, Batch)? {
        var batch = Batch(entries: [], lanes: [])
        var bytes = 0
        while batch.entries.count < self.settings.batch, let lane = self.line.first {
            guard var state = self.lanes[lane], let first = state.waiting.first else {
                self.line.removeFirst()
                self.emptyInLine -= 1
                self.lanes[lane] = nil
                continue
            }
            // A batch has one event at least, however long.
            let length = self.entries[first]?.bytes ?? 0
            guard batch.entries.isEmpty || bytes + length <= self.settings.batchBytes else { break }
            self.line.removeFirst()
            state.isInLine = false
            state.isBusy = true
            while batch.entries.count < self.settings.batch, let id = state.waiting.first {
                let length = self.entries[id]?.bytes ?? 0
                guard batch.entries.isEmpty || bytes + length <= self.settings.batchBytes else { break }
                state.waiting.removeFirst()
                batch.entries.append(id)
                bytes += length
            }
            self.lanes[lane] = state
            batch.lanes.append(lane)
        }
        guard !batch.entries.isEmpty else { return nil }
        self.lastBatch += 1
        return (self.lastBatch, batch)
    }

    private mutating func end(_ batch: Batch, _ end: End) -> [Ended] {
        let ended = batch.entries.compactMap { id in self.remove(id) }.map { Ended(message: $0.message, end: end) }
        self.free(batch.lanes)
        return ended
    }

    /// Forgets requests all of whose events have expired while they waited.
    private mutating func dropEmptyRetries() {
        for (number, batch) in self.retries {
            let left = batch.entries.filter { self.entries[$0] != nil }
            guard left.isEmpty else { continue }
            self.retries[number] = nil
            self.free(batch.lanes)
        }
    }

    private mutating func remove(_ id: Int) -> Entry? {
        guard let entry = self.entries.removeValue(forKey: id) else { return nil }
        self.bytes -= entry.bytes
        self.deadlines.remove(id)
        return entry
    }

    // MARK: Lanes

    /// The lanes have no request any more.
    private mutating func free(_ lanes: [Lane]) {
        for lane in lanes {
            self.lanes[lane]?.isBusy = false
            self.enterLine(lane)
            self.settleLane(lane)
        }
    }

    private mutating func enterLine(_ lane: Lane) {
        guard var state = self.lanes[lane], !state.isBusy, !state.waiting.isEmpty else { return }
        if state.isInLine {
            // It had lost all its events there.
            if state.waiting.count == 1 { self.emptyInLine -= 1 }
            return
        }
        state.isInLine = true
        self.lanes[lane] = state
        self.line.append(lane)
    }

    /// Forgets a lane that has nothing.
    private mutating func settleLane(_ lane: Lane) {
        guard let state = self.lanes[lane], state.waiting.isEmpty, !state.isBusy else { return }
        guard state.isInLine else {
            self.lanes[lane] = nil
            return
        }
        self.emptyInLine += 1
        guard self.emptyInLine > 64, self.emptyInLine * 2 > self.line.count else { return }
        self.line.removeAll { lane in
            guard self.lanes[lane]?.waiting.isEmpty ?? true else { return false }
            self.lanes[lane] = nil
            return true
        }
        self.emptyInLine = 0
    }

    // MARK: Time

    private mutating func nextTime(at now: NIODeadline) -> NIODeadline? {
        let next = self.deadlines.first()
        guard !self.isClosed, self.inFlight.count < self.settings.concurrency else { return next }
        let hasWork = !self.line.isEmpty
        guard hasWork || !self.retries.isEmpty else { return next }
        // Not before the endpoint may be asked again.
        var earliest = self.pausedUntil
        switch self.breaker.permission(at: now) {
        case .any, .one: break
        case .none(until: let until?): earliest = max(earliest, until)
        case .none(until: nil): return next
        }
        let work = hasWork ? earliest : self.retries.values.map { max($0.notBefore, earliest) }.min()
        return [next, work].compactMap(\.self).min()
    }
}
