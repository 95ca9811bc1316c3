import EngineIO
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
    }

    private let state = NIOLockedValueBox(State())
    /// How long the cluster may be out of reach before this counts.
    private let grace: TimeAmount
    private let now: @Sendable () -> NIODeadline

    /// - Parameters:
    ///   - grace: How long the cluster may be out of reach before the node stops being ready. A short interruption
    ///     hits every node at once, and a load balancer without any ready node turns every client away.
    ///   - now: The time.
    init(grace: TimeAmount = .zero, now: @escaping @Sendable () -> NIODeadline = { .now() }) {
        self.grace = grace
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
        self.state.withLockedValue { state in
            state.outage = isReachable ? nil : (state.outage?.since ?? since ?? now, reason ?? state.outage?.reason)
        }
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
