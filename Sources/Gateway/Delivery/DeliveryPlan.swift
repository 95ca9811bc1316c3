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
    /// The forms of ids by which the entry may be known besides: who subscribed by such an id may mean this entry.
    var unknownForms: [IDForm] = []
    /// Whether the payload is a list of entries: no subscription singles one out then.
    var isList: Bool = false
    var mode: SubscriptionMode
    var delivery: ContentType.Delivery

    /// The broadcast to those who receive what is theirs; `nil`: there is nobody.
    func delivery(toOwners owners: [EntityID], in group: AudienceGroup) -> Delivery? {
        let rooms = group.ownerRooms.flatMap { audience in
            owners.map { RoomName.owner($0, audience: audience) }
        }
        return rooms.isEmpty ? nil : Delivery(rooms: rooms, except: [])
    }

    /// The broadcasts to those of one group who receive it whoever owns the entry.
    func deliveries(to group: AudienceGroup) -> [Delivery] {
        guard !group.rooms.isEmpty else { return [] }
        var deliveries: [Delivery] = []
        let subscribers = self.isList ? [] : self.subscriberRooms(of: group.rooms)
        switch (self.delivery, self.mode) {
        case (.entity, _):
            if !subscribers.isEmpty { deliveries.append(Delivery(rooms: subscribers, except: [])) }
        case (.roles, .additive):
            deliveries.append(Delivery(rooms: group.rooms + subscribers, except: []))
        case (.roles, .narrow):
            // Nobody can have subscribed to what is only now made, and a list is about no single entry.
            if UTF8Text(self.event) == "create" || self.isList {
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
            + self.unknownForms.flatMap { form in
                rooms.map { RoomName.followers(of: self.uid, by: form, audience: $0) }
            }
    }
}
