import SocketIOWire

/// Whether a client that subscribed to entries of a type still hears of the others.
public enum SubscriptionMode: String, Sendable, Hashable, CaseIterable {
    /// Of the entries it subscribed to only, and of new ones.
    case narrow
    /// Of every entry, as without a subscription.
    case additive
}

/// Audiences that receive the same bytes of an event.
struct AudienceGroup: Sendable, Hashable {
    var projection: Projection
    /// The rooms of audiences that receive the event whoever owns the entry.
    var rooms: [Room] = []
    /// The rooms of audiences that receive it only if the entry is theirs.
    var ownerRooms: [Room] = []
}

/// One broadcast of a plan.
struct Delivery: Sendable, Hashable {
    var rooms: [Room]
    var except: [Room]
}

/// Which broadcasts bring an event to every socket that may have it, once.
///
/// Every socket is in the room of exactly one audience. A plan's broadcasts are disjoint for such sockets, and none of
/// them reaches a socket of another audience.
struct DeliveryPlan: Sendable {
    var event: String
    var uid: String
    /// The ids of the entry, valid in rooms' names; empty if the event is about no single entry.
    var ids: [String]
    /// Whether the payload is a list of entries: no subscription singles one out then.
    var isList: Bool = false
    var mode: SubscriptionMode
    var delivery: ContentType.Delivery
    /// The owner, if the type's entries have one.
    var owner: EntityID?

    /// The broadcasts for one group.
    func deliveries(to group: AudienceGroup) -> [Delivery] {
        var deliveries: [Delivery] = []
        if let owner = self.owner, !group.ownerRooms.isEmpty {
            let rooms = group.ownerRooms.map { RoomName.owner(owner, audience: $0) }
            deliveries.append(Delivery(rooms: rooms, except: []))
        }
        guard !group.rooms.isEmpty else { return deliveries }

        let subscribers = self.isList ? [] : self.subscriberRooms(of: group.rooms)
        switch (self.delivery, self.mode) {
        case (.entity, _):
            if !subscribers.isEmpty { deliveries.append(Delivery(rooms: subscribers, except: [])) }
        case (.roles, .additive):
            deliveries.append(Delivery(rooms: group.rooms + subscribers, except: []))
        case (.roles, .narrow):
            // Nobody can have subscribed to what is only now made, and a list is about no single entry.
            if self.event == "create" || self.isList {
                deliveries.append(Delivery(rooms: group.rooms, except: []))
            } else {
                deliveries.append(Delivery(rooms: group.rooms, except: [RoomName.narrow(self.uid)]))
                if !subscribers.isEmpty { deliveries.append(Delivery(rooms: subscribers, except: [])) }
            }
        }
        return deliveries
    }

    private func subscriberRooms(of rooms: [Room]) -> [Room] {
        self.ids.flatMap { id in
            rooms.map { RoomName.entity(EntityRef(uid: self.uid, id: id), audience: $0) }
        }
    }
}
