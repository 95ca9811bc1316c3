import Incidents
import Logging
import Metrics
import NIOConcurrencyHelpers
import NIOCore
import SocketIOWire

/// Tells the other nodes which configuration this one goes by, and knows what they tell.
///
/// It says so every other second, and at once when something has changed.
final class ConfigurationWatch: Sendable {
    private struct State {
        var cluster: ClusterConfigurations
        var own: ConfigurationAnnouncement
        var privacy: Privacy
        /// Whether the next announcement says what is private, and whether it asks the others.
        var tells = false
        var asks = true
        var isSending = false
        var isOutdated = false
        var isStopped = false
        var waiters: [Waiter] = []
        var nextWaiter = 0
        var subscription: SignalSubscription?
        var beat: RepeatedTask?

        /// The next message; `nil` if one is being sent, because then another one follows it.
        mutating func takeMessage() -> ByteBuffer? {
            guard !self.isStopped else { return nil }
            guard !self.isSending else {
                self.isOutdated = true
                return nil
            }
            self.isSending = true
            self.isOutdated = false
            var announcement = self.own
            if self.tells { announcement.privacy = self.privacy }
            announcement.asks = self.asks
            self.tells = false
            self.asks = false
            return announcement.message
        }
    }

    /// Somebody who waits until the nodes have said something.
    private struct Waiter {
        var id: Int
        var isContent: @Sendable ([ClusterConfigurations.Node]) -> Bool
        var continuation: CheckedContinuation<Void, Never>
    }

    /// What somebody else does about what is heard.
    struct Listener: Sendable {
        /// What is private to other nodes is something else than before.
        var privacyChanged: @Sendable () -> Void
        /// Something was said about settings.
        var settingsMessage: @Sendable (SettingsMessage) -> Void
        /// Something may have been missed.
        var gap: @Sendable () -> Void
    }

    private let signals: any ClusterSignals
    private let eventLoop: any EventLoop
    private let incidents: IncidentLog
    private let state: NIOLockedValueBox<State>
    private let metrics: ConfigurationMetrics
    private let listener = NIOLockedValueBox<Listener?>(nil)

    static let interval = TimeAmount.seconds(2)
    private static let lease = TimeAmount.milliseconds(6_500)

    init(
        _ configuration: GatewayConfiguration,
        signals: any ClusterSignals,
        eventLoop: any EventLoop,
        incidents: IncidentLog,
        factory: any MetricsFactory
    ) {
        let own = UTF8Text(APIToken.hexadecimal((0..<8).map { _ in UInt8.random(in: .min ... .max) }))
        let digest = UTF8Text(ConfigurationDigest.digest(of: configuration))
        self.signals = signals
        self.eventLoop = eventLoop
        self.incidents = incidents
        self.metrics = ConfigurationMetrics(factory)
        self.state = NIOLockedValueBox(
            State(
                cluster: ClusterConfigurations(own: own, digest: digest, lease: Self.lease),
                own: ConfigurationAnnouncement(node: own, name: configuration.nodeName, digest: digest),
                privacy: Privacy(configuration)
            )
        )
        self.metrics.inForce(digest.string)
        self.metrics.nodes((1, 0))
    }

    /// Begins to tell and to listen.
    func start(_ listener: Listener) {
        self.listener.withLockedValue { $0 = listener }
        let subscription = self.signals.receive(.settings) { [weak self] signal in self?.hear(signal) }
        let beat = self.eventLoop.scheduleRepeatedTask(initialDelay: Self.interval, delay: Self.interval) {
            [weak self] task in
            guard let self else { return task.cancel() }
            self.tick()
        }
        self.state.withLockedValue { state in
            state.subscription = subscription
            state.beat = beat
        }
    }

    /// Tells the others that this node leaves, and stops.
    func stop() async {
        let (subscription, beat, message) = self.state.withLockedValue { state in
            defer { (state.subscription, state.beat, state.isStopped) = (nil, nil, true) }
            var own = state.own
            own.isLeaving = true
            return (state.subscription, state.beat, own.message)
        }
        guard let subscription else { return }
        beat?.cancel()
        await subscription.cancel()
        try? await self.signals.send(.settings, message)
    }

    // MARK: This node

    /// Another configuration is in force on this node.
    func changed(_ configuration: GatewayConfiguration, _ others: String) {
        let digest = UTF8Text(ConfigurationDigest.digest(of: configuration, others))
        let privacy = Privacy(configuration)
        let reaction = self.state.withLockedValue { state in
            state.own.digest = digest
            state.own.name = configuration.nodeName
            // Whoever hears of a configuration that he does not know hears at once what is private in it.
            if state.privacy != privacy { state.tells = true }
            state.privacy = privacy
            return state.cluster.changed(digest)
        }
        self.metrics.inForce(digest.string)
        self.react(reaction)
        self.announce()
    }

    /// This node has looked at the settings document.
    func looked(at revision: String, version: Int?, error: String?, reloads: [String]) {
        self.state.withLockedValue { state in
            state.own.revision = revision
            state.own.version = version
            state.own.error = error?.abridged(toBytes: 2048)
            state.own.reloads = reloads
        }
        self.metrics.isRejected(error != nil)
        self.announce()
    }

    /// What is private to other nodes.
    var others: [Privacy] { self.state.withLockedValue { $0.cluster.others } }

    /// What this node says of itself.
    var own: ConfigurationAnnouncement { self.state.withLockedValue { $0.own } }

    /// What the other live nodes say of themselves, in order.
    var nodes: [ClusterConfigurations.Node] {
        self.state.withLockedValue { state in
            state.cluster.nodes.values.sorted { $0.announcement.node < $1.announcement.node }
        }
    }

    // MARK: The others

    private func hear(_ signal: Signal) {
        switch signal {
        case .gap:
            self.state.withLockedValue { $0.asks = true }
            self.announce()
            self.listener.withLockedValue { $0 }?.gap()
        case .message(let bytes):
            guard let message = SettingsMessage(bytes) else {
                return self.incidents.record(
                    "What another node says about its settings is not readable",
                    reason: "settings"
                )
            }
            if case .announcement(let announcement) = message {
                let now = NIODeadline.now()
                let reaction = self.state.withLockedValue { $0.cluster.heard(announcement, at: now) }
                self.react(reaction)
                if reaction.tells || reaction.asks { self.announce() }
            }
            self.listener.withLockedValue { $0 }?.settingsMessage(message)
        }
    }

    private func tick() {
        let now = NIODeadline.now()
        let reaction = self.state.withLockedValue { $0.cluster.tick(at: now) }
        self.react(reaction)
        self.announce()
    }

    private func react(_ reaction: ClusterConfigurations.Reaction) {
        let (content, counts) = self.state.withLockedValue { state in
            if reaction.tells { state.tells = true }
            if reaction.asks { state.asks = true }
            let nodes = Array(state.cluster.nodes.values)
            let content = state.waiters.filter { $0.isContent(nodes) }
            state.waiters.removeAll { waiter in content.contains { $0.id == waiter.id } }
            return (content, state.cluster.counts)
        }
        for waiter in content { waiter.continuation.resume() }
        self.metrics.nodes(counts)
        if reaction.privacyChanged { self.listener.withLockedValue { $0 }?.privacyChanged() }
    }

    /// Returns when the other nodes have said something, or after a while.
    func wait(
        atMost timeout: TimeAmount,
        until isContent: @escaping @Sendable ([ClusterConfigurations.Node]) -> Bool
    ) async {
        await withCheckedContinuation { continuation in
            let id: Int? = self.state.withLockedValue { state in
                guard !isContent(Array(state.cluster.nodes.values)) else { return nil }
                state.nextWaiter += 1
                state.waiters.append(Waiter(id: state.nextWaiter, isContent: isContent, continuation: continuation))
                return state.nextWaiter
            }
            guard let id else { return continuation.resume() }
            self.eventLoop.scheduleTask(in: timeout) {
                let late = self.state.withLockedValue { state in
                    defer { state.waiters.removeAll { $0.id == id } }
                    return state.waiters.first { $0.id == id }
                }
                late?.continuation.resume()
            }
        }
    }

    /// Says what is the case now, one message after the other.
    private func announce() {
        let message = self.state.withLockedValue { $0.takeMessage() }
        guard let message else { return }
        // Nobody waits for this task. It ends with the newest message.
        Task {
            var next: ByteBuffer? = message
            while let message = next {
                do {
                    try await self.signals.send(.settings, message)
                } catch {
                    self.incidents.record(
                        "The other nodes could not be told which configuration is in force here",
                        reason: "settings",
                        details: ["error": "\(error)"]
                    )
                }
                next = self.state.withLockedValue { state in
                    state.isSending = false
                    return state.isOutdated ? state.takeMessage() : nil
                }
            }
        }
    }
}
