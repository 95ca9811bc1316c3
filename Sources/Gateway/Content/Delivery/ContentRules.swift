import OrderedCollections
import SocketIOWire

/// The rules about content: which types there are, which of their events are sent, and what these look like.
///
/// They know nothing of who may see what. That comes in as ``AudienceGroup``, so everything here is a function of its
/// arguments, for whatever wants to know what an audience sees of an entry.
struct ContentRules: Sendable {
    let schema: Schema
    let sanitiser: Sanitiser
    /// How an event's argument looks.
    let payloadFormat: PayloadFormat
    /// Whether events are named `article:created` instead of `article:create`.
    let usesPastNames: Bool
    /// Whether drafts cause no events.
    let sendsOnlyPublished: Bool
    let subscriptionMode: SubscriptionMode
    /// Whether any content type asks that updates wait for later ones.
    let coalesces: Bool
}

extension ContentRules {
    /// Works out what to send for an event.
    ///
    /// The result depends only on the event, these rules, who may receive it, and what is known about the entries.
    ///
    /// - Parameters:
    ///   - event: The event.
    ///   - receivers: The audiences that receive an event of that name and type, grouped by what they may see.
    ///   - complete: Adds to an identity what is known from earlier events.
    /// - Returns: What to send, and a report.
    /// - Throws: ``GatewayError`` for a content type that is not configured, and for names that cannot be sent.
    func plan(
        _ event: LifecycleEvent,
        receivers: (_ event: String, ContentType) -> [AudienceGroup],
        completing complete: (EntityIdentity) -> EntityIdentity
    ) throws(GatewayError) -> EventPlan {
        guard let type = self.schema.contentType(event.schema.uid) else {
            throw Self.unknownContentType(event)
        }
        let name = try self.wholeName(of: event, type: type)
        if event.data.isFalsy { return EventPlan(report: EmitReport(.noData, event: name)) }
        guard type.sends(event.event) else { return EventPlan(report: EmitReport(.actionDisabled, event: name)) }
        guard let data = self.withoutDrafts(event, type: type) else {
            return EventPlan(report: EmitReport(.draft, event: name))
        }
        let groups = receivers(event.event, type)
        guard !groups.isEmpty else { return EventPlan(report: EmitReport(.nobodyPermitted, event: name)) }
        let delivery = self.deliveryPlan(event, data, type: type, completing: complete)
        let shares = type.ownerField == nil ? [] : OwnersShare.shares(of: data, type: type, completing: complete)
        var plan = EventPlan(report: EmitReport(.sent, event: name))
        if let kept = self.kept(event, data, type: type, delivery) { plan.kept = [kept] }
        let kept = plan.kept.isEmpty ? nil : 0
        for group in groups {
            let others = delivery.deliveries(to: group)
            let own = shares.compactMap { share in
                delivery.delivery(toOwners: share.owners, in: group).map { (data: share.data, delivery: $0) }
            }
            var isSent = false
            if data.objectValue != nil {
                // The owners of a single entry get what the others get.
                isSent = self.add(name, data, own.map(\.delivery) + others, group, type, kept: kept, to: &plan)
            } else {
                isSent = self.add(name, data, others, group, type, to: &plan)
                for share in own where self.add(name, share.data, [share.delivery], group, type, to: &plan) {
                    isSent = true
                }
            }
            guard isSent else { continue }
            plan.report.audiences += group.rooms.count + (own.isEmpty ? 0 : group.ownerRooms.count)
        }
        if plan.variants.isEmpty {
            plan.report.outcome = plan.report.failures.isEmpty ? .nobodyPermitted : .unsendable
        }
        return plan
    }

    /// Adds what one group gets of an event: the part that the group may see.
    ///
    /// - Returns: Whether anybody gets anything.
    func add(
        _ name: String,
        _ data: JSONValue,
        _ deliveries: [Delivery],
        _ group: AudienceGroup,
        _ type: ContentType,
        kept: Int? = nil,
        to plan: inout EventPlan
    ) -> Bool {
        guard !deliveries.isEmpty else { return false }
        do {
            let clean = try self.sanitiser.sanitise(
                data,
                as: type,
                for: group.projection,
                selection: Selection(type.populate)
            )
            let argument = try self.payloadFormat.argument(clean, type: type, schema: self.schema)
            plan.variants.append(.init(event: name, argument: argument, deliveries: deliveries, kept: kept))
            plan.report.projections += 1
            return true
        } catch {
            plan.report.failures.append(error.description)
            return false
        }
    }

    func wholeName(of event: LifecycleEvent, type: ContentType) throws(GatewayError) -> String {
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
        return name
    }

    private func eventName(_ event: LifecycleEvent, type: ContentType) -> String {
        let prefix = event.schema.singularName ?? type.eventPrefix ?? type.singularName
        guard self.usesPastNames else { return "\(prefix):\(event.event)" }
        return "\(prefix):\(Self.pastNames[UTF8Text(event.event)] ?? event.event)"
    }

    private static let pastNames: [UTF8Text: String] = [
        "create": "created", "update": "updated", "delete": "deleted", "publish": "published",
        "unpublish": "unpublished",
    ]

    /// The entries of an event without drafts, if drafts cause no events; `nil` if none is left.
    ///
    /// An entry without `publishedAt` is a draft: a publisher that leaves the field out must not publish one.
    func withoutDrafts(_ event: LifecycleEvent, type: ContentType) -> JSONValue? {
        let name = UTF8Text(event.event)
        guard self.sendsOnlyPublished, type.draftAndPublish, name != "delete", name != "unpublish"
        else {
            return event.data
        }
        return Self.withoutDrafts(event.data)
    }

    private static func withoutDrafts(_ value: JSONValue) -> JSONValue? {
        // In a ternary, `nil` would become the JSON null here.
        switch value {
        case .object(let entry):
            guard let date = entry["publishedAt"], !date.isFalsy else { return nil }
            return value
        case .array(let elements):
            let kept = elements.compactMap(Self.withoutDrafts)
            guard !kept.isEmpty || elements.isEmpty else { return nil }
            return .array(kept)
        case .null, .bool, .int, .double, .string, .binary:
            return value
        }
    }

    func deliveryPlan(
        _ event: LifecycleEvent,
        _ data: JSONValue,
        type: ContentType,
        completing complete: (EntityIdentity) -> EntityIdentity
    ) -> DeliveryPlan {
        var plan = DeliveryPlan(
            event: event.event,
            uid: type.uid,
            ids: [],
            isList: data.arrayValue != nil,
            mode: self.subscriptionMode,
            delivery: type.delivery
        )
        if case .object(let entry) = data {
            let identity = complete(type.identity(of: entry))
            plan.ids = identity.texts
            // Nobody can have subscribed to a new entry by an id that the event does not name.
            if UTF8Text(event.event) != "create" {
                plan.unknownForms = IDForm.allCases.filter(type.formsOfUnknownIDs(of: identity).contains)
            }
        }
        return plan
    }

    static func unknownContentType(_ event: LifecycleEvent) -> GatewayError {
        let uid = event.schema.uid
        var message = "Content type '\(uid.abridged(toBytes: 128))' is not configured"
        // An old form: a uid with dots, and the action at its end.
        if let dot = uid.utf8.lastIndex(of: UInt8(ascii: ".")), ContentType.isValidUID(String(uid[..<dot])) {
            let type = uid[..<dot]
            let action = String(uid[uid.utf8.index(after: dot)...]).abridged(toBytes: 64)
            message += "; did you mean event '\(action)' with schema '\(type)'? emit takes them apart now"
        }
        return GatewayError(.unknownContentType, message)
    }
}
