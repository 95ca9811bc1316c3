import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// Limits of the cluster for what clients of this node do.
struct ClientLimits: Sendable {
    let context: GatewayContext
    let limiter: ClusterLimiter

    /// Takes what a client's wish costs.
    ///
    /// - Throws: ``ClientRefusal`` with the time to wait if there was too much of it.
    func spend(_ action: LimitedAction, _ count: Int = 1, of socket: Socket) throws(ClientRefusal) {
        let rates = self.context.rules(for: socket).configuration.limits.cluster
        let subjects = self.subjects(of: socket)
        guard let wait = self.take(action, count, of: subjects, rates, at: socket.eventLoop.now) else { return }
        throw .rateLimitExceeded(retryAfterMilliseconds: wait)
    }

    /// Takes what anybody's wish costs, and counts if it is refused.
    ///
    /// - Returns: The milliseconds to wait if it is refused; `nil` if it is granted.
    func take(
        _ action: LimitedAction,
        _ count: Int,
        of subjects: LimitSubjects,
        _ rates: ClusterRates,
        at now: NIODeadline
    ) -> Int? {
        let wait = self.limiter.take(action, count, of: subjects, rates, at: now)
        if wait != nil { self.context.metrics.limited(action) }
        return wait
    }

    /// Who a client is.
    private func subjects(of socket: Socket) -> LimitSubjects {
        LimitSubjects(self.context.principal(of: socket), address: self.context.address(of: socket))
    }

    // MARK: All events

    /// Counts the events of a client from now on, if the events of anybody are limited.
    ///
    /// Who the client is may not change any more.
    func watchEvents(of socket: Socket) {
        guard self.context.rules(for: socket).configuration.limits.cluster.limitsEvents else { return }
        let subjects = self.subjects(of: socket)
        socket.use { event in
            let rates = self.context.rules(for: event.socket).configuration.limits.cluster
            let now = event.socket.eventLoop.now
            let wait =
                self.take(.events, 1, of: subjects, rates, at: now)
                ?? self.take(.bytes, event.arguments.byteCount, of: subjects, rates, at: now)
            guard let wait else { return }
            self.refuse(event, .rateLimitExceeded(retryAfterMilliseconds: wait))
            throw RejectedEvent("Rate limit exceeded")
        }
    }

    /// Answers an event that is refused: its acknowledgement, or else with an event of its own.
    private func refuse(_ event: ReceivedEvent, _ refusal: ClientRefusal) {
        event.acknowledge(values: [refusal.answer])
        if !event.expectsAcknowledgement { Self.tell(event.socket, event.name, refusal.answer) }
    }

    /// Tells a client that waits for no answer what it would have been: `io:error` with `{event, error, retryAfter}`.
    static func tell(_ socket: Socket, _ event: UTF8Text, _ answer: JSONValue) {
        var object: JSONObject = ["event": .string(event.string)]
        object["error"] = answer["error"]
        object["retryAfter"] = answer["retryAfter"]
        // Volatile: a client that floods and does not read is not sent ever more.
        socket.volatile.emit("io:error", values: [.object(object)])
    }
}
