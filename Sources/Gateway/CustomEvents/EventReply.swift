public import OrderedCollections
public import SocketIOWire

/// What a function of the application, or a webhook, answers to an event of a client.
///
/// A webhook answers with JSON. An object that has some of the members `ack`, `emit`, `join`, `leave`, `disconnect`,
/// `data` and `refuse`, and no others, says what to do. Anything else is the acknowledgement as it is.
/// ```json
/// {
///   "ack": {"success": true, "id": 7},
///   "emit": [{"event": "order:created", "data": {"id": 7}, "rooms": ["kitchen"]}],
///   "join": ["order-7"],
///   "leave": ["cart"],
///   "disconnect": "Come back tomorrow"
/// }
/// ```
public struct EventReply: Sendable, Hashable {
    /// An event to send.
    public struct Emission: Sendable, Hashable {
        /// Who gets it.
        public enum Target: Sendable, Hashable {
            /// The client whose event it answers.
            case client
            /// The members of these rooms.
            case rooms([Room])
            /// Everybody in the namespace.
            case everybody
        }

        /// The event's name.
        public var event: String
        /// What follows the name.
        public var arguments: [JSONValue]
        /// Who gets it.
        public var target: Target
        /// Whether the client whose event it answers does not get it.
        public var exceptClient: Bool

        /// An event to send.
        public init(
            _ event: String,
            _ arguments: [JSONValue],
            to target: Target = .client,
            exceptClient: Bool = false
        ) {
            self.event = event
            self.arguments = arguments
            self.target = target
            self.exceptClient = exceptClient
        }
    }

    /// Why a client is not let in, or why its event is not taken.
    public struct Refusal: Sendable, Hashable {
        /// The message of `connect_error`, or the `error` of the acknowledgement.
        public var message: String
        /// Details for the client.
        public var data: JSONValue?

        /// A refusal.
        public init(_ message: String, data: JSONValue? = nil) {
            self.message = message
            self.data = data
        }
    }

    /// The acknowledgement.
    public var acknowledgement: JSONValue = ["success": true]
    /// Events to send.
    public var emissions: [Emission] = []
    /// The rooms that the client joins.
    public var join: [Room] = []
    /// The rooms that the client leaves.
    public var leave: [Room] = []
    /// What is added to the socket's `data`.
    ///
    /// What the gateway itself keeps there cannot be set.
    public var data: JSONObject = [:]
    /// Why the client is disconnected; `nil` if it is not.
    public var disconnection: String?
    /// Why the client is not let in, or its event not taken; nothing else is done then, except ``disconnection``.
    public var refusal: Refusal?

    /// An answer that acknowledges the event with `{success: true}`.
    public init() {}

    /// An answer that acknowledges the event with that value.
    public static func acknowledge(_ value: JSONValue) -> EventReply {
        var reply = EventReply()
        reply.acknowledgement = value
        return reply
    }

    /// An answer that does not let the client in, or does not take its event.
    public static func refuse(_ message: String, data: JSONValue? = nil) -> EventReply {
        var reply = EventReply()
        reply.refusal = Refusal(message, data: data)
        return reply
    }

    /// The acknowledgement, or the refusal as one.
    var answer: JSONValue {
        guard let refusal = self.refusal else { return self.acknowledgement }
        var object: JSONObject = ["success": false, "error": .string(refusal.message)]
        object["data"] = refusal.data
        return .object(object)
    }
}
