import OrderedCollections
import SocketIOWire

// Content types may ask that several updates of an entry within a short time become one, and that those of many entries
// become one list.

/// An event that may wait for a later one about the same entry.
struct CoalescibleUpdate: Sendable {
    var event: LifecycleEvent
    var type: ContentType
    /// The event's name on the wire.
    var name: String
    /// What this event says about the entry.
    var identity: EntityIdentity
}

extension ContentRules {
    /// The event, if it is about one entry and may wait for a later one about the same entry; `nil` for any other event.
    ///
    /// Only updates may: nobody needs to know each of them. An event that would not be sent is not held either, because
    /// its publisher is told so at once.
    ///
    /// - Throws: ``GatewayError`` for a name that cannot be sent.
    func coalescible(_ event: LifecycleEvent) throws(GatewayError) -> CoalescibleUpdate? {
        guard self.coalesces, UTF8Text(event.event) == "update", case .object(let entry) = event.data,
            let type = self.schema.contentType(event.schema.uid), type.coalescing > .zero, type.sends(event.event)
        else { return nil }
        let name = try self.wholeName(of: event, type: type)
        let identity = type.identity(of: entry)
        guard !identity.ids.isEmpty, self.withoutDrafts(event, type: type) != nil else { return nil }
        return CoalescibleUpdate(event: event, type: type, name: name, identity: identity)
    }

    /// What `update` events about different entries of one type become: a list `<name>:bulk` for everybody who hears of
    /// all entries, and one event for each entry for those who follow it.
    ///
    /// - Parameters:
    ///   - events: The events, at least one. All name the same type in the same way.
    ///   - receivers: The audiences that receive an event of that name and type, grouped by what they may see.
    ///   - complete: Adds to an identity what is known from earlier events.
    /// - Returns: What to send, and a report.
    /// - Throws: ``GatewayError`` for a content type that is not configured, and for names that cannot be sent.
    func bulkPlan(
        _ events: [LifecycleEvent],
        receivers: (_ event: String, ContentType) -> [AudienceGroup],
        completing complete: (EntityIdentity) -> EntityIdentity
    ) throws(GatewayError) -> EventPlan {
        guard let first = events.first, let type = self.schema.contentType(first.schema.uid) else {
            throw Self.unknownContentType(events.first ?? LifecycleEvent(event: "", schema: "", data: .null))
        }
        let name = try self.wholeName(of: first, type: type)
        let published = events.compactMap { event in self.withoutDrafts(event, type: type).map { (event, $0) } }
        let entries = published.map { $0.1 }
        guard !entries.isEmpty else { return EventPlan(report: EmitReport(.draft, event: name)) }
        let groups = receivers(first.event, type)
        guard !groups.isEmpty else { return EventPlan(report: EmitReport(.nobodyPermitted, event: name)) }
        let list = JSONValue.array(entries)
        let shares = type.ownerField == nil ? [] : OwnersShare.shares(of: list, type: type, completing: complete)
        let deliveries = entries.map { self.deliveryPlan(first, $0, type: type, completing: complete) }
        let bulk = "\(name):bulk"
        var plan = EventPlan(report: EmitReport(.sent, event: bulk))
        let kept = zip(published, deliveries).map { published, delivery -> Int? in
            guard let kept = self.kept(published.0, published.1, type: type, delivery) else { return nil }
            plan.kept.append(kept)
            return plan.kept.count - 1
        }
        for group in groups {
            var isSent = false
            if let all = deliveries[0].deliveryOfList(to: group) {
                isSent = self.add(bulk, list, [all], group, type, to: &plan)
            }
            for share in shares {
                guard let owners = deliveries[0].delivery(toOwners: share.owners, in: group) else { continue }
                if self.add(bulk, share.data, [owners], group, type, to: &plan) { isSent = true }
            }
            for (index, delivery) in deliveries.enumerated() {
                guard let followers = delivery.deliveryToSubscribers(in: group) else { continue }
                if self.add(name, entries[index], [followers], group, type, kept: kept[index], to: &plan) {
                    isSent = true
                }
            }
            guard isSent else { continue }
            plan.report.audiences += group.rooms.count + (shares.isEmpty ? 0 : group.ownerRooms.count)
        }
        if plan.variants.isEmpty {
            plan.report.outcome = plan.report.failures.isEmpty ? .nobodyPermitted : .unsendable
        }
        return plan
    }
}
