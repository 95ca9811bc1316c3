import SocketIOWire

/// Whether a client that subscribed to some entries of a type still hears of the others.
public enum SubscriptionMode: String, Sendable, Hashable, CaseIterable {
    /// The client hears only of the entries that it subscribed to, and of new ones.
    case narrow
    /// The client hears of every entry, as it would without a subscription.
    case additive
}

/// The audiences that receive the same bytes of an event.
struct AudienceGroup: Sendable, Hashable {
    var projection: Projection
    /// The rooms of the audiences that receive the event, no matter who owns the entry.
    var rooms: [Room] = []
    /// The rooms of the audiences whose members receive it only if they own the entry.
    var ownerRooms: [Room] = []
}

/// One broadcast of a plan.
struct Delivery: Sendable, Hashable {
    var rooms: [Room]
    var except: [Room]
}

/// The broadcasts that bring an event, once, to every socket that may have it.
///
/// Every socket is in the room of exactly one audience. No two broadcasts of a plan reach the same socket, and none
/// reaches a socket of an audience that is not in the plan.
struct DeliveryPlan: Sendable {
    var event: String
    var uid: String
    /// The ids of the entry that may stand in names of rooms.
    ///
    /// The list is empty if the event is not about a single entry.
    var ids: [String]
    /// The forms of the ids that the entry may have besides.
    ///
    /// A client that subscribed by an id of such a form may mean this entry.
    var unknownForms: [IDForm] = []
    /// Whether the payload is a list of entries.
    ///
    /// Then no subscription selects one of them.
    var isList: Bool = false
    var mode: SubscriptionMode
    var delivery: ContentType.Delivery

    /// The broadcast to those who receive only what they own; `nil` if there is nobody.
    func delivery(toOwners owners: [EntityID], in group: AudienceGroup) -> Delivery? {
        let rooms = group.ownerRooms.flatMap { audience in
            owners.map { RoomName.owner($0, audience: audience) }
        }
        return rooms.isEmpty ? nil : Delivery(rooms: rooms, except: [])
    }

    /// The broadcasts to those of one group who receive the event no matter who owns the entry.
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
            // Nobody can have subscribed to an entry that is only now created, and a list is not about a single entry.
            if UTF8Text(self.event) == "create" || self.isList {
                deliveries.append(Delivery(rooms: group.rooms, except: []))
            } else {
                deliveries.append(Delivery(rooms: group.rooms, except: [RoomName.narrow(self.uid)]))
                if !subscribers.isEmpty { deliveries.append(Delivery(rooms: subscribers, except: [])) }
            }
        }
        return deliveries
    }

    /// The broadcast of a list of entries to those who hear of every entry of the type; `nil` if there is nobody.
    ///
    /// Those who hear only of the entries that they follow get these one by one, with ``deliveryToSubscribers(in:)``.
    func deliveryOfList(to group: AudienceGroup) -> Delivery? {
        guard !group.rooms.isEmpty else { return nil }
        switch (self.delivery, self.mode) {
        case (.entity, _): return nil
        case (.roles, .additive): return Delivery(rooms: group.rooms, except: [])
        case (.roles, .narrow): return Delivery(rooms: group.rooms, except: [RoomName.narrow(self.uid)])
        }
    }

    /// The broadcast to those who get the entry by itself where others get it in a list; `nil` if there is nobody.
    func deliveryToSubscribers(in group: AudienceGroup) -> Delivery? {
        switch (self.delivery, self.mode) {
        case (.roles, .additive): return nil
        case (.entity, _), (.roles, .narrow):
            let rooms = self.subscriberRooms(of: group.rooms)
            return rooms.isEmpty ? nil : Delivery(rooms: rooms, except: [])
        }
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
