public import NIOCore
public import SocketIOWire

/// An adapter whose transport keeps a log of the namespace's events, in one order for the whole cluster, and the sessions
/// of the clients that may come back: to any node.
///
/// A namespace uses this while ``SocketServerConfiguration/connectionStateRecovery`` is on (``EventLogHost/keepsEvents``);
/// otherwise, and for volatile events, events of this node only and events with acknowledgement, it delivers here
/// itself and calls what every ``Adapter`` has.
///
/// The order is everything. From one thread at a time the adapter tells its host (``EventLogHost``) of every event of
/// the log, in the order of their offsets, own events included, whose `deliver` it calls at their place. So the last offset
/// that a client has seen says exactly what it has not seen, on whichever node it asks.
public protocol EventLogAdapter: Adapter {
    /// Appends an event to the log.
    ///
    /// - Parameters:
    ///   - broadcast: The event, neither volatile nor for this node alone.
    ///   - deliver: Called exactly once, with the event's offset when this node's reader has come to it; or with `nil`
    ///     when the log has not answered in time (a quarter of a second, say) or refuses the event. Then this node's
    ///     clients get it without an offset. Should it arrive in the log after all, the adapter calls
    ///     ``EventLogHost/arrivedLate(_:options:offset:)`` at its place.
    func publish(_ broadcast: Broadcast, deliver: @escaping @Sendable (EventOffset?) -> Void)

    /// The same for several operations in this order, with what is known of them; see
    /// ``Adapter/publish(_:whileUnreachable:timeout:)``.
    ///
    /// - Parameters:
    ///   - operations: What to tell the other nodes; not empty.
    ///   - policy: What to do while the log is away or silent.
    ///   - timeout: How long to wait for replies.
    ///   - deliver: Called once for each event (not for other operations), with its index among the operations; never if
    ///     the outcome is `refused`.
    /// - Returns: The worst outcome of all.
    func publish(
        _ operations: [ClusterOperation],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount,
        deliver: @escaping @Sendable (_ index: Int, _ offset: EventOffset?) -> Void
    ) async -> PublishOutcome

    /// Reads what the log still has: the namespace's events behind one offset and up to another, in order.
    ///
    /// Only events that clients may be sent again: neither volatile ones nor those with acknowledgement.
    ///
    /// - Parameters:
    ///   - offset: The first event is behind this.
    ///   - end: The last one is here at most.
    ///   - limit: About how many entries to read at once, whomever they are for.
    /// - Throws: If the log can't be asked; the client is a new one then.
    /// - Returns: What was read; or `nil` unless it is certain that nothing is missing behind `offset` (trimmed, evicted,
    ///   flushed, or never in this log's history).
    func events(after offset: EventOffset, through end: EventOffset, limit: Int) async throws -> EventPage?

    /// Keeps a session for that time, in place of what was kept for the same one before.
    ///
    /// Called when a client connects (``KeptSession/Record/isAway`` is `false`), when what it is has changed, and when it
    /// has gone. The adapter writes soon and in the order of the calls, and nobody waits: one pipelined write each. What it
    /// was given before `close()` it still writes.
    ///
    /// A session that another node has taken meanwhile must stay as that keeps it: unless
    /// ``KeptSession/Record/isNew`` says that the claim is new, the adapter replaces only what has the same
    /// ``KeptSession/Record/claim``, in one step. Only sessions that are away are visible to Node.js nodes.
    func keep(_ session: KeptSession, for lifetime: TimeAmount)

    /// Keeps the sessions of clients that are connected for that time from now on: one pipelined write for all.
    func prolong(_ sessions: [SessionID], for lifetime: TimeAmount)

    /// Forgets a session: its client won't come back.
    func forget(_ session: SessionID)

    /// Takes a session of this namespace out, exactly once in the whole cluster, however many ask.
    ///
    /// If its client is still connected to another node (``KeptSession/Record/isAway`` is `false`, the adapter knows
    /// by itself which node wrote it), the adapter first takes what is kept, in one step, and then asks that node to
    /// end the old connection and hand the session over (``EventLogHost/handOver(_:)``). What that node says counts, also
    /// `nil`; if it does not answer within a second, or is known to be dead, what was kept counts.
    ///
    /// - Returns: `nil` if there is no such session, or somebody else has taken it.
    func takeSession(_ id: SessionID) async throws -> KeptSession?
}

extension EventLogAdapter {
    /// Publishes one after the other, and waits for nothing: what became of it is not known, so it counts as queued.
    public func publish(
        _ operations: [ClusterOperation],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount,
        deliver: @escaping @Sendable (_ index: Int, _ offset: EventOffset?) -> Void
    ) async -> PublishOutcome {
        for (index, operation) in operations.enumerated() {
            if case .emit(let arguments) = operation.action {
                self.publish(Broadcast(arguments: arguments, options: operation.options)) { deliver(index, $0) }
            } else {
                self.tell(operation)
            }
        }
        return .queued
    }
}

/// Some events of a log, in order.
public struct EventPage: Sendable {
    /// One event.
    public struct Event: Sendable {
        /// Where it stands.
        public var offset: EventOffset
        /// What clients get, without the offset.
        public var packet: EncodedPacket
        /// Whom it addresses.
        public var options: BroadcastOptions

        /// An event at its place.
        public init(offset: EventOffset, packet: EncodedPacket, options: BroadcastOptions) {
            self.offset = offset
            self.packet = packet
            self.options = options
        }
    }

    /// The namespace's events among what was read.
    public var events: [Event]
    /// Up to here everything was read: at least to the last event, to the end that was asked for if there is no more.
    public var end: EventOffset

    /// What was read, and how far.
    public init(events: [Event], end: EventOffset) {
        self.events = events
        self.end = end
    }
}

/// What an ``EventLogAdapter`` may tell and ask its namespace on this node; the host that its factory gets is one.
///
/// The first three methods are called from one thread at a time.
public protocol EventLogHost: AdapterHost {
    /// Whether clients that were away may come back: if not, no log is needed, and events are delivered as by any adapter.
    var keepsEvents: Bool { get }

    /// The reader begins behind that offset, in a history of that name.
    ///
    /// Called before the first event, and again when the log is another one: its replication id has changed, it was
    /// flushed, a copy without the last entries was promoted. Whoever was sent an offset of the old history does not come
    /// back with it. The name is any text; two histories never share one.
    func logBegins(_ history: String, after tail: EventOffset)

    /// Delivers another node's event, and keeps it for clients that are away.
    ///
    /// - Parameters:
    ///   - packet: The event as clients get it, without the offset.
    ///   - options: Whom it addresses.
    ///   - offset: Where it stands; `nil` if it stands nowhere, such as one with acknowledgement.
    func deliver(_ packet: EncodedPacket, options: BroadcastOptions, offset: EventOffset?)

    /// An own event, which went out without an offset, has arrived in the log after all.
    ///
    /// It is not sent again to this node's clients, but clients of other nodes may come that have missed it.
    func arrivedLate(_ packet: EncodedPacket, options: BroadcastOptions, offset: EventOffset)

    /// Another node has taken a session: ends its connection here, if it has one, and gives up what is known of it.
    ///
    /// - Returns: `nil` if nothing is known, or its client must not go on: it was sent events without an offset.
    func handOver(_ session: SessionID) async -> KeptSession?
}
