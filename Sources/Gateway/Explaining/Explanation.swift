import OrderedCollections
public import SocketIOWire

/// Why an event reaches whom it reaches, worked out without sending it.
public struct Explanation: Sendable, Hashable {
    /// What one audience would get.
    public struct AudienceView: Sendable, Hashable {
        /// The audience's room, such as `io-role-editor`.
        public var room: Room
        /// Whether it receives the event: `permitted`, `ownersOnly` or `denied`.
        public var verdict: String
        /// The rule that decided, in a sentence.
        public var reason: String
        /// The events that its members would get, each with its argument; not every member gets each.
        public var events: [IO.Message]
        /// The sockets that would get one of them, on each node that has answered, by the node's name.
        public var receivers: [String: Int]
    }

    /// What one socket would get.
    public struct SocketView: Sendable, Hashable {
        /// The socket, and who is behind it.
        public var socket: SocketInfo
        /// The entries that it follows.
        public var subscriptions: EntitySubscriptions
        /// How many bytes wait to be sent to it; `nil` if its node has not said so.
        public var queuedBytes: Int?
        /// The arguments that it would get, one for each event.
        public var events: [IO.Message]
        /// Why it gets this, or nothing, in a sentence.
        public var reason: String
    }

    /// The event's name on the wire.
    public var event: String
    /// What would become of it: an ``EmitReport/Outcome``, or `sent` for an event without a content type.
    public var outcome: EmitReport.Outcome
    /// Every role and token, and the operators if they receive events; empty for an event without a content type.
    public var audiences: [AudienceView]
    /// The sockets that were asked about.
    public var sockets: [SocketView]
    /// The nodes that have not answered: their names, or `unknown` and `cluster` as in a receipt.
    public var missing: [String]

    /// The object `{event, outcome, audiences, sockets, missing}`.
    public var value: JSONValue {
        [
            "event": .string(self.event), "outcome": .string(self.outcome.rawValue),
            "audiences": .array(self.audiences.map(\.value)), "sockets": .array(self.sockets.map(\.value)),
            "missing": .array(self.missing.map { .string($0) }),
        ]
    }
}

extension Explanation.AudienceView {
    /// The object `{room, verdict, reason, events, receivers, nodes}`.
    public var value: JSONValue {
        [
            "room": .string(self.room.name), "verdict": .string(self.verdict), "reason": .string(self.reason),
            "events": .array(self.events.map(\.value)),
            "receivers": .int(self.receivers.values.reduce(0) { $0.addingReportingOverflow($1).partialValue }),
            "nodes": .object(self.nodes),
        ]
    }

    private var nodes: JSONObject {
        let sorted = self.receivers.map { (UTF8Text($0.key), JSONValue.int($0.value)) }.sorted { $0.0 < $1.0 }
        return JSONObject(sorted) { _, last in last }
    }
}

extension Explanation.SocketView {
    /// The socket's description with `subscriptions`, `queuedBytes`, `events`, `receives` and `reason`.
    public var value: JSONValue {
        var object = self.socket.value.objectValue ?? [:]
        object["subscriptions"] = .array((self.subscriptions.subscriptions ?? []).map(\.value))
        object["queuedBytes"] = self.queuedBytes.map { .int($0) }
        object["events"] = .array(self.events.map(\.value))
        object["receives"] = .bool(!self.events.isEmpty)
        object["reason"] = .string(self.reason)
        return .object(object)
    }
}

extension IO.Message {
    /// The object `{event, data}`.
    fileprivate var value: JSONValue { ["event": .string(self.topic), "data": self.data] }
}

/// About whom an explanation is, besides the audiences.
public enum ExplanationTarget: Sendable, Hashable {
    /// Nobody in particular.
    case everybody
    /// One socket.
    case socket(String)
    /// All sockets of a user.
    case user(EntityID)
    /// Only the audience of a role, by its type.
    case role(String)
}
