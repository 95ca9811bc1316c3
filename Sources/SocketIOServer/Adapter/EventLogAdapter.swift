public import NIOCore
public import SocketIOWire

/// An adapter whose transport keeps the namespace's events and the sessions of clients that may come back.
///
/// It has one log for the whole cluster, with one order of events. So clients may come back to any node.
///
/// A namespace uses the log while ``SocketServerConfiguration/connectionStateRecovery`` is on
/// (``EventLogHost/keepsEvents``). Otherwise it delivers events to this node's clients itself and calls the methods
/// that every ``Adapter`` has. It always does so with volatile events, events for this node only, and events with
/// acknowledgement.
///
/// The order is what matters. The adapter tells its host (``EventLogHost``) of every event of the log, in the order of
/// the offsets, from one thread at a time. That includes this node's own events: the adapter calls their `deliver` at
/// their place. So the last offset that a client has seen tells every node exactly which events it has not seen.
public protocol EventLogAdapter: Adapter {
    /// Appends an event to the log.
    ///
    /// - Parameters:
    ///   - broadcast: The event, neither volatile nor for this node alone.
    ///   - deliver: Called exactly once. It gets the event's offset when this node's reader has come to the event. It
    ///     gets `nil` when the log refuses the event or has not answered in time, for example in a quarter of a second.
    ///     Then this node's clients get the event without an offset. If the event arrives in the log after all, the
    ///     adapter calls ``EventLogHost/arrivedLate(_:options:offset:)`` at its place.
    func publish(_ broadcast: Broadcast, deliver: @escaping @Sendable (EventOffset?) -> Void)

    /// Does the same with several operations in this order, and waits until their outcome is known.
    ///
    /// See ``Adapter/publish(_:whileUnreachable:timeout:)``.
    ///
    /// - Parameters:
    ///   - operations: What to tell the other nodes; not empty.
    ///   - policy: What to do while the log is away or silent.
    ///   - timeout: How long to wait for replies.
    ///   - deliver: Called once for each event, with its index among the operations. It is not called for other
    ///     operations, and never if the outcome is `refused`.
    /// - Returns: The worst outcome of all.
    func publish(
        _ operations: [ClusterOperation],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount,
        deliver: @escaping @Sendable (_ index: Int, _ offset: EventOffset?) -> Void
    ) async -> PublishOutcome

    /// Reads the namespace's events behind one offset and up to another, in order, as far as the log still has them.
    ///
    /// Volatile events and events with acknowledgement are left out, because clients are not sent them again.
    ///
    /// - Parameters:
    ///   - offset: The first event is behind this.
    ///   - end: The last one is here at most.
    ///   - limit: About how many entries to read at once, including those for others.
    /// - Throws: If the log can't be asked. Then the client becomes a new one.
    /// - Returns: The events. `nil` if something may be missing behind `offset`: it was trimmed, evicted or flushed, or
    ///   the offset was never in this log's history.
    func events(after offset: EventOffset, through end: EventOffset, limit: Int) async throws -> EventPage?

    /// Keeps a session for that time, in place of what was kept for the same one before.
    ///
    /// The namespace calls this when a client connects (``KeptSession/Record/isAway`` is `false`), when its rooms or
    /// data have changed, and when it has gone. The adapter writes soon, in the order of the calls, with one pipelined
    /// write for each. The caller does not wait. Sessions that were given before `close()` are still written.
    ///
    /// If another node has taken a session meanwhile, this must not overwrite it. So unless
    /// ``KeptSession/Record/isNew`` says that the claim is new, the adapter replaces only a session with the same
    /// ``KeptSession/Record/claim``, in one step. Node.js nodes see only sessions whose clients are away.
    func keep(_ session: KeptSession, for lifetime: TimeAmount)

    /// Keeps the sessions of connected clients for that time from now on, with one pipelined write for all of them.
    func prolong(_ sessions: [SessionID], for lifetime: TimeAmount)

    /// Forgets a session: its client won't come back.
    func forget(_ session: SessionID)

    /// Takes out a session of this namespace, exactly once in the whole cluster, even if several nodes ask.
    ///
    /// If the client is still connected to another node, ``KeptSession/Record/isAway`` is `false`, and the adapter
    /// knows which node has written the session. Then it first takes what is kept, in one step. After that it asks the
    /// other node to end the old connection and to hand the session over (``EventLogHost/handOver(_:)``). The answer
    /// counts, even if it is `nil`. If that node is known to be dead or does not answer within a second, what was kept
    /// counts.
    ///
    /// - Returns: `nil` if there is no such session, or another node has taken it.
    func takeSession(_ id: SessionID) async throws -> KeptSession?
}

extension EventLogAdapter {
    /// Publishes one after the other without waiting; the outcome is not known, so it counts as queued.
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
        /// The event as clients get it, but without the offset.
        public var packet: EncodedPacket
        /// The sockets that it addresses.
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
    /// Everything up to here was read.
    ///
    /// That is at least the last event, and the end that was asked for if there is nothing more.
    public var end: EventOffset

    /// The events that were read, and how far.
    public init(events: [Event], end: EventOffset) {
        self.events = events
        self.end = end
    }
}

/// What an ``EventLogAdapter`` may tell and ask its namespace on this node.
///
/// The first four methods are called from one thread at a time.
public protocol EventLogHost: AdapterHost {
    /// Whether clients that were away may come back.
    ///
    /// If not, no log is needed, and events are delivered as with any other adapter.
    var keepsEvents: Bool { get }

    /// Takes note that the reader begins behind that offset, in a history of that name.
    ///
    /// The adapter calls it before the first event, and again when the log has become another one: its replication id
    /// has changed, it was flushed, or a copy without the last entries was promoted. A client can't go on with an
    /// offset of the old history. The name is any text; two histories never share one.
    func logBegins(_ history: String, after tail: EventOffset)

    /// The reader has come to that offset, and has told of every event of the namespace up to there.
    ///
    /// Called now and then, so that a namespace in which nothing happens does not stay far behind in a log that it shares
    /// with others, whose beginning is removed.
    func logReached(_ offset: EventOffset)

    /// Delivers another node's event, and keeps it for clients that are away.
    ///
    /// - Parameters:
    ///   - packet: The event as clients get it, without the offset.
    ///   - options: The sockets that it addresses.
    ///   - offset: Its place; `nil` if it has none, such as an event with acknowledgement.
    func deliver(_ packet: EncodedPacket, options: BroadcastOptions, offset: EventOffset?)

    /// Takes note that an own event, which was sent without an offset, has arrived in the log after all.
    ///
    /// It is not sent again to this node's clients. But clients of other nodes that have missed it may come here.
    func arrivedLate(_ packet: EncodedPacket, options: BroadcastOptions, offset: EventOffset)

    /// Ends a session's connection to this node, because another node has taken the session, and forgets it.
    ///
    /// - Returns: What this node knows of the session. `nil` if it knows nothing, or if the client must not go on
    ///   because it was sent events without an offset.
    func handOver(_ session: SessionID) async -> KeptSession?
}

extension EventLogHost {
    /// Does nothing: a namespace then counts as read up to its last event.
    public func logReached(_ offset: EventOffset) {}
}
