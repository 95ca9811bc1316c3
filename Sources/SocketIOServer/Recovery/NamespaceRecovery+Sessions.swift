import NIOCore
import OrderedCollections
import SocketIOWire

/// Clients that connect, go, and come back.
extension NamespaceRecovery {
    /// What this node knows about a client that says that it was here before.
    enum Claim {
        /// It knows nothing, or the client was away for too long.
        case unknown
        /// It still has a socket.
        case owned(by: Socket)
        /// It may come back.
        case away(RecoveryTicket)
    }

    /// Remembers a new client that has connected; on its loop.
    func connected(_ socket: Socket) {
        let id = self.context.ids.makeSessionID()
        let ticket = self.withUncountedState { state in
            let position = self.position(of: socket.shard, state)
            let ticket = RecoveryTicket(
                id: id,
                socketID: socket.id,
                connected: position,
                history: state.log.history,
                data: .object([:])
            )
            for room in socket.memberships { ticket.joined(room, at: position) }
            ticket.owner = socket
            state.sessions.remember(ticket)
            return ticket
        }
        socket.remember(ticket)
        self.claims(ticket, for: socket)
    }

    /// Looks after a client that says that it was here before.
    func claim(_ id: SessionID) -> Claim {
        let now = self.now
        return self.withState { state in
            guard let ticket = state.sessions[id] else { return .unknown }
            if let owner = ticket.owner { return .owned(by: owner) }
            guard let since = ticket.suspendedAt, since + self.settings.maxDisconnectionDuration >= now else {
                state.sessions.forget(ticket)
                return .unknown
            }
            return .away(ticket)
        }
    }

    /// Gives a client that was away its new socket, which is not connected yet.
    ///
    /// It takes the data with the lock held, because another successor may have come, changed the data, and gone.
    ///
    /// - Returns: Whether it was still away.
    func adopt(_ ticket: RecoveryTicket, by socket: Socket) -> Bool {
        self.withState { state in
            guard ticket.owner == nil, state.sessions[ticket.id] === ticket else { return false }
            ticket.owner = socket
            socket.data = ticket.data
            state.sessions.cameBack(ticket)
            return true
        }
    }

    /// The events that a client has missed which is coming back; on its loop, before it is in its rooms again.
    ///
    /// - Parameters:
    ///   - ticket: The client's.
    ///   - offset: The last event that it has seen, by its own account.
    ///   - older: The events from there on that only the cluster's log had.
    /// - Returns: All events, or `nil` if some may be missing. Then it has to be a new client.
    func missedEvents(of ticket: RecoveryTicket, since offset: String?, older: OlderEvents?) -> [LoggedEvent]? {
        let number = offset.map { self.form.number(of: $0) }
        // An offset, but none of this log.
        if case .some(.none) = number { return nil }
        let seen = number.flatMap { $0 }
        guard let start = ticket.start(after: seen) else { return nil }
        let limits = self.context.replay
        let audience = ticket.audience
        let (now, duration) = (self.now, self.settings.maxDisconnectionDuration)
        let kept = self.withUncountedState { state -> (events: [LoggedEvent], last: Int)? in
            guard ticket.history == state.log.history, !state.holes.concern(ticket),
                !state.overdue.concern(ticket, at: now, for: duration)
            else { return nil }
            let start = max(start, older?.end ?? start)
            // What this node reads later of what the client has seen already is not for it any more.
            let last = max(state.log.last, start)
            ticket.skipsThrough = last
            return state.log.events(after: start, for: audience, limit: 2 * limits.mostEvents).map { ($0, last) }
        }
        guard let kept else { return nil }
        let own = ticket.socketID.room
        let missed = (older?.events ?? []) + kept.events.filter { !ticket.isExcepted(from: $0, own: own) }
        let bytes = missed.reduce(0) { $0 + $1.bytes }
        guard bytes <= limits.mostBytes, missed.count <= limits.mostEvents else { return nil }
        let lastSent = ticket.lastSent ?? 0
        let repeated = missed.reduce(0) { $1.number <= lastSent ? $0 + $1.bytes : $0 }
        guard ticket.repetitions.take(repeated, of: limits.repetitions, at: self.now) == .taken else { return nil }
        if let seen {
            ticket.seen = seen
            ticket.lastSent = max(lastSent, seen)
        }
        if let last = missed.last { ticket.lastSent = max(ticket.lastSent ?? 0, last.number) }
        ticket.told = kept.last
        ticket.isFromElsewhere = false
        ticket.isExact = true
        return missed
    }

    /// Takes note that a client is back, and its socket in its rooms; on its loop.
    func returned(_ ticket: RecoveryTicket, to socket: Socket) {
        self.withUncountedState { $0.sessions.expectNoLonger(ticket) }
        self.claims(ticket, for: socket)
    }

    /// Remembers the state of a socket with a ticket that is ending; on its loop, before it leaves its rooms.
    func suspend(_ ticket: RecoveryTicket, of socket: Socket) {
        let data = socket.data
        self.withUncountedState { state in
            ticket.data = data
            ticket.suspended = self.position(of: socket.shard, state)
            ticket.holesSeen = state.holes.count
            // This comes before it leaves them, so that no event of another node to its rooms is missed between.
            state.sessions.expect(ticket)
        }
        ticket.measure()
    }

    /// Lets the client of a socket that has ended come back from now on; on its loop.
    ///
    /// Call it only when nothing is left of the socket, because its successor has the same id and may be on another
    /// loop.
    func release(_ ticket: RecoveryTicket, of socket: Socket, mayComeBack: Bool) {
        enum Outcome {
            case taken, forgotten
            case away(KeptSession?)
        }
        let now = self.now
        let outcome = self.withState { state -> Outcome in
            guard ticket.owner === socket else { return .taken }
            ticket.owner = nil
            guard mayComeBack, !state.isClosed else {
                state.sessions.forget(ticket)
                return .forgotten
            }
            ticket.suspendedAt = now
            state.sessions.left(ticket)
            self.sweep(&state, at: now)
            self.scheduleSweep(&state)
            // The ticket may not be looked at later, because it may have its next owner by then.
            return .away(self.session(of: ticket, state, isAway: true))
        }
        guard let cluster = self.cluster, !ticket.isHandedOver else { return }
        switch outcome {
        case .taken: break
        case .away(let session?): cluster.keep(session, for: self.settings.maxDisconnectionDuration)
        case .away(nil), .forgotten: cluster.forget(ticket.id)
        }
    }

    /// Whether a client may come back.
    var isAwaited: Bool { self.withUncountedState { $0.sessions.awayCount > 0 } }
}
