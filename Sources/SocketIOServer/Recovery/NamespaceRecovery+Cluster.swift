import NIOCore
import OrderedCollections
import SocketIOWire

/// What the cluster keeps of clients, so that they may come back to any node.
///
/// A session is written when its client connects and whenever what it is has changed, at the end of the tick, so that it
/// outlives this node. All those of connected clients are prolonged together now and then.
extension NamespaceRecovery {
    /// How often the sessions of connected clients are prolonged.
    private var prolongationInterval: TimeAmount {
        max(.seconds(1), .nanoseconds(self.settings.maxDisconnectionDuration.nanoseconds / 4))
    }

    /// How long they live without that: they outlive this node by as long as a client may be away.
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

    /// A client has a socket on this node now; on its loop.
    func claims(_ ticket: RecoveryTicket, for socket: Socket) {
        guard self.cluster != nil else { return }
        ticket.claim = UInt64.random(in: .min ... .max)
        ticket.isNewClaim = true
        self.touch(ticket, of: socket)
    }

    /// What a connected client is has changed: the cluster is told of all that changes in this tick; on its loop.
    func touch(_ ticket: RecoveryTicket, of socket: Socket) {
        guard let cluster = self.cluster, !ticket.isTouched else { return }
        ticket.isTouched = true
        socket.eventLoop.execute {
            ticket.isTouched = false
            // If it is gone, its last state has been told; it may have been taken since.
            guard socket.state == .connected, socket.ticket === ticket, !ticket.isHandedOver else { return }
            let data = socket.data
            let session = self.withUncountedState { state in
                ticket.data = data
                ticket.suspended = self.position(of: socket.shard, state)
                return self.session(of: ticket, state, isAway: false)
            }
            // Who is of another history can't come back until it has been sent something of this one.
            guard let session else { return cluster.forget(ticket.id) }
            cluster.keep(session, for: self.connectedLifetime)
        }
    }

    /// What is kept of a client; `nil` if it can't come back.
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

    // MARK: Handing over

    /// Another node has taken a session.
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
