import NIOCore

/// Finds out whether published messages arrive: a message leaves on the connection for commands, and has to come back
/// on the one for subscriptions.
///
/// An answer on a connection proves little. A paused Redis answers but takes no message. A user may lose the right to
/// publish. The two connections may lead to two servers. If nobody asks for such proof, the client sends a `PING`
/// instead, and only while Redis says that it executes nothing.
///
/// It is a value that takes events and returns what to do.
struct LinkProbe {
    enum Verdict: Equatable {
        /// Nothing is known, and nothing speaks against it.
        case unknown
        /// A connection was lost. Messages must be proven to arrive first.
        case awaited
        case proven
        case failed(RESPError)
    }

    enum Action: Equatable {
        case none
        case send(Int)
        /// The verdict has become ``Verdict/failed(_:)``, or its reason has changed.
        case failed
        /// The connections are of no use.
        case reconnect(RESPError)
    }

    private struct Probe {
        let number: Int
        let sentAt: NIODeadline
        /// When replies or messages arrived last.
        var progressAt: NIODeadline
        var answeredAt: NIODeadline?
        var hasReturned = false
        var isOverdue = false
        var isAnswered: Bool { self.answeredAt != nil }
    }

    private enum State {
        case stopped
        case resting(until: NIODeadline)
        case out(Probe)
    }

    private var state = State.stopped
    private(set) var verdict = Verdict.unknown
    /// When a message came back last.
    private(set) var provenAt: NIODeadline?
    /// What anybody published before this moment has arrived, because a message sent then came back behind it.
    private(set) var heardAllBefore: NIODeadline?
    private let configuration: RESPConfiguration.Probe
    /// Whether a message to itself has to come back.
    private(set) var returns = false
    private var lastNumber = 0
    /// How many probes in a row nobody received.
    private var unheard = 0

    init(configuration: RESPConfiguration.Probe) {
        self.configuration = configuration
    }

    /// Whether publishes wait.
    var isBlocking: Bool {
        switch self.verdict {
        case .unknown, .proven: false
        case .awaited, .failed: true
        }
    }

    var wakeAt: NIODeadline {
        switch self.state {
        case .stopped: .distantFuture
        case .resting(let until): until
        case .out(let probe): self.deadline(of: probe)
        }
    }

    /// How long the message of that number was on its way, if it is the one that is awaited.
    func roundTrip(of number: Int?, at now: NIODeadline) -> TimeAmount? {
        guard case .out(let probe) = self.state, probe.number == number, !probe.hasReturned else { return nil }
        return now - probe.sentAt
    }

    // MARK: Life

    /// Sets whether messages must come back again and again from now on.
    ///
    /// Probes begin with the next ``start(at:)``.
    mutating func require(_ returns: Bool) {
        self.returns = returns
        if !returns { self.verdict = .unknown }
        self.state = .stopped
    }

    /// Both connections exist, and the channel is subscribed.
    mutating func start(at now: NIODeadline) {
        guard case .stopped = self.state else { return }
        self.unheard = 0
        self.state = .resting(until: self.isBlocking || self.returns ? now : .distantFuture)
    }

    /// One of them is lost.
    mutating func stop() {
        self.state = .stopped
        self.verdict = self.returns ? .awaited : .unknown
    }

    /// Redis said that it does not execute commands.
    ///
    /// Nothing more is sent before a probe has shown that it does.
    mutating func doubt(_ error: RESPError, at now: NIODeadline) {
        if case .failed = self.verdict { return }
        self.verdict = .failed(error)
        if case .resting = self.state { self.state = .resting(until: now + self.pauseAfterFailure) }
    }

    // MARK: Events

    /// The probe was answered.
    mutating func answered(_ number: Int, _ reply: RESPValue, at now: NIODeadline) -> Action {
        guard case .out(var probe) = self.state, probe.number == number else { return .none }
        if case .error(let error) = reply {
            // The user may not even PING, but that is also an answer.
            guard self.returns || error.isNotExecuted else { return self.proved(at: now) }
            self.state = .resting(until: now + self.pauseAfterFailure)
            return self.failed(error)
        }
        guard self.returns else { return self.proved(at: now) }
        probe.answeredAt = now
        probe.progressAt = now
        if reply.integerValue == 0 {
            self.unheard += 1
            // The connection for subscriptions may just have been cut.
            self.state = .resting(until: now + self.pauseAfterFailure)
            guard self.unheard > 1 else { return .none }
            self.unheard = 0
            _ = self.failed(Self.astray)
            return .reconnect(Self.astray)
        }
        self.unheard = 0
        if probe.hasReturned { return self.proved(at: now) }
        self.state = .out(probe)
        return .none
    }

    /// A message came back.
    mutating func returned(_ number: Int?, at now: NIODeadline) -> Action {
        guard case .out(var probe) = self.state, probe.number == number else { return .none }
        probe.hasReturned = true
        probe.progressAt = now
        self.heardAllBefore = probe.sentAt
        if probe.isAnswered { return self.proved(at: now) }
        self.state = .out(probe)
        return .none
    }

    /// Other replies or messages arrived.
    ///
    /// So more is on the way than Redis or this process can handle at once.
    ///
    /// - Parameters:
    ///   - now: The time. It is asked for only if a probe is on its way.
    ///   - isReply: Whether it was a reply. Until the probe is answered only replies count, and then only messages.
    mutating func progressed(at now: @autoclosure () -> NIODeadline, isReply: Bool) {
        guard case .out(var probe) = self.state, probe.isAnswered != isReply else { return }
        probe.progressAt = now()
        self.state = .out(probe)
    }

    mutating func timerFired(at now: NIODeadline) -> Action {
        switch self.state {
        case .stopped: return .none
        case .resting(let until):
            guard now >= until else { return .none }
            self.lastNumber += 1
            self.state = .out(Probe(number: self.lastNumber, sentAt: now, progressAt: now))
            return .send(self.lastNumber)
        case .out(var probe):
            guard now >= self.deadline(of: probe) else { return .none }
            guard probe.isOverdue else {
                probe.isOverdue = true
                self.state = .out(probe)
                return self.failed(probe.isAnswered ? Self.astray : self.silence)
            }
            // The probe is not answered. The keep-alive ends such a connection.
            guard probe.isAnswered else { return .none }
            self.state = .resting(until: now + self.configuration.interval)
            return .reconnect(Self.astray)
        }
    }

    // MARK: Helpers

    private func deadline(of probe: Probe) -> NIODeadline {
        let timeout = self.configuration.timeout
        let patience = TimeAmount.nanoseconds(timeout.nanoseconds * 5)
        if probe.isOverdue { return probe.answeredAt.map { $0 + patience } ?? .distantFuture }
        return min(probe.progressAt + timeout, probe.sentAt + patience)
    }

    private var pauseAfterFailure: TimeAmount { .nanoseconds(self.configuration.interval.nanoseconds / 4) }

    /// - Returns: ``Action/none``. The caller looks at ``isBlocking``.
    private mutating func proved(at now: NIODeadline) -> Action {
        self.verdict = .proven
        self.provenAt = now
        self.state = .resting(until: self.returns ? now + self.configuration.interval : .distantFuture)
        return .none
    }

    private mutating func failed(_ error: RESPError) -> Action {
        guard self.verdict != .failed(error) else { return .none }
        self.verdict = .failed(error)
        return .failed
    }

    private var silence: RESPError {
        let seconds = Double(self.configuration.timeout.nanoseconds / 1_000_000) / 1000
        return RESPError(
            code: .timeout,
            message: "Redis has not taken a message within \(seconds) s: "
                + "it hangs, is paused (CLIENT PAUSE), or is cut off"
        )
    }

    private static let astray = RESPError(
        code: .astray,
        message: "what is published does not come back: the connections for commands and for subscriptions lead to "
            + "different servers, or a subscription was lost"
    )
}
