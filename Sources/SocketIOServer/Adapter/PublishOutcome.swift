public import SocketIOWire

/// The outcome of a message to the cluster's other nodes, as far as it is known.
///
/// An adapter never claims more than it knows: if its broker has not answered, it says ``queued`` and not
/// ``published``.
public enum PublishOutcome: Sendable, Hashable {
    /// No other node had to be told: there is no cluster, or the operation was meant for this node alone.
    case localOnly
    /// The broker has confirmed that it took the message.
    case published
    /// The broker is away or silent. The message waits in the adapter's bounded queue, where it may still be dropped.
    case queued
    /// The message was handed to the broker, and no reply came, for that reason.
    ///
    /// The other nodes may get it or not. It is not sent again.
    case unconfirmed(reason: String)
    /// The other nodes will not get the message, for that reason.
    ///
    /// The queue is full, or the broker has refused the message, or the caller wants no message to wait.
    case refused(reason: String)

    /// Whether it was done, here at least.
    public var isAccepted: Bool {
        switch self {
        // What other nodes' clients may get, this node's clients get, too.
        case .localOnly, .published, .queued, .unconfirmed: true
        case .refused: false
        }
    }

    /// The outcome of two messages together: the worse of both.
    public func combined(with other: PublishOutcome) -> PublishOutcome {
        self.severity >= other.severity ? self : other
    }

    private var severity: Int {
        switch self {
        case .localOnly: 0
        case .published: 1
        case .queued: 2
        case .unconfirmed: 3
        case .refused: 4
        }
    }
}

/// What to do with a message while the cluster is out of reach.
public enum UnreachablePolicy: String, Sendable, Hashable, CaseIterable {
    /// Keep it until the broker is back, within the adapter's bounds.
    case queue
    /// Refuse it: nothing is sent and nothing waits.
    case refuse
}

/// One thing that a namespace tells the cluster's other nodes.
public struct ClusterOperation: Sendable {
    /// What is to be done with the addressed sockets.
    public enum Action: Sendable {
        /// Sends them an event: `[event, argument...]`.
        case emit([JSONValue])
        /// Makes them join rooms.
        case join([Room])
        /// Makes them leave rooms.
        case leave([Room])
        /// Disconnects them.
        case disconnect(closingConnection: Bool)
    }

    /// What is to be done.
    public var action: Action
    /// The sockets with which it is to be done, and how.
    public var options: BroadcastOptions

    /// Something to be done with the addressed sockets.
    public init(_ action: Action, options: BroadcastOptions) {
        self.action = action
        self.options = options
    }
}
