import OrderedCollections
import SocketIOWire

/// What the owners of entries get of an event: the entry, or those entries of a list that they own.
struct OwnersShare: Sendable, Hashable {
    var owners: [EntityID]
    var data: JSONValue

    /// The shares of all owners, in the order of their entries.
    static func shares(
        of data: JSONValue,
        type: ContentType,
        completing complete: (EntityIdentity) -> EntityIdentity
    ) -> [OwnersShare] {
        switch data {
        case .object(let entry):
            let owners = complete(type.identity(of: entry)).owners ?? []
            return owners.isEmpty ? [] : [OwnersShare(owners: owners, data: data)]
        case .array:
            // The key is the user's room, because an id means the same user as a number and as a text.
            var entries: OrderedDictionary<Room, (owner: EntityID, entries: [JSONValue])> = [:]
            Self.collect(data, type, complete) { owner, entry in
                entries[RoomName.user(owner), default: (owner, [])].entries.append(entry)
            }
            return entries.values.map { OwnersShare(owners: [$0.owner], data: .array($0.entries)) }
        case .null, .bool, .int, .double, .string, .binary:
            return []
        }
    }

    /// Visits the entries of a list, and of the lists in it.
    private static func collect(
        _ value: JSONValue,
        _ type: ContentType,
        _ complete: (EntityIdentity) -> EntityIdentity,
        _ add: (EntityID, JSONValue) -> Void
    ) {
        switch value {
        case .object(let entry):
            var seen: Set<Room> = []
            for owner in complete(type.identity(of: entry)).owners ?? []
            where seen.insert(RoomName.user(owner)).inserted {
                add(owner, value)
            }
        case .array(let elements):
            for element in elements { Self.collect(element, type, complete, add) }
        case .null, .bool, .int, .double, .string, .binary:
            break
        }
    }
}
