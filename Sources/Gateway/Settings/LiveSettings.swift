import AsyncAlgorithms
import Incidents
import Logging
import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer

/// The settings of a gateway that may change while it runs: the document that all nodes share, and what the node has of
/// its own.
///
/// ``IO/follow(_:patience:interval:)`` makes it. ``run()`` follows what others change. A change is checked as a whole before anything is
/// done. What is wrong changes nothing: the old configuration stays in force, and ``status()`` says what is wrong.
public final class LiveSettings: Sendable {
    struct State {
        /// What was looked at last.
        var stored: StoredSettings?
        /// The document in force; `nil` if there is none.
        var document: SettingsDocument?
        var pending: [String] = []
        /// Why what was looked at last is not in force.
        var error: String?
        /// The requests to read everything again that were heard and not done.
        var asked: [String] = []
        /// Those that were done last.
        var done: [String] = []
    }

    let io: IO
    let source: any SettingsSource
    let store: any SettingsStore
    let state = NIOLockedValueBox(State())
    /// Puts into force one after the other.
    let applying = OneAtATime()
    /// Wakes ``run()`` up.
    private let wakeUps: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    /// How long to wait for more before looking at what has changed.
    private let patience: Duration
    /// How often to look without being told.
    private let interval: Duration

    init(_ io: IO, _ source: any SettingsSource, patience: Duration, interval: Duration) {
        self.io = io
        self.source = source
        self.store = io.context.sharing.settings
        self.patience = patience
        self.interval = interval
        (self.wakeUps, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Follows what others change, until the task is cancelled: the document, whoever has written it, and requests to read
    /// everything again.
    public func run() async {
        let looks = AsyncTimerSequence(interval: self.interval, clock: .continuous).map { _ in }
        // Many changes in a short time are looked at once.
        for await _ in merge(self.wakeUps, looks).debounce(for: self.patience) { await self.catchUp() }
    }

    /// Reads everything again soon, as for SIGHUP; ``run()`` does it.
    public func requestReload() {
        self.state.withLockedValue { $0.asked.append("") }
        self.continuation.yield()
    }

    /// Another node has said something about settings.
    func heard(_ message: SettingsMessage) {
        let isNews = self.state.withLockedValue { state in
            switch message {
            case .changed: return true
            case .announcement(let announcement):
                return announcement.revision != nil && announcement.revision != state.stored?.revision
            case .reload(let id):
                guard !state.done.contains(id), !state.asked.contains(id), state.asked.count < 16 else { return false }
                state.asked.append(id)
                return true
            }
        }
        if isNews { self.continuation.yield() }
    }

    /// Something may have been missed.
    func look() { self.continuation.yield() }

    // MARK: Putting into force

    /// Looks at what is there, and puts it into force if it is new, or if somebody has asked for that.
    func catchUp() async {
        do {
            try await self.applying.run {
                let (revision, asked) = self.state.withLockedValue { state in
                    defer { state.asked = [] }
                    return (state.stored?.revision, state.asked)
                }
                if asked.isEmpty {
                    guard let stored = try await self.store.read(unless: revision) else { return }
                    _ = try? await self.bring(stored)
                } else {
                    _ = try? await self.bring(try await self.whatIsThere(), done: asked)
                }
            }
        } catch {
            self.io.context.incidents.record(
                "The settings could not be read; those in force stay",
                reason: "store",
                details: ["error": "\(error)"]
            )
        }
    }

    /// What is there; while nobody can tell, what was there when it was looked at last.
    func whatIsThere() async throws -> StoredSettings {
        do {
            return try await self.store.read(unless: nil) ?? .nothing
        } catch let error as ClusterError where error.code == .unreachable {
            guard let stored = self.state.withLockedValue({ $0.stored }) else { throw error }
            return stored
        }
    }

    /// Puts into force what is there.
    ///
    /// Only within ``applying``.
    ///
    /// - Parameters:
    ///   - stored: What is there.
    ///   - done: The requests that this answers.
    /// - Returns: What it was, and what became of this node's clients.
    /// - Throws: ``SettingsRefusal`` if it is wrong. Then what was in force before still is.
    @discardableResult
    func bring(
        _ stored: StoredSettings,
        done: [String] = []
    ) async throws(SettingsRefusal) -> (SettingsProposal, ReloadReport) {
        do {
            if let problem = stored.problem { throw SettingsRefusal(problems: [problem]) }
            let proposal = try await self.source.propose(stored.document)
            let report = try await self.io.reload(proposal.configuration, others: proposal.others)
            await proposal.apply()
            self.looked(at: stored, done: done) { state in
                state.document = stored.document
                state.pending = proposal.pending
                state.error = nil
            }
            return (proposal, report)
        } catch {
            let refusal = SettingsRefusal(error)
            self.looked(at: stored, done: done) { $0.error = refusal.description }
            self.io.context.incidents.record(
                "Settings are refused; those in force stay",
                reason: "invalid",
                level: .warning,
                pace: .failures,
                details: [
                    "version": "\(stored.document?.version ?? 0)", "by": "\(stored.document?.author ?? "")",
                    "error": "\(refusal)",
                ]
            )
            throw refusal
        }
    }

    private func looked(at stored: StoredSettings, done: [String], _ change: (inout State) -> Void) {
        let state = self.state.withLockedValue { state in
            change(&state)
            state.stored = stored
            state.done = Array((done.filter { !$0.isEmpty } + state.done).prefix(16))
            return state
        }
        self.io.watch.looked(
            at: stored.revision,
            version: state.document?.version,
            error: state.error,
            reloads: state.done
        )
    }

    /// The document that a node goes by when it starts: the one that is there if it is right, or else the newest former
    /// version that is.
    ///
    /// For a node that has to know its settings before its gateway can be installed; ``IO/follow(_:patience:interval:)``
    /// makes the same choice.
    ///
    /// - Parameters:
    ///   - source: What settings mean.
    ///   - store: Where the document is.
    /// - Returns: The document; `nil` if there is none that is right.
    /// - Throws: What the source throws if there is no document, and `ClusterError` if the store cannot be asked.
    public static func document(
        for source: some SettingsSource,
        in store: any SettingsStore
    ) async throws -> SettingsDocument? {
        try await self.choose(source, from: store).document
    }

    /// What is to be in force when a node starts: the document if it is right, or else the newest version that is, or none.
    ///
    /// A document that is wrong must not keep a node from starting, because the node is how it is put right.
    ///
    /// - Parameters:
    ///   - source: What settings mean.
    ///   - store: Where the document is.
    ///   - accept: Throws if what the source proposes cannot be in force.
    /// - Returns: What is there, which document is in force, what it means, and why what is there is refused, if it is.
    /// - Throws: What the source throws if there is no document, and `ClusterError` if the store cannot be asked.
    static func choose(
        _ source: any SettingsSource,
        from store: any SettingsStore,
        accept: (SettingsProposal) async throws -> Void = { _ in }
    ) async throws -> (stored: StoredSettings, document: SettingsDocument?, SettingsProposal, refusal: SettingsRefusal?)
    {
        func proposal(_ document: SettingsDocument?) async throws -> SettingsProposal {
            let proposal = try await source.propose(document)
            try await accept(proposal)
            return proposal
        }
        let stored = try await store.read(unless: nil) ?? .nothing
        let refusal: SettingsRefusal
        do {
            if let problem = stored.problem { throw SettingsRefusal(problems: [problem]) }
            return (stored, stored.document, try await proposal(stored.document), nil)
        } catch {
            // Without a document it is the node's own configuration that is wrong.
            if stored.document == nil, stored.problem == nil { throw error }
            refusal = SettingsRefusal(error)
        }
        for former in try await store.history() where former != stored.document {
            if let proposal = try? await proposal(former) { return (stored, former, proposal, refusal) }
        }
        return (stored, nil, try await proposal(nil), refusal)
    }

    /// Puts into force what ``choose(_:from:)`` has found.
    func begin() async throws {
        try await self.applying.run {
            let stored: StoredSettings?
            let document: SettingsDocument?
            let proposal: SettingsProposal
            var refusal: SettingsRefusal?
            do {
                (stored, document, proposal, refusal) = try await Self.choose(self.source, from: self.store) {
                    _ = try await self.io.reload($0.configuration, others: $0.others)
                }
            } catch let error as ClusterError where error.code == .unreachable {
                // It is looked at again before long. A node does not wait for it to start.
                (stored, document, proposal) = (nil, nil, try await self.source.propose(nil))
                _ = try await self.io.reload(proposal.configuration, others: proposal.others)
                self.io.context.incidents.record(
                    "The settings could not be read; the node goes by its own",
                    reason: "store",
                    details: ["error": "\(error)"]
                )
            }
            await proposal.apply()
            guard let stored else { return }
            self.looked(at: stored, done: []) { state in
                state.document = document
                state.pending = proposal.pending
                state.error = refusal?.description
            }
            guard let refusal else { return }
            self.io.context.incidents.record(
                "Settings are refused; an older version is in force, or none",
                reason: "invalid",
                level: .warning,
                pace: .failures,
                details: [
                    "version": "\(stored.document?.version ?? 0)",
                    "inForce": "\(document.map { "\($0.version)" } ?? "none")", "error": "\(refusal)",
                ]
            )
        }
    }
}

extension IO {
    /// Follows the settings that all nodes share.
    ///
    /// When it returns, they are in force. Call ``LiveSettings/run()`` in a task to follow changes. The document lies in
    /// what the gateway was installed with, see ``Sharing/settings``. If it is wrong, the newest former version that is
    /// right is in force, or none; ``LiveSettings/status()`` says so.
    ///
    /// - Parameters:
    ///   - source: What settings mean.
    ///   - patience: How long to wait for further changes before a change of another node is put into force.
    ///   - interval: How often to look at the document without being told that it has changed.
    /// - Returns: The settings, also at ``settings``.
    /// - Throws: What the source throws if there is no document, and `ClusterError` if nobody knows whether there is one.
    @discardableResult
    public func follow(
        _ source: some SettingsSource,
        patience: Duration = .milliseconds(50),
        interval: Duration = .seconds(5)
    ) async throws -> LiveSettings {
        let settings = LiveSettings(self, source, patience: patience, interval: interval)
        try await settings.begin()
        self.liveSettings.withLockedValue { $0 = settings }
        return settings
    }

    /// The settings that the gateway follows; `nil` if it follows none.
    public var settings: LiveSettings? { self.liveSettings.withLockedValue { $0 } }

    /// Tells the other gateways that this one goes, so that they do not have to find out.
    public func leave() async { await self.watch.stop() }
}
