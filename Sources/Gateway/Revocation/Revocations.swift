import Incidents
import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOWire

/// Knows which tokens are revoked, and hears of new revocations.
final class Revocations: Sendable {
    private enum Reading { case idle, reading, readingAndAgain }

    private struct State {
        var list = RevocationList()
        var reading = Reading.idle
        /// The newest version of the store that was heard of.
        var version: Int?
        /// When the store, or a signal about it, was heard last.
        var lastHeard: NIODeadline
        var isPolling = false
        /// The store will not answer any more.
        var isClosed = false
        var onRevocation: (@Sendable () -> Void)?
        var subscription: SignalSubscription?
        var polls: RepeatedTask?
    }

    private let context: GatewayContext
    private let eventLoop: any EventLoop
    private let state: NIOLockedValueBox<State>

    init(_ context: GatewayContext) {
        self.context = context
        self.eventLoop = context.main.eventLoop
        self.state = NIOLockedValueBox(State(lastHeard: context.main.eventLoop.now))
    }

    private var store: any RevocationStore { self.context.sharing.revocations }

    /// Begins to listen.
    ///
    /// - Parameter onRevocation: Called when there may be sockets whose tokens are revoked now.
    func start(onRevocation: @escaping @Sendable () -> Void) {
        self.state.withLockedValue { $0.onRevocation = onRevocation }
        let subscription = self.context.sharing.signals.receive(.revocations) { [weak self] signal in
            switch signal {
            case .message(let bytes): self?.heard(bytes)
            case .gap: self?.read()
            }
        }
        self.state.withLockedValue { $0.subscription = subscription }
        guard let staleAfter = self.context.configuration.authentication.revocation.staleAfter else { return }
        let pause = TimeAmount.nanoseconds(max(staleAfter.nanoseconds / 4, 100_000_000))
        let polls = self.eventLoop.scheduleRepeatedTask(initialDelay: pause, delay: pause) { [weak self] task in
            guard let self, !self.state.withLockedValue({ $0.isClosed }) else { return task.cancel() }
            self.poll()
        }
        self.state.withLockedValue { $0.polls = polls }
    }

    deinit { self.state.withLockedValue { $0.polls }?.cancel() }

    // MARK: Questions

    /// Whether a socket's token is revoked.
    func revokes(_ record: PrincipalRecord) -> Bool {
        let now = self.context.now()
        return self.state.withLockedValue { $0.list.revokes(record, now: now) }
    }

    /// Whether somebody who logs in with a token may come in.
    func check(_ record: PrincipalRecord, at now: NIODeadline) throws(ConnectionRefusal) {
        switch record.kind {
        case .visitor, .unauthorized: return
        case .user, .token, .operator: break
        }
        let time = self.context.now()
        let (isRevoked, lastHeard) = self.state.withLockedValue {
            ($0.list.revokes(record, now: time), $0.lastHeard)
        }
        if isRevoked { throw .tokenRevoked }
        let settings = self.context.configuration.authentication.revocation
        guard settings.failClosed, let staleAfter = settings.staleAfter else { return }
        if now - lastHeard > staleAfter { throw .revocationsUnknown }
    }

    // MARK: Changes

    /// Adds a revocation for the whole cluster.
    ///
    /// It is in force on this node at once, whatever becomes of it.
    ///
    /// - Throws: `ClusterError` if it is not known that the other nodes hear of it.
    func add(_ revocation: Revocation) async throws {
        self.take([revocation])
        try await self.store.add(revocation)
    }

    private func heard(_ bytes: ByteBuffer) {
        guard let signal = RevocationSignal(bytes) else {
            self.context.incidents.record("Signals about revocations could not be read", reason: "revocations")
            return
        }
        self.state.withLockedValue { state in
            state.version = signal.version
            state.lastHeard = self.eventLoop.now
        }
        self.take([signal.revocation])
    }

    private func take(_ revocations: [Revocation]) {
        let now = self.context.now()
        let handler = self.state.withLockedValue { state -> (@Sendable () -> Void)? in
            var isNew = false
            for revocation in revocations where state.list.add(revocation, now: now) { isNew = true }
            return isNew ? state.onRevocation : nil
        }
        handler?()
    }

    // MARK: Reading

    /// Reads all revocations, because some may have been missed.
    private func read() {
        let isFree = self.state.withLockedValue { state in
            switch state.reading {
            case .idle:
                state.reading = .reading
                return true
            case .reading, .readingAndAgain:
                state.reading = .readingAndAgain
                return false
            }
        }
        guard isFree else { return }
        // It ends when the store has answered.
        Task { await self.readAll() }
    }

    /// Reads all revocations, and returns when that is done, if nobody else is at it.
    func readNow() async {
        let isFree = self.state.withLockedValue { state in
            guard state.reading == .idle else { return false }
            state.reading = .reading
            return true
        }
        if isFree { await self.readAll() }
    }

    private func readAll() async {
        while true {
            let isDone = await self.readOnce()
            let again = self.state.withLockedValue { state in
                let again = state.reading == .readingAndAgain
                state.reading = again ? .reading : .idle
                return again
            }
            if again { continue }
            if !isDone { self.eventLoop.scheduleTask(in: .seconds(1)) { [weak self] in self?.read() } }
            return
        }
    }

    /// - Returns: Whether the store has answered, or never will.
    private func readOnce() async -> Bool {
        do {
            let stored = try await self.store.all()
            let now = self.context.now()
            self.take(stored)
            let names = Set(stored.map(\.name))
            let lost = self.state.withLockedValue { state in
                state.lastHeard = self.eventLoop.now
                state.list.prune(now: now)
                return state.list.all.filter { !names.contains($0.name) }
            }
            // The store has lost them, or was out of reach when they were added.
            for revocation in lost { try await self.store.add(revocation) }
            return true
        } catch let error as ClusterError where error.code == .closed {
            self.state.withLockedValue { $0.isClosed = true }
            return true
        } catch {
            self.note(error)
            return false
        }
    }

    /// Asks whether there is something new, so that it is known whether the store can be heard at all.
    private func poll() {
        let isFree = self.state.withLockedValue { state in
            defer { state.isPolling = true }
            return !state.isPolling
        }
        guard isFree else { return }
        // It ends when the store has answered.
        Task {
            do {
                let version = try await self.store.version()
                let isKnown = self.state.withLockedValue { state in
                    defer { state.version = version }
                    state.lastHeard = self.eventLoop.now
                    return state.version == version
                }
                if !isKnown { self.read() }
            } catch let error as ClusterError where error.code == .closed {
                self.state.withLockedValue { $0.isClosed = true }
            } catch {
                self.note(error)
            }
            self.state.withLockedValue { $0.isPolling = false }
        }
    }

    private func note(_ error: any Error) {
        self.context.incidents.record(
            "The revocations of tokens could not be read",
            reason: "revocations",
            pace: .failures,
            details: ["error": "\(error)"]
        )
    }
}
