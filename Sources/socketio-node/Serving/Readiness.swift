import EngineIO
import Logging
import NIOConcurrencyHelpers
import NIOCore
import SocketIOWire

/// Whether a load balancer should send new clients here: `GET /healthz` and `GET /readyz` of the public port.
final class Readiness: Sendable {
    private struct State {
        var hasStarted = false
        var isShuttingDown = false
        /// Since when the cluster is out of reach, and why.
        var outage: (since: NIODeadline, reason: String?)?
        /// Whether a client was refused in this outage.
        var hasRefused = false
    }

    private let state = NIOLockedValueBox(State())
    /// How long the cluster may be out of reach before the node stops being ready.
    private let grace: TimeAmount
    /// How long before new clients are refused; `nil` is never.
    private let refusalGrace: TimeAmount?
    private let logger: Logger
    private let now: @Sendable () -> NIODeadline

    /// - Parameters:
    ///   - grace: How long the cluster may be out of reach before the node stops being ready. A short interruption
    ///     hits every node at once, and a load balancer without any ready node turns every client away.
    ///   - whenLost: What else happens when the cluster is out of reach.
    ///   - whenLostGrace: How long it may be before that happens.
    ///   - logger: Hears that new clients are refused.
    ///   - now: The time.
    init(
        grace: TimeAmount = .zero,
        whenLost: NodeConfiguration.WhenLost = .serveLocal,
        whenLostGrace: TimeAmount = .zero,
        logger: Logger = Logger(label: "readiness", factory: { _ in SwiftLogNoOpLogHandler() }),
        now: @escaping @Sendable () -> NIODeadline = { .now() }
    ) {
        switch whenLost {
        case .serveLocal:
            self.grace = grace
            self.refusalGrace = nil
        case .notReady:
            self.grace = min(grace, whenLostGrace)
            self.refusalGrace = nil
        case .stopAccepting:
            self.grace = min(grace, whenLostGrace)
            self.refusalGrace = whenLostGrace
        }
        self.logger = logger
        self.now = now
    }

    func started() { self.state.withLockedValue { $0.hasStarted = true } }

    func shuttingDown() { self.state.withLockedValue { $0.isShuttingDown = true } }

    /// Notes that the cluster was lost, or found again.
    ///
    /// - Parameters:
    ///   - isReachable: Whether messages arrive.
    ///   - reason: Why not; the last one counts.
    ///   - since: Since when not, if that was noticed later; the first one counts.
    func cluster(isReachable: Bool, reason: String? = nil, since: NIODeadline? = nil) {
        let now = self.now()
        let isAcceptingAgain = self.state.withLockedValue { state in
            state.outage = isReachable ? nil : (state.outage?.since ?? since ?? now, reason ?? state.outage?.reason)
            guard isReachable, state.hasRefused else { return false }
            state.hasRefused = false
            return true
        }
        if isAcceptingAgain { self.logger.notice("New clients are accepted again, because Redis is back") }
    }

    /// Whether a new client is to be refused, because the cluster has been out of reach for too long.
    ///
    /// The first refusal of an outage is logged.
    func refusesClients() -> Bool {
        guard let grace = self.refusalGrace else { return false }
        let now = self.now()
        let (isRefused, reason) = self.state.withLockedValue { state -> (Bool, String??) in
            guard let outage = state.outage, now - outage.since >= grace else { return (false, nil) }
            defer { state.hasRefused = true }
            return (true, state.hasRefused ? nil : .some(outage.reason))
        }
        if let reason {
            self.logger.warning(
                "New clients are refused with status 503 until Redis is back (adapter.redis.whenLost: stopAccepting)",
                metadata: reason.map { ["reason": "\($0)"] }
            )
        }
        return isRefused
    }

    /// Why the node is not ready; empty if it is.
    var obstacles: [String] {
        let state = self.state.withLockedValue { $0 }
        var obstacles: [String] = []
        if !state.hasStarted { obstacles.append("starting") }
        if state.isShuttingDown { obstacles.append("shutting down") }
        if let outage = state.outage, self.now() - outage.since >= self.grace {
            obstacles.append("redis unreachable" + (outage.reason.map { ": \($0)" } ?? ""))
        }
        return obstacles
    }

    /// The answers of the public port outside of Socket.IO's path.
    func answer(method: String, target: String) -> HTTPAnswer? {
        let path = target.utf8.prefix { $0 != UInt8(ascii: "?") }
        let isAlive = path.elementsEqual("/healthz".utf8)
        guard isAlive || path.elementsEqual("/readyz".utf8) else { return nil }
        guard method == "GET" || method == "HEAD" else {
            return HTTPAnswer(status: 405, headers: [HTTPField("Allow", "GET, HEAD")])
        }
        // Alive means no more than that this loop answers: a node that is cut off from Redis must not be restarted.
        let obstacles = isAlive ? [] : self.obstacles
        let body: JSONValue = [
            "status": obstacles.isEmpty ? "ok" : "unavailable",
            "reasons": .array(obstacles.map(JSONValue.string)),
        ]
        var bytes = ByteBuffer()
        bytes.writeJSON(body)
        return .json(bytes, status: obstacles.isEmpty ? 200 : 503)
    }
}
