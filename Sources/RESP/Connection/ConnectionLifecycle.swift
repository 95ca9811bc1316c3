import NIOCore

/// The life of a connection to Redis, over any number of TCP connections: connect, shake hands, restore subscriptions,
/// be of use, and start again after a loss.
///
/// It takes events and returns what to do. It knows nothing of what travels on the connection. That is the work of
/// ``CommandPipeline`` or ``SubscriptionTable``.
struct ConnectionLifecycle {
    private enum State {
        /// Nobody wants the connection yet.
        case idle
        case connecting(Attempt)
        case handshaking(Attempt, RESPHandshake, KeepAlive)
        /// Redis has accepted the client, which is restoring its subscriptions.
        case restoring(Attempt, KeepAlive)
        case ready(Ready)
        /// The channel has to be closed, and is not closed yet.
        case closing(Attempt, RESPError)
        case waiting(Attempt)
        case closed
    }

    private struct Attempt {
        /// How many attempts have failed since the connection was last of use for a while.
        var failures = 0
        /// Whether it ever was of use.
        ///
        /// If the first attempt fails, the caller that started the client decides. Later failures are retried.
        var wasReady = false
        var deadline = NIODeadline.distantFuture
    }

    private struct Ready {
        var attempt: Attempt
        var since: NIODeadline
        var keepAlive: KeepAlive
    }

    private var state = State.idle
    private let configuration: RESPConfiguration
    private let selectsDatabase: Bool
    /// Whether failures of the very first attempt are retried as well.
    private let retriesFirstAttempt: Bool

    init(configuration: RESPConfiguration, selectsDatabase: Bool, retriesFirstAttempt: Bool) {
        self.configuration = configuration
        self.selectsDatabase = selectsDatabase
        self.retriesFirstAttempt = retriesFirstAttempt
    }

    var isIdle: Bool {
        if case .idle = self.state { true } else { false }
    }

    var isReady: Bool {
        if case .ready = self.state { true } else { false }
    }

    /// Whether replies are those of the handshake.
    var isHandshaking: Bool {
        if case .handshaking = self.state { true } else { false }
    }

    /// When bytes arrived last, while ``isReady``.
    var lastHeard: NIODeadline? {
        if case .ready(let ready) = self.state { ready.keepAlive.lastHeard } else { nil }
    }

    /// What Redis said before it closed the connection.
    ///
    /// It is a better reason than the end of the connection.
    private var words: RESPError? {
        if case .handshaking(_, let handshake, _) = self.state { handshake.words } else { nil }
    }

    /// When ``timerFired(at:isExcused:)`` has something to do.
    var wakeAt: NIODeadline {
        switch self.state {
        case .idle, .waiting, .closed, .closing: .distantFuture
        case .connecting(let attempt), .handshaking(let attempt, _, _), .restoring(let attempt, _): attempt.deadline
        case .ready(let ready): ready.keepAlive.wakeAt
        }
    }

    // MARK: Events

    enum StartAction: Equatable {
        case connect
        case none
    }

    /// Somebody wants the connection, or the pause after a failure is over.
    mutating func start(at now: NIODeadline) -> StartAction {
        switch self.state {
        case .idle:
            self.state = .connecting(Attempt(deadline: now + self.configuration.connectTimeout))
            return .connect
        case .waiting(var attempt):
            attempt.deadline = now + self.configuration.connectTimeout
            self.state = .connecting(attempt)
            return .connect
        case .connecting, .handshaking, .restoring, .ready, .closing, .closed:
            return .none
        }
    }

    enum ConnectedAction: Equatable {
        case send([String])
        /// The handshake is over.
        case restore(protocolVersion: Int)
        case close
    }

    mutating func connected(at now: NIODeadline) -> ConnectedAction {
        switch self.state {
        case .connecting(let attempt):
            var handshake = RESPHandshake(configuration: self.configuration, selectsDatabase: self.selectsDatabase)
            let keepAlive = KeepAlive(interval: self.configuration.keepAliveInterval, now: now)
            switch handshake.start() {
            case .send(let command):
                self.state = .handshaking(attempt, handshake, keepAlive)
                return .send(command)
            case .done:
                self.state = .restoring(attempt, keepAlive)
                return .restore(protocolVersion: handshake.protocolVersion)
            case .fail(let error):
                self.state = .closing(attempt, error)
                return .close
            }
        case .idle, .handshaking, .restoring, .ready, .closing, .waiting, .closed:
            return .close
        }
    }

    enum HandshakeAction: Equatable {
        case send([String])
        case restore(protocolVersion: Int)
        case close
    }

    /// A reply arrived while ``isHandshaking``.
    mutating func handshakeReply(_ reply: RESPValue) -> HandshakeAction {
        switch self.state {
        case .handshaking(let attempt, var handshake, let keepAlive):
            switch handshake.received(reply) {
            case .send(let command):
                self.state = .handshaking(attempt, handshake, keepAlive)
                return .send(command)
            case .done:
                self.state = .restoring(attempt, keepAlive)
                return .restore(protocolVersion: handshake.protocolVersion)
            case .fail(let error):
                self.state = .closing(attempt, error)
                return .close
            }
        case .idle, .connecting, .restoring, .ready, .closing, .waiting, .closed:
            return .close
        }
    }

    /// Something of what was subscribed before is subscribed again.
    ///
    /// There may be a hundred thousand names. They take as long as they take, while Redis goes on confirming them.
    mutating func restoringGoesOn(at now: NIODeadline) {
        guard case .restoring(var attempt, let keepAlive) = self.state else { return }
        attempt.deadline = now + self.configuration.connectTimeout
        self.state = .restoring(attempt, keepAlive)
    }

    /// Everything that was subscribed before is subscribed again.
    ///
    /// - Returns: Whether the connection has just become ready.
    mutating func restored(at now: NIODeadline) -> Bool {
        switch self.state {
        case .restoring(var attempt, let keepAlive):
            attempt.wasReady = true
            attempt.deadline = .distantFuture
            self.state = .ready(Ready(attempt: attempt, since: now, keepAlive: keepAlive))
            return true
        case .idle, .connecting, .handshaking, .ready, .closing, .waiting, .closed:
            return false
        }
    }

    /// Bytes arrived.
    mutating func heard(at now: NIODeadline) {
        switch self.state {
        case .handshaking(let attempt, let handshake, var keepAlive):
            keepAlive.heard(at: now)
            self.state = .handshaking(attempt, handshake, keepAlive)
        case .restoring(let attempt, var keepAlive):
            keepAlive.heard(at: now)
            self.state = .restoring(attempt, keepAlive)
        case .ready(var ready):
            ready.keepAlive.heard(at: now)
            self.state = .ready(ready)
        case .idle, .connecting, .closing, .waiting, .closed:
            break
        }
    }

    enum TimerAction: Equatable {
        case none
        /// Send the question of the keep-alive.
        case ask
        case close
    }

    /// The time is ``wakeAt``, or later.
    ///
    /// - Parameters:
    ///   - now: The time.
    ///   - isExcused: Whether something else shows that Redis is alive.
    /// - Returns: What to do.
    mutating func timerFired(at now: NIODeadline, isExcused: Bool = false) -> TimerAction {
        switch self.state {
        case .connecting(let attempt), .handshaking(let attempt, _, _), .restoring(let attempt, _):
            guard now >= attempt.deadline else { return .none }
            let seconds = Double(self.configuration.connectTimeout.nanoseconds) / 1e9
            let error = RESPError(code: .connect, message: "no answer within \(seconds) s")
            self.state = .closing(attempt, self.words ?? error)
            return .close
        case .ready(var ready):
            let action = ready.keepAlive.timerFired(at: now, isExcused: isExcused)
            switch action {
            case .none, .ask:
                self.state = .ready(ready)
                return action == .ask ? .ask : .none
            case .dead:
                let seconds = Double((now - ready.keepAlive.lastHeard).nanoseconds / 100_000_000) / 10
                let error = RESPError(
                    code: .disconnected,
                    message: "silent for \(seconds) s, a question was not answered"
                )
                self.state = .closing(self.attemptAfterUse(ready, at: now), error)
                return .close
            }
        case .idle, .closing, .waiting, .closed:
            return .none
        }
    }

    /// The channel has to be closed, because the peer broke the protocol, or refused to restore a subscription.
    ///
    /// - Returns: Whether the caller must close the channel.
    mutating func failed(_ error: RESPError, at now: NIODeadline) -> Bool {
        switch self.state {
        case .connecting(let attempt), .handshaking(let attempt, _, _), .restoring(let attempt, _):
            self.state = .closing(attempt, self.words ?? error)
            return true
        case .ready(let ready):
            self.state = .closing(self.attemptAfterUse(ready, at: now), error)
            return true
        case .idle, .closing, .waiting, .closed:
            return false
        }
    }

    enum ClosedAction: Equatable {
        /// The connection was lost, or could not be made again. Make attempt number `attempt`; 0 is the first one after
        /// the connection was of use.
        case reconnect(attempt: Int, RESPError)
        /// The first attempt has failed, and the caller that started the client hears of it and may start again.
        case giveUp(RESPError)
        case none
    }

    /// The channel is closed, or could not be opened.
    mutating func closed(_ error: RESPError, at now: NIODeadline) -> ClosedAction {
        switch self.state {
        case .connecting(let attempt), .handshaking(let attempt, _, _), .restoring(let attempt, _):
            return self.retry(attempt, self.words ?? error)
        case .closing(let attempt, let reason):
            return self.retry(attempt, reason)
        case .ready(let ready):
            return self.retry(self.attemptAfterUse(ready, at: now), error)
        case .idle, .waiting, .closed:
            return .none
        }
    }

    /// Nobody wants the connection any more.
    mutating func close() {
        self.state = .closed
    }

    // MARK: Helpers

    /// If Redis accepts connections and drops them at once, the pauses must still grow.
    private func attemptAfterUse(_ ready: Ready, at now: NIODeadline) -> Attempt {
        var attempt = ready.attempt
        if now - ready.since >= self.configuration.backoff.maximum { attempt.failures = 0 }
        return attempt
    }

    private mutating func retry(_ attempt: Attempt, _ error: RESPError) -> ClosedAction {
        var attempt = attempt
        guard attempt.wasReady || self.retriesFirstAttempt else {
            self.state = .idle
            return .giveUp(error)
        }
        let number = attempt.failures
        attempt.failures += 1
        self.state = .waiting(attempt)
        return .reconnect(attempt: number, error)
    }
}
