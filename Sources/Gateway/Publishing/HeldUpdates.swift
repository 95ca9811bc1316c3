import NIOCore
import OrderedCollections
import SocketIOWire

/// The updates that a node holds until their time is over, of each entry the last one.
///
/// It is a value and knows no clock: who owns it says when the time of a content type is over.
struct HeldUpdates: Sendable {
    /// What became of an update.
    enum Answer: Sendable, Hashable {
        /// It is the first of its content type: the type's time begins now.
        case begins
        case holds
        /// There is no more room: everything of the type has to be sent now.
        case isFull
    }

    private struct TypeKey: Sendable, Hashable {
        var uid: UTF8Text
        /// What stands before the colon in the event's name, if the publisher has chosen it.
        var singularName: UTF8Text?
        /// Whether this node alone sends it.
        var onlyHere: Bool
    }

    private struct Held: Sendable {
        var event: LifecycleEvent
        var weight: Int
    }

    /// Updates that are sent together: of one type, under one name.
    struct Group: Sendable {
        var events: [LifecycleEvent]
        var onlyHere: Bool
    }

    /// The most updates that are held of all types.
    ///
    /// What is held is sent in one go, which must not take long.
    static let maximumCount = 1024
    /// The most bytes that their texts and values may have together, about.
    static let maximumWeight = 16_000_000

    private var types: OrderedDictionary<TypeKey, OrderedDictionary<EntityIdentity.ID, Held>> = [:]
    private var weight = 0
    private(set) var count = 0

    /// Holds an update, instead of an earlier one of the same entry.
    ///
    /// What was before the earlier one is kept as `previous`.
    ///
    /// - Parameters:
    ///   - event: The update.
    ///   - id: The id by which the entry is known.
    ///   - onlyHere: Whether this node alone sends it.
    /// - Returns: What to do now.
    mutating func hold(_ event: LifecycleEvent, of id: EntityIdentity.ID, onlyHere: Bool) -> Answer {
        let key = TypeKey(
            uid: UTF8Text(event.schema.uid),
            singularName: event.schema.singularName.map { UTF8Text($0) },
            onlyHere: onlyHere
        )
        let begins = !self.holds(typeWith: event.schema.uid)
        var held = Held(event: event, weight: event.data.weight + (event.previous?.weight ?? 0))
        if let earlier = self.types[key]?[id] {
            held.event.previous = earlier.event.previous
            held.weight = event.data.weight + (earlier.event.previous?.weight ?? 0)
            self.weight -= earlier.weight
            self.count -= 1
        }
        self.types[key, default: [:]][id] = held
        self.weight += held.weight
        self.count += 1
        if self.count >= Self.maximumCount || self.weight >= Self.maximumWeight { return .isFull }
        return begins ? .begins : .holds
    }

    /// Whether anything of a type is held.
    func holds(typeWith uid: String) -> Bool {
        let uid = UTF8Text(uid)
        return self.types.keys.contains { $0.uid == uid }
    }

    /// Takes out what is held of a type.
    mutating func take(uid: String) -> [Group] {
        let uid = UTF8Text(uid)
        var groups: [Group] = []
        for key in self.types.keys where key.uid == uid {
            let held = self.types[key]?.values.elements ?? []
            groups.append(Group(events: held.map(\.event), onlyHere: key.onlyHere))
            self.weight -= held.reduce(0) { $0 + $1.weight }
            self.count -= held.count
        }
        self.types.removeAll { $0.key.uid == uid }
        return groups
    }

    /// Takes out everything.
    mutating func takeAll() -> [Group] {
        var groups: [Group] = []
        for uid in OrderedSet(self.types.keys.map(\.uid)) { groups += self.take(uid: uid.string) }
        return groups
    }
}

extension JSONValue {
    /// About how many bytes the value takes in memory.
    fileprivate var weight: Int {
        switch self {
        case .null, .bool, .int, .double: 16
        case .string(let text): 16 + text.utf8.count
        case .binary(let bytes): 16 + bytes.readableBytes
        case .array(let elements): elements.reduce(16) { $0 + $1.weight }
        case .object(let members): members.reduce(16) { $0 + 16 + $1.key.utf8.count + $1.value.weight }
        }
    }
}
