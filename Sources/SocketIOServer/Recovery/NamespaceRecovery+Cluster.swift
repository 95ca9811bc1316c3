import NIOCore
import OrderedCollections
import SocketIOWire

/// The sessions that the cluster keeps, so that clients may come back to any node.
///
/// A session is written when its client connects, and at the end of each tick in which its rooms or data have changed.
/// So it outlives this node. The sessions of all connected clients are prolonged together now and then.
extension NamespaceRecovery {
    /// How often the sessions of connected clients are prolonged.
    private var prolongationInterval: TimeAmount {
        max(.seconds(1), .nanoseconds(self.settings.maxDisconnectionDuration.nanoseconds / 4))
    }

    /// How long a session lives without that: it outlives this node by the time that a client may be away.
    private var connectedLifetime: TimeAmount {
        self.settings.maxDisconnectionDuration + self.prolongationInterval + self.prolongationInterval
    }

    func scheduleProlongation() {
        guard self.cluster != nil else { return }
        self.shards[0].eventLoop.scheduleTask(in: self.prolongationInterval) { [weak self] in self?.prolong() ?? () }
    }

    private func prolong() {
        let (sessions, isClosed) = self.withUncountedState { ($0.sessions.connected, $0.isClosed) }
        guard !isClosed else { return }
        if !sessions.isEmpty { self.cluster?.prolong(sessions, for: self.connectedLifetime) }
        self.scheduleProlongation()
    }

    // MARK: Telling

    /// Claims the session of a client that has a socket on this node now; on its loop.
    func claims(_ ticket: RecoveryTicket, for socket: Socket) {
        guard self.cluster != nil else { return }
        ticket.claim = UInt64.random(in: .min ... .max)
        ticket.isNewClaim = true
        // What the last socket was to tell, it won't tell any more.
        ticket.isTouched = false
        self.touch(ticket, of: socket)
    }

    /// Tells the cluster, at the end of the tick, that a connected client's rooms or data have changed; on its loop.
    ///
    /// A long session is told later, so that no client can have it written again and again.
    func touch(_ ticket: RecoveryTicket, of socket: Socket) {
        guard let cluster = self.cluster, !ticket.isTouched else { return }
        ticket.isTouched = true
        let write: @Sendable () -> Void = {
            // If the socket is gone, its last state has been told. Then the ticket may have another owner, on another loop.
            guard socket.state == .connected, socket.ticket === ticket, !ticket.isHandedOver else { return }
            ticket.isTouched = false
            let data = socket.data
            let session = self.withUncountedState { state in
                ticket.data = data
                ticket.suspended = self.position(of: socket.shard, state)
                return self.session(of: ticket, state, isAway: false)
            }
            // A client of another history can't come back until it has been sent an event of this one.
            guard let session else { return cluster.forget(ticket.id) }
            cluster.keep(session, for: self.connectedLifetime)
            ticket.measure()
            guard ticket.bytes > Self.shortSession else { return }
            ticket.quietUntil = socket.eventLoop.now + .microseconds(Int64(ticket.bytes))
        }
        if ticket.quietUntil > socket.eventLoop.now {
            socket.eventLoop.scheduleTask(deadline: ticket.quietUntil, write)
        } else {
            socket.eventLoop.execute(write)
        }
    }

    /// Sessions of so many bytes are told as often as they change; longer ones with a megabyte a second.
    private static var shortSession: Int { 8_192 }

    /// A client's session as the cluster keeps it; `nil` if the client can't come back.
    ///
    /// With the lock held, on the loop of the ticket's owner or when it has none.
    func session(of ticket: RecoveryTicket, _ state: State, isAway: Bool) -> KeptSession? {
        guard self.cluster != nil, let history = state.history, ticket.history == state.log.history else { return nil }
        if isAway, ticket.isBehind { return nil }
        defer { ticket.isNewClaim = false }
        var stays: [KeptSession.Stay] = []
        for (room, times) in ticket.stays {
            for past in times.past {
                stays.append(.init(room: room, joined: .init(position: past.joined), left: .init(position: past.left)))
            }
            if let joined = times.joined { stays.append(.init(room: room, joined: .init(position: joined), left: nil)) }
        }
        let record = KeptSession.Record(
            claim: ticket.claim,
            isNew: ticket.isNewClaim,
            isAway: isAway,
            history: history,
            connected: EventOffset(position: ticket.connected),
            handled: EventOffset(position: ticket.suspended),
            told: EventOffset(position: ticket.told),
            lastSent: ticket.lastSent.map { EventOffset(position: $0) },
            completeFrom: EventOffset(position: ticket.completeFrom),
            isBehind: ticket.isBehind,
            stays: stays
        )
        return KeptSession(
            id: ticket.id,
            socketID: ticket.socketID,
            rooms: ticket.rooms,
            data: ticket.data,
            record: record
        )
    }

    // MARK: What the cluster's log tells

    /// The reader of the cluster's log has told of everything up to there.
    func logReached(_ offset: EventOffset) {
        self.withState { state in if state.history != nil { state.log.reached(offset) } }
    }

    // MARK: Handing over

    /// Ends a client's connection, because another node has taken the session, and gives the session away.
    func handOver(_ id: SessionID) async -> KeptSession? {
        let owner = self.withUncountedState { $0.sessions[id]?.owner }
        if let owner {
            try? await owner.eventLoop.submit {
                guard let ticket = owner.ticket, ticket.id == id else { return }
                ticket.isHandedOver = true
                owner.client.closeAll(.connectionReplaced)
                owner.client.session.close(discardingQueue: true)
            }.get()
        }
        return self.withState { state in
            guard let ticket = state.sessions[id], ticket.owner == nil else { return nil }
            let session = self.session(of: ticket, state, isAway: true)
            let isWhole = !state.holes.concern(ticket)
            state.sessions.forget(ticket)
            return isWhole ? session : nil
        }
    }
}
