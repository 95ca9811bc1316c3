public import SocketIOWire

/// What became of something that this node told the cluster's other nodes.
///
/// Only what is known counts: an adapter that has no answer of its broker says ``queued``, not ``published``.
public enum PublishOutcome: Sendable, Hashable {
    /// Nobody else had to be told: there is no cluster, or the operation was meant for this node alone.
    case localOnly
    /// The broker took it: its reply has arrived.
    case published
    /// The broker is away or silent; the message waits in the adapter's bounded queue, and may still be dropped there.
    case queued
    /// The broker was handed it, and no reply came: the other nodes get it or they don't; why.
    ///
    /// It is not sent again.
    case unconfirmed(reason: String)
    /// The other nodes will not get it; why.
    ///
    /// The queue is full, the broker said no, or whoever asked does not want anything to wait.
    case refused(reason: String)

    /// Whether it was done, here at least.
    public var isAccepted: Bool {
        switch self {
        // What others may have, this node's clients get, too.
        case .localOnly, .published, .queued, .unconfirmed: true
        case .refused: false
        }
    }

    /// What is known of two messages together: the worse of both.
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
    /// Refuse it: nothing is sent anywhere, nothing waits.
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
    /// With which sockets, and how.
    public var options: BroadcastOptions

    /// Something to be done with the addressed sockets.
    public init(_ action: Action, options: BroadcastOptions) {
        self.action = action
        self.options = options
    }
}
