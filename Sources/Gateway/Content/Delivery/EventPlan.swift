import SocketIOWire

/// What became of a lifecycle event on this node.
public struct EmitReport: Sendable, Hashable {
    /// Whether the event was sent, and if not, why.
    public enum Outcome: String, Sendable, Hashable, CaseIterable {
        case sent
        /// A node holds the event for a while, as the content type asks, and sends the last one of that time.
        case coalesced
        /// There was no data.
        case noData
        /// The content type does not list the action.
        case actionDisabled
        /// The entry is a draft, and drafts cause no events.
        case draft
        /// An event with the same id was sent before.
        case repeated
        /// No role and no token may receive it.
        case nobodyPermitted
        /// The value could be prepared for none of those who may receive it.
        case unsendable
    }

    /// Whether the event was sent, and if not, why.
    public var outcome: Outcome
    /// The event's name on the wire: `article:update`.
    public var event: String
    /// How many roles and tokens it was sent to.
    public var audiences: Int = 0
    /// How many different variants that took.
    public var projections: Int = 0
    /// Why some audiences get nothing.
    public var failures: [String] = []

    init(_ outcome: Outcome, event: String) {
        self.outcome = outcome
        self.event = event
    }
}

/// What a lifecycle event becomes: what to send, and to which rooms.
struct EventPlan: Sendable {
    struct Variant: Sendable {
        /// The event's name on the wire.
        var event: String
        var argument: JSONValue
        var deliveries: [Delivery]
        /// Which of ``EventPlan/kept`` it brings; `nil` if a history has nothing to do with it.
        var kept: Int?
    }

    var report: EmitReport
    var variants: [Variant] = []
    /// What histories keep of the event.
    var kept: [KeptEvent] = []
}
