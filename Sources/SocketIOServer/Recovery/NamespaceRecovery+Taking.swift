import NIOCore
import SocketIOWire

/// Clients whose sessions the cluster keeps, of this node or another.
extension NamespaceRecovery {
    /// The events that a client missed before this node's own copy of the log begins.
    struct OlderEvents: Sendable {
        var events: [LoggedEvent] = []
        /// The last place that was read.
        var end: Int
    }

    /// A client that may go on here, and the missed events that this node does not keep.
    struct Taken: Sendable {
        let ticket: RecoveryTicket
        let older: OlderEvents?
    }

    /// Takes a client's session from wherever it is.
    ///
    /// - Returns: `nil` if the client has to be a new one.
    func take(_ id: SessionID, since offset: String?, from cluster: any EventLogAdapter) async -> Taken? {
        let number = offset.map { self.form.number(of: $0) }
        if case .some(.none) = number { return nil }
        let seen = number.flatMap { $0 }
        guard let session = try? await cluster.takeSession(id), session.id == id else {
            self.forgetAway(id)
            return nil
        }
        if session.record == nil {
            // A Node.js node knows no history: what the client has seen must be in this one.
            guard let seen, await self.holds(seen, cluster) else { return nil }
        }
        guard let ticket = self.ticket(for: session, seen) else { return nil }
        let range = self.withUncountedState { state -> (start: Int, end: Int)? in
            guard ticket.history == state.log.history, let start = ticket.start(after: seen) else { return nil }
            return (start, max(state.log.forgotten, start))
        }
        guard let range else { return self.giveUp(ticket) }
        guard range.start < range.end else { return Taken(ticket: ticket, older: nil) }
        guard let older = try? await self.read(ticket, range.start, range.end, cluster) else {
            return self.giveUp(ticket)
        }
        return Taken(ticket: ticket, older: older)
    }

    /// Gives a session back that was taken, because the connection has ended meanwhile.
    func giveBack(_ ticket: RecoveryTicket) {
        let session = self.withUncountedState { state -> KeptSession? in
            guard state.sessions[ticket.id] === ticket, ticket.owner == nil else { return nil }
            ticket.claim = UInt64.random(in: .min ... .max)
            ticket.isNewClaim = true
            return self.session(of: ticket, state, isAway: true)
        }
        if let session { self.cluster?.keep(session, for: self.settings.maxDisconnectionDuration) }
    }

    private func giveUp(_ ticket: RecoveryTicket) -> Taken? {
        self.withState { $0.sessions.forget(ticket) }
        return nil
    }

    /// Forgets a client that is away, because another node has its session.
    private func forgetAway(_ id: SessionID) {
        self.withState { state in
            guard let ticket = state.sessions[id], ticket.owner == nil else { return }
            state.sessions.forget(ticket)
        }
    }

    /// The ticket of a client whose session was taken: this node's own one, if that knows more than the cluster.
    private func ticket(for session: KeptSession, _ seen: Int?) -> RecoveryTicket? {
        let now = self.now
        return self.withState { state in
            if let own = state.sessions[session.id] {
                guard own.owner == nil else { return nil }
                if own.claim == session.record?.claim { return own }
                state.sessions.forget(own)
            }
            guard !state.isClosed, let history = state.history, session.record.map({ $0.history == history }) ?? true
            else { return nil }
            let ticket = RecoveryTicket(session, seen, history: state.log.history)
            ticket.holesSeen = state.holes.count
            ticket.suspendedAt = now
            ticket.measure()
            state.sessions.remember(ticket)
            state.sessions.left(ticket)
            state.sessions.expect(ticket)
            return ticket
        }
    }

    /// Whether the log has an event at that place.
    private func holds(_ number: Int, _ cluster: any EventLogAdapter) async -> Bool {
        if self.withUncountedState({ $0.log.contains(number) }) { return true }
        let (before, offset) = (EventOffset(position: number - 1), EventOffset(position: number))
        let page = try? await cluster.events(after: before, through: offset, limit: 1)
        return page?.events.contains { $0.offset == offset } ?? false
    }

    private static let entriesAtOnce = 512

    /// Reads the events that a client has missed, page by page, until there are too many.
    private func read(
        _ ticket: RecoveryTicket,
        _ start: Int,
        _ end: Int,
        _ cluster: any EventLogAdapter
    ) async throws -> OlderEvents? {
        let limits = self.context.replay
        let now = self.now
        var older = OlderEvents(end: start)
        var bytes = 0
        while older.end < end {
            let page = try await cluster.events(
                after: EventOffset(position: older.end),
                through: EventOffset(position: end),
                limit: Self.entriesAtOnce
            )
            guard let page, page.end.position > older.end else { return nil }
            for event in page.events where event.offset.position > older.end && event.offset.position <= end {
                let number = event.offset.position
                let options = self.outsiders.applied(to: event.options)
                // Only this call has the ticket while the client is away and its session is taken.
                guard self.withUncountedState({ _ in ticket.isAddressed(by: options, number) }) else { continue }
                let logged = LoggedEvent(
                    number: number,
                    kind: .numbered,
                    history: ticket.history,
                    packet: event.packet.appendingArgument(self.form.text(of: number)),
                    options: options,
                    time: now
                )
                bytes += logged.bytes
                older.events.append(logged)
                guard bytes <= limits.mostBytes, older.events.count <= limits.mostEvents else { return nil }
            }
            older.end = min(page.end.position, end)
        }
        return older
    }
}
