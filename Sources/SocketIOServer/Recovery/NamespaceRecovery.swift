import EngineIO
import NIOConcurrencyHelpers
import NIOCore
import SocketIOWire
import Synchronization

/// Lets a namespace's clients go on where they were.
///
/// It numbers the namespace's events, keeps them, and remembers which clients were in which rooms. Every event gets its
/// number with one lock held, and every loop handles events in the order of their numbers. So the last number that a
/// client has seen tells exactly which events it has not seen. Either the numbers are this process's own, or the
/// adapter's transport keeps a log for the whole cluster, and the numbers are its offsets. A namespace has a recovery
/// only while ``SocketServerConfiguration/connectionStateRecovery`` is on. Without it, events cost nothing more.
final class NamespaceRecovery: Sendable {
    struct State {
        var log: EventLog
        var sessions: SessionRegister
        var holes = EventHoles()
        var overdue = OverdueEvents()
        /// The name of the log's history; `nil` while it is not known.
        var history: String?
        var isSweepScheduled = false
        var isClosed = false

        /// How much is kept.
        var use: RecoveryUse {
            RecoveryUse(
                events: self.log.count,
                bytes: self.log.bytes + self.sessions.bytes,
                sessions: self.sessions.awayCount
            )
        }
    }

    let context: RecoveryContext
    let shards: [NamespaceShard]
    /// The adapter that keeps events and sessions for the whole cluster; `nil` if this process keeps its own.
    let cluster: (any EventLogAdapter)?
    let form: OffsetForm
    let outsiders: OutsiderRule
    let isAwaitedNoLonger: @Sendable (NamespaceRecovery) -> Void
    private let state: NIOLockedValueBox<State>

    /// The recovery of one namespace.
    ///
    /// - Parameters:
    ///   - context: What all namespaces have in common.
    ///   - cluster: The adapter, if it keeps events and sessions.
    ///   - shards: The namespace's shards.
    ///   - index: Where clients count as members who are away.
    ///   - outsiders: The sockets that events for everybody do not reach.
    ///   - isAwaitedNoLonger: Runs when no client is left that was away and might come back.
    init(
        context: RecoveryContext,
        cluster: (any EventLogAdapter)?,
        shards: [NamespaceShard],
        index: NamespaceIndex,
        outsiders: OutsiderRule,
        isAwaitedNoLonger: @escaping @Sendable (NamespaceRecovery) -> Void
    ) {
        self.context = context
        self.cluster = cluster
        self.shards = shards
        self.outsiders = outsiders
        self.isAwaitedNoLonger = isAwaitedNoLonger
        self.form = cluster == nil ? .own(OffsetCodec()) : .cluster
        self.state = NIOLockedValueBox(State(log: EventLog(form: self.form), sessions: SessionRegister(index: index)))
        self.scheduleProlongation()
    }

    deinit {
        let use = self.state.withLockedValue { $0.use }
        self.context.budget.changed(self, from: use, to: RecoveryUse())
    }

    var settings: ConnectionStateRecovery { self.context.settings }
    var now: NIODeadline { self.shards[0].eventLoop.now }

    /// Does something with the lock held, and counts what is kept then.
    func withState<Result>(_ body: (inout State) -> Result) -> Result {
        defer { self.context.budget.enforce() }
        return self.withCountedState(body)
    }

    func withCountedState<Result>(_ body: (inout State) -> Result) -> Result {
        self.state.withLockedValue { state in
            let before = state.use
            defer { self.context.budget.changed(self, from: before, to: state.use) }
            return body(&state)
        }
    }

    /// Does something with the lock held that changes nothing of what is kept.
    func withUncountedState<Result>(_ body: (inout State) -> Result) -> Result { self.state.withLockedValue(body) }

    // MARK: Events

    /// Keeps an event and sends it to the sockets that it addresses.
    ///
    /// An event that is not in the cluster's log is only sent.
    func broadcast(_ packet: EncodedPacket, options: BroadcastOptions) {
        self.pass { state, now in
            guard self.cluster != nil else { return state.log.append(packet, options, at: now) }
            return self.unnumbered(&state, packet, options, at: now)
        }
    }

    /// Has the cluster's log keep an event, and sends it when this node's reader has come to it.
    func publish(_ packet: EncodedPacket, _ broadcast: Broadcast, to cluster: any EventLogAdapter) {
        let options = broadcast.options
        cluster.publish(broadcast) { self.arrived(packet, options, at: $0) }
    }

    /// Takes an event at which the reader of the cluster's log has arrived, or an own event that did not get into the
    /// log.
    func arrived(
        _ packet: EncodedPacket,
        _ options: BroadcastOptions,
        at offset: EventOffset?,
        isLate: Bool = false
    ) {
        let options = self.outsiders.applied(to: options)
        self.pass { state, now in
            state.overdue.note(options, isLate: isLate, hasPlace: offset != nil, at: now, for: self.settings)
            if let offset, state.history != nil {
                if let event = state.log.append(packet, options, offset: offset, isLate: isLate, at: now) {
                    return event
                }
                // It has a place in the log at which it could not be found here.
                state.log.forgetAll()
            }
            return self.unnumbered(&state, packet, options, isLate: isLate, at: now)
        }
    }

    private func unnumbered(
        _ state: inout State,
        _ packet: EncodedPacket,
        _ options: BroadcastOptions,
        isLate: Bool = false,
        at now: NIODeadline
    ) -> LoggedEvent {
        if state.sessions.awayCount > 0 { state.holes.append(options) }
        return state.log.unnumbered(packet, options, isLate ? .late : .unnumbered, at: now)
    }

    /// Has every loop handle an event, behind the earlier ones.
    private func pass(_ log: (inout State, NIODeadline) -> LoggedEvent) {
        let here = self.shards.first { $0.eventLoop.inEventLoop }
        let now = self.now
        let event = self.withState { state -> LoggedEvent? in
            self.sweep(&state, at: now)
            let event = log(&state, now)
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
        var options = BroadcastOptions(rooms: [socket.id.room])
        if !compress { options.flags.set(.compress(false)) }
        if let cluster = self.cluster {
            guard socket.ticket != nil,
                let event = packet.decodedEvent, let arguments = try? event.arguments.values()
            else { return socket.onLoop { socket.transmit(packet, compress: compress) } }
            let broadcast = Broadcast(arguments: [.string(event.name)] + arguments, options: options)
            return self.publish(packet, broadcast, to: cluster)
        }
        let now = self.now
        let id = socket.ticket?.id
        let outcome = self.withState { state -> Outcome in
            guard let id, let ticket = state.sessions[id] else { return .notKept }
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
            // The client has not connected yet, or can't come back.
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

    /// Forgets all events, because some of other nodes may be missing: clients that are away now can't go on.
    func forgetEvents() { self.withState { $0.log.forgetAll() } }

    /// Takes note that the cluster's log begins, or begins anew.
    func logBegins(_ history: String, after tail: EventOffset) {
        self.withState { state in
            let isFirst = state.history == nil
            state.history = history
            state.log.begin(after: tail, isFirst: isFirst)
            // Every loop has to hear where the log stands now, behind the events that are on their way.
            let event = state.log.unnumbered(PacketEncoder.event("", arguments: []), BroadcastOptions(), at: self.now)
            for shard in self.shards {
                self.hand(event, to: shard, isOwn: shard.eventLoop.inEventLoop) { shard in
                    guard isFirst else { return }
                    for socket in shard.connected {
                        guard let ticket = socket.ticket else { continue }
                        ticket.begins(at: tail.position)
                        self.touch(ticket, of: socket)
                    }
                }
            }
        }
    }

    /// The last event whose effects on a loop's sockets are known.
    func position(of shard: NamespaceShard, _ state: State) -> Int {
        guard shard.logPosition.inFlight.load(ordering: .relaxed) > 0 else { return state.log.last }
        // The loop may still be with the history before.
        return min(shard.logPosition.last, state.log.last)
    }
}
