public import SocketIOServer
public import SocketIOWire

/// An event that clients may send, and what becomes of it, without a line of code.
///
/// A function in ``GatewayApplication/handlers`` of the same name takes the place of ``handling``.
///
/// Two names are no events of clients: `connection` runs when a client is about to be let in, and may refuse it, and
/// `disconnect` when it has left.
public struct CustomEvent: Sendable, Hashable {
    /// What becomes of an event.
    public enum Handling: String, Sendable, Hashable, CaseIterable {
        /// ``CustomEvent/webhook`` is told, and what it answers is the acknowledgement.
        case webhook
        /// The members of a room get it, as ``CustomEvent/relay`` says.
        case relay
        /// It is acknowledged, and nothing else happens.
        case ignore
    }

    /// The event's name.
    public var name: String
    /// What becomes of it.
    public var handling: Handling
    /// The name of the webhook that handles it.
    public var webhook: String
    /// How it is handed to a room.
    public var relay = EventRelay()
    /// If there are any, only clients with these roles may send it, by type.
    ///
    /// Operators may send it as well.
    public var roles: [String] = []
    /// How often one client may send it.
    public var rate = RateLimit(perSecond: 20)
    /// The most bytes of its arguments.
    public var maximumBytes = 65_536
    /// A JSON Schema, as ``JSONSchema`` reads it; `nil` if the arguments may be anything.
    ///
    /// With a schema, the event has one argument, for which the schema holds.
    public var schema: JSONValue?
    /// For `connection`: whether clients are let in if the webhook does not answer.
    public var admitsWhenUnavailable = false

    /// An event with the defaults.
    public init(name: String, handling: Handling = .ignore, webhook: String = "") {
        self.name = name
        self.handling = handling
        self.webhook = webhook
    }

    /// The names that are no events of clients.
    static let connection = "connection"
    static let disconnect = "disconnect"
}

/// How an event of a client is handed to a room.
///
/// The event has one argument, an object. The members of the room get the same object with `from` and `timestamp`, which
/// the gateway sets: `{id, userId?, username?}` and milliseconds since 1970.
public struct EventRelay: Sendable, Hashable {
    /// The room; `nil` if the client names it.
    public var room: String?
    /// The field in which the client names the room.
    public var roomField = "room"
    /// The only fields that the object may have, besides that of the room.
    ///
    /// If there are none, it may have any.
    public var fields: [String] = []
    /// Whether only members of the room may send to it.
    ///
    /// If the client names the room, it always has to be a member.
    public var requiresMembership = true
    /// The name that the event has for the members; `nil` if it keeps its own.
    public var event: String?
    /// Whether the client that sent it gets it as well.
    public var includesSender = false

    /// The defaults.
    public init() {}
}
