import OrderedCollections
import SocketIOWire

/// What became of a lifecycle event on this node.
public struct EmitReport: Sendable, Hashable {
    /// Whether the event was sent, and if not, why.
    public enum Outcome: String, Sendable, Hashable {
        case sent
        /// There was no data.
        case noData
        /// The content type doesn't list the action.
        case actionDisabled
        /// The entry is a draft, and drafts cause no events.
        case draft
        /// An event with the same id was sent before.
        case repeated
        /// No role and no token may receive it.
        case nobodyPermitted
        /// It could be made fit for nobody who may receive it.
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
    /// Why some audiences receive nothing.
    public var failures: [String] = []

    init(_ outcome: Outcome, event: String) {
        self.outcome = outcome
        self.event = event
    }
}

/// A lifecycle event worked out: what to send, and to which rooms.
struct EventPlan: Sendable {
    struct Variant: Sendable {
        var argument: JSONValue
        var deliveries: [Delivery]
    }

    var report: EmitReport
    var variants: [Variant] = []
}

extension GatewayModel {
    /// Works out what an event comes to: a pure function of the event, this configuration and the time.
    ///
    /// - Throws: ``GatewayError`` for a content type that isn't configured and for names that can't be sent.
    func plan(_ event: LifecycleEvent, now: Double) throws(GatewayError) -> EventPlan {
        guard let type = self.schema.contentType(event.schema.uid) else {
            throw Self.unknownContentType(event)
        }
        guard (1...128).contains(event.event.utf8.count) else {
            throw GatewayError(
                .invalidEventName,
                "An event's name must be 1 to 128 bytes, not \(event.event.utf8.count)"
            )
        }
        let name = self.eventName(event, type: type)
        guard name.utf8.count <= 256 else {
            throw GatewayError(
                .invalidEventName,
                "An event's whole name must be at most 256 bytes, not \(name.utf8.count)"
            )
        }
        if event.data.isFalsy { return EventPlan(report: EmitReport(.noData, event: name)) }
        guard type.sends(event.event) else { return EventPlan(report: EmitReport(.actionDisabled, event: name)) }
        if self.isSilentDraft(event, type: type) { return EventPlan(report: EmitReport(.draft, event: name)) }

        let groups = self.groups(event: event.event, type: type, now: now)
        guard !groups.isEmpty else { return EventPlan(report: EmitReport(.nobodyPermitted, event: name)) }
        let delivery = self.deliveryPlan(event, type: type)
        let selection = Selection(type.populate)
        var plan = EventPlan(report: EmitReport(.sent, event: name))
        for group in groups {
            let deliveries = delivery.deliveries(to: group)
            guard !deliveries.isEmpty else { continue }
            do {
                let clean = try self.sanitiser.sanitise(
                    event.data,
                    as: type,
                    for: group.projection,
                    selection: selection
                )
                let argument = try self.configuration.events.payloadFormat.argument(
                    clean,
                    type: type,
                    schema: self.schema
                )
                plan.variants.append(.init(argument: argument, deliveries: deliveries))
                plan.report.audiences += group.rooms.count + group.ownerRooms.count
                plan.report.projections += 1
            } catch {
                plan.report.failures.append(error.description)
            }
        }
        if plan.variants.isEmpty {
            plan.report.outcome = plan.report.failures.isEmpty ? .nobodyPermitted : .unsendable
        }
        return plan
    }

    private func eventName(_ event: LifecycleEvent, type: ContentType) -> String {
        let prefix = event.schema.singularName ?? type.eventPrefix ?? type.singularName
        guard self.configuration.events.customEventNames else { return "\(prefix):\(event.event)" }
        return "\(prefix):\(Self.pastNames[event.event] ?? event.event)"
    }

    private static let pastNames = [
        "create": "created", "update": "updated", "delete": "deleted", "publish": "published",
        "unpublish": "unpublished",
    ]

    private func isSilentDraft(_ event: LifecycleEvent, type: ContentType) -> Bool {
        guard self.configuration.events.onlyPublished, type.draftAndPublish, case .object(let entry) = event.data,
            event.event != "delete", event.event != "unpublish"
        else { return false }
        return entry["publishedAt"] == .null
    }

    private func deliveryPlan(_ event: LifecycleEvent, type: ContentType) -> DeliveryPlan {
        var ids: [String] = []
        var owner: EntityID?
        if case .object(let entry) = event.data {
            for field in type.idFields {
                guard let id = entry[field].flatMap({ EntityID($0) })?.text, EntityRef.isValidID(id), !ids.contains(id)
                else { continue }
                ids.append(id)
            }
            owner = type.ownerField.flatMap { entry[$0] }.flatMap(Self.ownerID)
        }
        return DeliveryPlan(
            event: event.event,
            uid: type.uid,
            ids: ids,
            isList: event.data.arrayValue != nil,
            mode: self.configuration.entitySubscriptions.mode,
            delivery: type.delivery,
            owner: owner
        )
    }

    /// The owner's id out of the owner field: an id, or an entry that has one.
    private static func ownerID(_ value: JSONValue) -> EntityID? {
        EntityID(value) ?? value["id"].flatMap { EntityID($0) } ?? value["documentId"].flatMap { EntityID($0) }
    }

    private static func unknownContentType(_ event: LifecycleEvent) -> GatewayError {
        let uid = event.schema.uid
        var message = "Content type '\(uid.prefix(128))' is not configured"
        // The first generation's form: a dotted uid with the action at its end.
        if let dot = uid.lastIndex(of: "."), ContentType.isValidUID(String(uid[..<dot])) {
            let type = uid[..<dot]
            let action = uid[uid.index(after: dot)...]
            message += "; did you mean event '\(action.prefix(64))' with schema '\(type)'? emit takes them apart now"
        }
        return GatewayError(.unknownContentType, message)
    }
}

/// The last so many ids of events.
struct RecentIDs: Sendable {
    private let capacity: Int
    private var ids: Set<String> = []
    private var order: [String] = []
    private var next = 0

    init(capacity: Int) {
        self.capacity = capacity
    }

    func contains(_ id: String) -> Bool { self.ids.contains(id) }

    /// Remembers an id, and forgets the oldest if there are too many.
    ///
    /// - Returns: Whether it is new.
    mutating func insert(_ id: String) -> Bool {
        guard self.capacity > 0 else { return true }
        guard self.ids.insert(id).inserted else { return false }
        if self.order.count < self.capacity {
            self.order.append(id)
        } else {
            self.ids.remove(self.order[self.next])
            self.order[self.next] = id
            self.next = (self.next + 1) % self.capacity
        }
        return true
    }
}
