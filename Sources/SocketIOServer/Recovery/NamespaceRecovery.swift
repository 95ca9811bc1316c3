import EngineIO
import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
import SocketIOWire
import Synchronization

/// Lets a namespace's clients go on where they were: numbers and keeps its events, remembers who was in which rooms.
///
/// Every event gets its number with one lock held, and every loop handles events in the order of their numbers; so the
/// last number that a client has seen says exactly what it has not seen. There is one of these only while
/// ``SocketServerConfiguration/connectionStateRecovery`` is on: without it, events know nothing of it.
final class NamespaceRecovery: Sendable {
    private struct State {
        var log: RecoveryLog
        var tickets: [SessionID: RecoveryTicket] = [:]
        /// The same tickets by the ids of the clients' sockets.
        var ticketsOfSockets: [SocketID: RecoveryTicket] = [:]
        /// Those that are away, the longest first.
        private(set) var away = ArrivalQueue<SessionID>()
        /// What those are counted as.
        private var awayBytes = 0
        var isSweepScheduled = false
        var isClosed = false
        /// Where clients count as members who are away.
        private let index: NamespaceIndex

        init(log: RecoveryLog, index: NamespaceIndex) {
            self.log = log
            self.index = index
        }

        /// What is kept, all of it.
        var use: RecoveryUse {
            RecoveryUse(events: self.log.count, bytes: self.log.bytes + self.awayBytes, sessions: self.away.count)
        }

        /// Who has been away for the longest time.
        var longestAway: RecoveryTicket? { self.away.first.flatMap { self.tickets[$0] } }

        mutating func remember(_ ticket: RecoveryTicket) {
            self.tickets[ticket.id] = ticket
            self.ticketsOfSockets[ticket.socketID] = ticket
        }

        mutating func left(_ ticket: RecoveryTicket) {
            self.away.append(ticket.id)
            self.awayBytes += ticket.bytes
        }

        mutating func cameBack(_ ticket: RecoveryTicket) {
            if self.away.remove(ticket.id) { self.awayBytes -= ticket.bytes }
        }

        /// A client is about to leave its rooms, to which it may come back.
        func expect(_ ticket: RecoveryTicket) {
            self.expectNoLonger(ticket)
            ticket.expectedRooms = [ticket.socketID.room] + ticket.rooms
            self.index.expect(ticket.expectedRooms)
        }

        /// A client is in its rooms again, or won't come back.
        func expectNoLonger(_ ticket: RecoveryTicket) {
            self.index.expectNoLonger(ticket.expectedRooms)
            ticket.expectedRooms = []
        }

        mutating func forget(_ ticket: RecoveryTicket) {
            self.cameBack(ticket)
            self.expectNoLonger(ticket)
            self.tickets[ticket.id] = nil
            if self.ticketsOfSockets[ticket.socketID] === ticket { self.ticketsOfSockets[ticket.socketID] = nil }
        }

        mutating func forgetAll() {
            self.log.forgetAll()
            for ticket in self.tickets.values { self.expectNoLonger(ticket) }
            self.tickets = [:]
            self.ticketsOfSockets = [:]
            self.away = ArrivalQueue()
            self.awayBytes = 0
        }
    }

    /// What is known about a client that says that it was here before.
    enum Claim {
        /// Nothing, or it was away for too long.
        case unknown
        /// It still has a socket.
        case owned(by: Socket)
        /// It may come back.
        case away(RecoveryTicket)
    }

    let settings: ConnectionStateRecovery
    private let context: RecoveryContext
    private let codec = OffsetCodec()
    private let shards: [NamespaceShard]
    private let isAwaitedNoLonger: @Sendable (NamespaceRecovery) -> Void
    private let state: NIOLockedValueBox<State>

    init(
        context: RecoveryContext,
        shards: [NamespaceShard],
        index: NamespaceIndex,
        isAwaitedNoLonger: @escaping @Sendable (NamespaceRecovery) -> Void
    ) {
        self.context = context
        self.settings = context.settings
        self.shards = shards
        self.isAwaitedNoLonger = isAwaitedNoLonger
        self.state = NIOLockedValueBox(State(log: RecoveryLog(codec: self.codec), index: index))
    }

    private var budget: RecoveryBudget { self.context.budget }

    deinit {
        let use = self.state.withLockedValue { $0.use }
        self.budget.changed(self, from: use, to: RecoveryUse())
    }

    private var now: NIODeadline { self.shards[0].eventLoop.now }

    /// Does something with the lock held, and counts what is kept then.
    private func withState<Result>(_ body: (inout State) -> Result) -> Result {
        defer { self.budget.enforce() }
        return self.withCountedState(body)
    }

    private func withCountedState<Result>(_ body: (inout State) -> Result) -> Result {
        self.state.withLockedValue { state in
            let before = state.use
            defer { self.budget.changed(self, from: before, to: state.use) }
            return body(&state)
        }
    }

    // MARK: Events

    /// Keeps an event and sends it to the sockets that it addresses.
    func broadcast(_ packet: EncodedPacket, options: BroadcastOptions) {
        let here = self.shards.first { $0.eventLoop.inEventLoop }
        let now = self.now
        let event = self.withState { state -> LoggedEvent? in
            self.sweep(&state, at: now)
            let event = state.log.append(packet, options, at: now)
            let isInline = here?.logPosition.begin() ?? false
            for shard in self.shards where !(isInline && shard === here) {
                self.hand(event, to: shard, isOwn: shard === here) { $0.deliver(event) }
            }
            self.scheduleSweep(&state)
            return isInline ? event : nil
        }
        guard let here, let event else { return }
        here.deliver(event)
        here.logPosition.end(event)
    }

    /// Keeps an event for one client and sends it: to the socket, or to its successor, or when the client comes back.
    func emit(_ packet: EncodedPacket, to socket: Socket, compress: Bool) {
        enum Outcome {
            case notKept
            case kept
            case keptAndDue(LoggedEvent, Socket, RecoveryTicket)
        }
        let now = self.now
        let outcome = self.withState { state -> Outcome in
            guard let ticket = state.ticketsOfSockets[socket.id] else { return .notKept }
            var options = BroadcastOptions(rooms: [socket.id.room])
            if !compress { options.flags.set(.compress(false)) }
            self.sweep(&state, at: now)
            let event = state.log.append(packet, options, at: now)
            self.scheduleSweep(&state)
            guard let owner = ticket.owner else { return .kept }
            let isOwn = owner.eventLoop.inEventLoop
            if isOwn, owner.shard.logPosition.begin() { return .keptAndDue(event, owner, ticket) }
            self.hand(event, to: owner.shard, isOwn: isOwn) { _ in owner.deliver(event, ticket, compress: compress) }
            return .kept
        }
        switch outcome {
        case .notKept:
            // It has not connected yet, or nobody will come back.
            socket.onLoop { socket.transmit(packet, compress: compress) }
        case .kept:
            break
        case .keptAndDue(let event, let owner, let ticket):
            owner.deliver(event, ticket, compress: compress)
            owner.shard.logPosition.end(event)
        }
    }

    /// Enqueues an event to a loop; with the lock held, so that every loop gets events in the order of their numbers.
    private func hand(
        _ event: LoggedEvent,
        to shard: NamespaceShard,
        isOwn: Bool,
        _ deliver: @escaping @Sendable (NamespaceShard) -> Void
    ) {
        let position = shard.logPosition
        position.inFlight.wrappingAdd(1, ordering: .relaxed)
        // What the loop does from now on waits behind this, see `NamespaceShard.isNext`.
        if isOwn { position.deferred += 1 }
        shard.eventLoop.execute {
            if isOwn { position.deferred -= 1 }
            deliver(shard)
            position.end(event)
        }
    }

    /// Events of other nodes may be missing: whoever is away is a new client when it comes back.
    func forgetEvents() { self.withState { $0.log.forgetAll() } }

    // MARK: Clients

    /// The last event whose effects on a loop's sockets are known.
    private func position(of shard: NamespaceShard, _ state: State) -> Int {
        shard.logPosition.inFlight.load(ordering: .relaxed) == 0 ? state.log.last : shard.logPosition.last
    }

    /// A new client has connected: remembers it from now on; on its loop.
    func connected(_ socket: Socket) {
        let id = self.context.ids.makeSessionID()
        let ticket = self.state.withLockedValue { state in
            let position = self.position(of: socket.shard, state)
            let ticket = RecoveryTicket(id: id, socketID: socket.id, connected: position, data: .object([:]))
            for room in socket.memberships { ticket.joined(room, at: position) }
            ticket.owner = socket
            state.remember(ticket)
            return ticket
        }
        socket.ticket = ticket
    }

    /// Looks after a client that says that it was here before.
    func claim(_ id: SessionID) -> Claim {
        let now = self.now
        return self.withState { state in
            guard let ticket = state.tickets[id] else { return .unknown }
            if let owner = ticket.owner { return .owned(by: owner) }
            guard let since = ticket.suspendedAt, since + self.settings.maxDisconnectionDuration >= now else {
                state.forget(ticket)
                return .unknown
            }
            return .away(ticket)
        }
    }

    /// Gives a client that was away its new socket, which is not connected yet.
    ///
    /// - Returns: Whether it was still away.
    func adopt(_ ticket: RecoveryTicket, by socket: Socket) -> Bool {
        self.withState { state in
            guard ticket.owner == nil, state.tickets[ticket.id] === ticket else { return false }
            self.give(ticket, to: socket)
            state.cameBack(ticket)
            return true
        }
    }

    /// Makes a socket, which nobody knows yet, a client's successor; with the lock held, for until now the data may have
    /// changed: another successor may have come and gone.
    private func give(_ ticket: RecoveryTicket, to socket: Socket) {
        ticket.owner = socket
        socket.data = ticket.data
    }

    /// What another node knew about a client that comes to this one.
    func makeTicket(for session: PersistedSession, on shard: NamespaceShard) -> RecoveryTicket {
        self.state.withLockedValue { state in
            let position = self.position(of: shard, state)
            let ticket = RecoveryTicket(
                id: session.id,
                socketID: session.socketID,
                connected: position,
                data: session.data
            )
            for room in session.rooms { ticket.joined(room, at: position) }
            ticket.measure()
            return ticket
        }
    }

    /// Remembers a client that another node has given away.
    ///
    /// - Returns: Whether it has not come by another way meanwhile.
    func insert(_ ticket: RecoveryTicket, of socket: Socket) -> Bool {
        self.state.withLockedValue { state in
            guard state.tickets[ticket.id] == nil else { return false }
            self.give(ticket, to: socket)
            state.remember(ticket)
            return true
        }
    }

    /// What a client has missed that has come back, which is about to be a member of its rooms again; on its loop.
    ///
    /// - Returns: All of it, or `nil` if something may be missing: then it has to be a new client.
    func missedEvents(of ticket: RecoveryTicket, since offset: String?) -> [LoggedEvent]? {
        let number = offset.map { self.codec.number(of: $0) }
        // An offset, but none of this log.
        if case .some(.none) = number { return nil }
        let seen = number.flatMap { $0 }
        guard let start = ticket.start(after: seen) else { return nil }
        let limits = self.context.replay
        let audience = ticket.audience
        let found = self.state.withLockedValue { state in
            ticket.skipsThrough = state.log.last
            return state.log.events(after: start, for: audience, limit: 2 * limits.mostEvents)
        }
        guard let found else { return nil }
        let own = ticket.socketID.room
        let missed = found.filter { !ticket.isExcepted(from: $0, own: own) }
        let bytes = missed.reduce(0) { $0 + $1.bytes }
        guard bytes <= limits.mostBytes, missed.count <= limits.mostEvents else { return nil }
        let lastSent = ticket.lastSent ?? 0
        let repeated = missed.reduce(0) { $1.number <= lastSent ? $0 + $1.bytes : $0 }
        guard ticket.repetitions.take(repeated, of: limits.repetitions, at: self.now) == .taken else { return nil }
        if let seen { ticket.seen = seen }
        if let last = missed.last { ticket.lastSent = max(lastSent, last.number) }
        return missed
    }

    /// A client that was away has its socket, which is in its rooms; on its loop.
    func returned(_ ticket: RecoveryTicket) { self.state.withLockedValue { $0.expectNoLonger(ticket) } }

    /// A connected socket ends that has a ticket: remembers what it was; on its loop, before it leaves its rooms.
    func suspend(_ ticket: RecoveryTicket, of socket: Socket) {
        let data = socket.data
        self.state.withLockedValue { state in
            ticket.data = data
            ticket.suspended = self.position(of: socket.shard, state)
            // Before it leaves them: what other nodes send to its rooms between must not pass it by.
            state.expect(ticket)
        }
        ticket.measure()
    }

    /// A socket has ended that had a ticket: from now on the client may come back; on its loop.
    ///
    /// Only when nothing is left of the socket, whose id its successor has, too: that may be on another loop already.
    func release(_ ticket: RecoveryTicket, of socket: Socket, mayComeBack: Bool) {
        let now = self.now
        let session = self.withState { state -> PersistedSession? in
            guard ticket.owner === socket else { return nil }
            ticket.owner = nil
            guard mayComeBack, !state.isClosed else {
                state.forget(ticket)
                return nil
            }
            ticket.suspendedAt = now
            state.left(ticket)
            // Nobody else may look at the ticket later: it may have got its next owner.
            let session = PersistedSession(
                id: ticket.id,
                socketID: ticket.socketID,
                rooms: ticket.rooms,
                data: ticket.data
            )
            self.sweep(&state, at: now)
            self.scheduleSweep(&state)
            return session
        }
        guard let session, let keeper = socket.namespace.adapter as? any SessionKeepingAdapter else { return }
        keeper.persistSession(session)
    }

    /// Whether a client may come back.
    var isAwaited: Bool { self.state.withLockedValue { !$0.away.isEmpty } }

    // MARK: Forgetting

    /// Forgets the oldest of what is limited: all namespaces together keep too much, and this one most of it.
    func forgetOldest(_ kind: RecoveryBudget.Kind) {
        self.withCountedState { state in
            let ticket = state.longestAway
            switch kind {
            case .events: state.log.forgetOldest()
            case .sessions: if let ticket { state.forget(ticket) }
            case .bytes:
                if let ticket, let since = ticket.suspendedAt, state.log.oldest.map({ since < $0 }) ?? true {
                    state.forget(ticket)
                } else {
                    state.log.forgetOldest()
                }
            }
        }
    }

    /// Forgets what is too old.
    private func sweep(_ state: inout State, at now: NIODeadline) {
        let duration = self.settings.maxDisconnectionDuration
        while let oldest = state.log.oldest, oldest + duration < now { state.log.forgetOldest() }
        while let ticket = state.longestAway, let since = ticket.suspendedAt, since + duration < now {
            state.forget(ticket)
        }
    }

    /// Has what is too old forgotten even if nothing happens any more.
    private func scheduleSweep(_ state: inout State) {
        guard !state.isSweepScheduled, !state.isClosed else { return }
        state.isSweepScheduled = true
        let pause = TimeAmount.nanoseconds(self.settings.maxDisconnectionDuration.nanoseconds / 2) + .seconds(1)
        self.shards[0].eventLoop.scheduleTask(in: pause) { [weak self] in self?.sweep() ?? () }
    }

    private func sweep() {
        let now = self.now
        let isAwaited = self.withState { state in
            state.isSweepScheduled = false
            self.sweep(&state, at: now)
            if !state.away.isEmpty || !state.log.isEmpty { self.scheduleSweep(&state) }
            return !state.away.isEmpty
        }
        // A namespace that clients asked for may have been kept for those who were away.
        if !isAwaited { self.isAwaitedNoLonger(self) }
    }

    /// The namespace is over: nothing is kept any more.
    func close() {
        self.withState { state in
            state.isClosed = true
            state.forgetAll()
        }
    }
}

// MARK: - On a socket's loop

extension NamespaceShard {
    /// Sends a logged event to every socket that it addresses.
    func deliver(_ event: LoggedEvent) {
        let compress = event.options.flags.allowsCompression
        self.forEachTarget(of: event.options) { socket in
            guard let ticket = socket.ticket else { return }
            socket.deliver(event, ticket, compress: compress)
        }
    }
}

extension Socket {
    /// Sends a logged event, unless the client got it when it came back.
    func deliver(_ event: LoggedEvent, _ ticket: RecoveryTicket, compress: Bool) {
        guard event.number > ticket.skipsThrough else { return }
        guard self.state == .connected, self.ticket === ticket else { return }
        ticket.lastSent = event.number
        self.transmit(event.packet, compress: compress)
    }
}
