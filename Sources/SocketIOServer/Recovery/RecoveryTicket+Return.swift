import OrderedCollections
import SocketIOWire

/// Where a client that comes back may go on, by what it was sent before.
extension RecoveryTicket {
    /// Where to go on.
    ///
    /// - Parameter offset: The last event that the client has seen, by its own account.
    /// - Returns: The last event that the client certainly need not be sent again, or `nil` if that can't be told.
    func start(after offset: Int?) -> Int? {
        // A client can't unsee an event. And a client that was sent events without a number can't say what it has seen.
        guard !self.isBehind else { return nil }
        if let seen = self.seen, offset.map({ $0 < seen }) ?? true { return nil }
        let start: Int
        switch (offset, self.lastSent) {
        case (let offset?, let lastSent) where offset == self.told && lastSent ?? 0 <= offset:
            // It has seen nothing since it connected, and there was nothing.
            start = self.end(max: offset)
        case (nil, nil): start = self.isExact ? self.suspended : self.connected
        case (nil, .some): start = self.connected
        case (let offset?, nil):
            guard offset >= self.told, offset == self.told || !self.isExact else { return nil }
            start = offset
        case (let offset?, let lastSent?):
            guard offset <= lastSent || !self.isExact, offset >= self.connected else { return nil }
            start = offset == lastSent ? self.end(max: offset) : offset
        }
        return start >= self.completeFrom ? start : nil
    }

    /// The last event that was dealt with, if the client has seen everything that it was sent.
    private func end(max offset: Int) -> Int { self.isExact ? Swift.max(offset, self.suspended) : offset }

    /// Takes note of where the log stands, which was not known when the client connected.
    func begins(at tail: Int) {
        guard self.lastSent == nil, self.connected < tail else { return }
        (self.connected, self.told, self.suspended) = (tail, tail, tail)
        self.stays = self.stays.compactMapValues { $0.joined == nil ? nil : Stays(joined: tail) }
        self.pastStays = 0
    }

    /// Takes note that an event is about to be sent to the client.
    @inline(__always)
    func sends(_ event: LoggedEvent) {
        if event.history == self.history, !self.isBehind, event.kind == .numbered {
            self.lastSent = event.number
        } else {
            self.sendsOddly(event)
        }
    }

    @inline(never)
    private func sendsOddly(_ event: LoggedEvent) {
        guard event.kind == .numbered, event.history >= self.history else {
            self.isBehind = true
            return
        }
        if event.history != self.history {
            // Offsets may be given out again that the client was sent in the old history.
            let highest = [self.lastSent ?? 0, self.told, self.connected, self.seen ?? 0].max() ?? 0
            self.history = event.history
            self.completeFrom = max(event.number, highest + 1)
            (self.connected, self.told, self.skipsThrough, self.seen) = (0, 0, 0, nil)
            self.stays = self.stays.compactMapValues { $0.joined == nil ? nil : Stays(joined: 0) }
            self.pastStays = 0
        } else {
            self.completeFrom = max(self.completeFrom, event.number)
        }
        self.isBehind = false
        self.lastSent = event.number
    }

    /// Takes note that an event which the client was sent without an offset, or was not sent, has one after all.
    func arrivedLate(_ event: LoggedEvent) {
        guard event.history == self.history else { return }
        self.completeFrom = max(self.completeFrom, event.number)
    }
}

extension RecoveryTicket {
    /// A client that comes from another node.
    ///
    /// - Parameters:
    ///   - session: The session that the cluster has kept.
    ///   - seen: The last event that the client has seen; a session of a Node.js node does not tell.
    ///   - history: The number that the log's history has here.
    convenience init(_ session: KeptSession, _ seen: Int?, history: UInt32) {
        let connected = session.record?.connected.position ?? (seen ?? 1) - 1
        self.init(
            id: session.id,
            socketID: session.socketID,
            connected: connected,
            history: history,
            data: session.data
        )
        self.isFromElsewhere = true
        guard let record = session.record else {
            self.isExact = false
            for room in session.rooms { self.joined(room, at: connected) }
            return
        }
        self.told = record.told.position
        self.suspended = record.handled.position
        self.lastSent = record.lastSent?.position
        self.completeFrom = record.completeFrom.position
        self.isBehind = record.isBehind
        self.isExact = record.isAway
        self.claim = record.claim
        self.adopt(record.stays)
    }
}
