import OrderedCollections
import SocketIOServer
import SocketIOWire

/// Shows events of histories as somebody may see them now.
struct HistoryView: Sendable {
    let rules: Rules
    /// The time, because tokens expire.
    let now: Double
    /// Adds to an identity what is known from earlier events.
    let complete: @Sendable (EntityIdentity) -> EntityIdentity

    /// What somebody gets of an event.
    ///
    /// - Parameters:
    ///   - content: The event.
    ///   - principal: Who reads.
    ///   - seesRaw: Whether he is known to get what is sent to the room or the entity as it is.
    /// - Returns: The event's name and argument; `nil` if it is not for him.
    func event(
        _ content: HistoryContent,
        for principal: Principal,
        seesRaw: Bool
    ) -> (event: String, argument: JSONValue)? {
        switch content.body {
        case .raw(let event, let argument): seesRaw ? (event, argument) : nil
        case .lifecycle(let event): self.rules.reading(event, by: principal, now: self.now, completing: self.complete)
        }
    }

    /// An event with its position: in `meta` of an envelope, and otherwise as one more argument.
    func values(_ event: String, _ argument: JSONValue, position: JSONValue?) -> [JSONValue] {
        guard let position else { return [.string(event), argument] }
        if self.rules.content.payloadFormat != .flat, case .object(var envelope) = argument, envelope["data"] != nil {
            var meta = envelope["meta"]?.objectValue ?? [:]
            meta["position"] = position
            envelope["meta"] = .object(meta)
            return [.string(event), .object(envelope)]
        }
        return [.string(event), argument, position]
    }
}

extension Histories {
    /// The rules in force for a loop, or the newest.
    func view(_ rules: Rules) -> HistoryView {
        HistoryView(rules: rules, now: self.context.now(), complete: self.subscriptions.completed)
    }
}
