import SocketIOWire

/// What is limited for the whole cluster.
public enum LimitedAction: String, Sendable, Hashable, CaseIterable {
    /// Clients that connect to the main namespace.
    case connections
    /// Credentials that are wrong.
    case failedLogins
    /// Events of any name that clients send.
    case events
    /// Bytes of the arguments of such events, attachments included.
    case bytes
    /// Rooms that clients join or leave.
    case joins
    /// Entities that clients subscribe to or unsubscribe from.
    case subscriptions
    /// Messages of one client to another.
    case privateMessages
    /// Questions to the other nodes that a client causes.
    case clusterQuestions
    /// Operations of the publish API.
    case publishes
}

/// To whom a limit applies.
public enum LimitScope: String, Sendable, Hashable, CaseIterable {
    /// All clients of one user together.
    case user
    /// All clients of one IPv4 address, or of one IPv6 network of 64 bits.
    case address
    /// All clients and publishers with one API token.
    case token
    /// All users and API tokens of one tenant.
    case tenant
}

/// One limited quantity: what, and of whom.
struct LimitKey: Hashable, Sendable {
    var scope: LimitScope
    var action: LimitedAction
    var subject: UTF8Text

    /// The same for all nodes, and short.
    var name: String { "\(self.scope.rawValue):\(self.action.rawValue):\(self.subject.string)" }
}
