import SocketIOWire

/// What an event would do, worked out for each audience by itself.
struct ExplainedEvent: Sendable {
    struct Audience: Sendable {
        var room: Room
        var verdict: Verdict
        var variants: [EventPlan.Variant]
        /// Why nothing could be prepared for it; `nil` if it could.
        var failure: String?
    }

    /// What would become of the event as a whole.
    var report: EmitReport
    var type: ContentType
    var audiences: [Audience]
}

extension Rules {
    /// Works out for each audience what an event would bring it, and by which rule.
    func explain(
        _ event: LifecycleEvent,
        now: Double,
        completing complete: (EntityIdentity) -> EntityIdentity
    ) throws(GatewayError) -> ExplainedEvent {
        let report = try self.plan(event, now: now, completing: complete).report
        guard let type = self.content.schema.contentType(event.schema.uid) else {
            throw ContentRules.unknownContentType(event)
        }
        let directory = self.access.audiences
        var audiences: [ExplainedEvent.Audience] = []
        for audience in directory.audiences {
            let verdict = directory.verdict(on: event.event, of: type, for: audience, now: now)
            var explained = ExplainedEvent.Audience(room: audience.room, verdict: verdict, variants: [])
            let projection = Projection(of: audience, reach: self.content.schema.reach(from: type.uid))
            let group: AudienceGroup? =
                switch verdict.standing {
                case .permitted: AudienceGroup(projection: projection, rooms: [audience.room])
                case .ownersOnly: AudienceGroup(projection: projection, ownerRooms: [audience.room])
                case .denied: nil
                }
            if let group {
                let plan = try self.content.plan(event, receivers: { _, _ in [group] }, completing: complete)
                explained.variants = plan.variants
                explained.failure = plan.report.failures.first
            }
            audiences.append(explained)
        }
        return ExplainedEvent(report: report, type: type, audiences: audiences)
    }
}

extension ExplainedEvent {
    /// What a socket in these rooms gets.
    func variants(for rooms: Set<Room>) -> [EventPlan.Variant] {
        self.audiences.flatMap(\.variants).filter { variant in
            variant.deliveries.contains { $0.reaches(rooms) }
        }
    }

    /// Why a socket gets the event, or not, in a sentence.
    ///
    /// - Parameters:
    ///   - principal: Who is behind the socket.
    ///   - rooms: The rooms that it is in.
    ///   - mode: Whether who follows some entries hears of the others.
    /// - Returns: The sentence.
    func reason(for principal: Principal, in rooms: Set<Room>, mode: SubscriptionMode) -> String {
        if rooms.contains(RoomName.unauthorized) { return "The client has not authenticated yet." }
        if let sentence = self.report.outcome.reason { return sentence }
        guard rooms.contains(principal.audienceRoom),
            let audience = self.audiences.first(where: { $0.room == principal.audienceRoom })
        else { return "The socket belongs to no role and no token that receives events." }
        if let failure = audience.failure { return "Nothing could be prepared for it: \(failure)." }
        switch audience.verdict.standing {
        case .denied: return audience.verdict.reason
        case .ownersOnly where self.variants(for: rooms).isEmpty:
            return "Somebody else owns the entry, or its owner is not known. \(audience.verdict.reason)"
        case .ownersOnly: return "Its user owns the entry."
        case .permitted: break
        }
        guard self.variants(for: rooms).isEmpty else {
            let isFollower = audience.variants.contains { variant in
                variant.deliveries.contains { $0.reaches(rooms) && !$0.rooms.contains(principal.audienceRoom) }
            }
            return isFollower ? "It follows the entry. \(audience.verdict.reason)" : audience.verdict.reason
        }
        if self.type.delivery == .entity {
            return "It does not follow the entry, and events of this type go to followers only (delivery: entity)."
        }
        if mode == .narrow, rooms.contains(RoomName.narrow(self.type.uid)) {
            return "It follows other entries of the type, and hears of these only (entitySubscriptions.mode: narrow)."
        }
        return "It is in none of the rooms that the event is sent to."
    }
}

extension Delivery {
    /// Whether a socket in these rooms gets it.
    func reaches(_ rooms: Set<Room>) -> Bool {
        !rooms.isDisjoint(with: self.rooms) && rooms.isDisjoint(with: self.except)
    }
}

extension EmitReport.Outcome {
    /// Why nobody gets anything, in a sentence; `nil` if that depends on the receiver.
    fileprivate var reason: String? {
        switch self {
        case .sent, .coalesced, .nobodyPermitted, .unsendable, .repeated: nil
        case .noData: "The event has no data, so it is not sent."
        case .actionDisabled: "The content type does not list the action, so it is not sent (contentTypes.actions)."
        case .draft: "The entry is a draft, and drafts cause no events (events.onlyPublished)."
        }
    }
}
