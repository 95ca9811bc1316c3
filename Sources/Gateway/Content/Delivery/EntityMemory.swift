import SocketIOWire

/// Remembers which ids belong to the same entry and who owns it, as earlier events and verifications have said.
///
/// The memory is bounded, and forgets the oldest ids first. Every event about an entry makes its ids new again.
struct EntityMemory: Sendable {
    private struct Key: Sendable, Hashable {
        var uid: UTF8Text
        var id: EntityIdentity.ID
    }

    private struct Entry: Sendable {
        /// The entry's ids in other fields.
        ///
        /// One field may have several if entries have versions.
        var others: [EntityIdentity.ID] = []
        var owners: [EntityID]?
    }

    /// The most ids that are remembered of one entry.
    ///
    /// The latest ones are kept.
    static let maximumOthers = 16
    /// The most owners that are remembered of one entry.
    ///
    /// The owners of an entry with more, or with longer ids, count as unknown. A publisher chooses both.
    static let maximumOwners = 256
    /// The most bytes that their ids may have together.
    static let maximumOwnerBytes = 8_192

    private let capacity: Int
    private var entries: [Key: Entry] = [:]
    private var order: [Key] = []
    private var next = 0

    /// - Parameter capacity: The most ids that are remembered.
    init(capacity: Int) {
        self.capacity = capacity
    }

    var count: Int { self.entries.count }

    /// Remembers what an event or a verification says about an entry.
    mutating func learn(_ identity: EntityIdentity) {
        guard self.capacity > 0, identity.ids.count > 1 || identity.owners != nil else { return }
        for id in identity.ids {
            self.update(Key(uid: UTF8Text(identity.uid), id: id)) { entry in
                for other in identity.ids where other.field != id.field {
                    entry.others.removeAll { $0 == other }
                    entry.others.append(other)
                }
                if entry.others.count > Self.maximumOthers {
                    entry.others.removeFirst(entry.others.count - Self.maximumOthers)
                }
            }
        }
        guard let owners = identity.owners else { return }
        let remembered = Self.areFew(owners) ? owners : nil
        // The owners are the same for each of the entry's ids.
        for id in self.completed(identity).ids {
            let key = Key(uid: UTF8Text(identity.uid), id: id)
            if self.entries[key] != nil { self.entries[key]?.owners = remembered }
        }
    }

    private static func areFew(_ owners: [EntityID]) -> Bool {
        owners.count <= self.maximumOwners
            && owners.reduce(0) { $0 + $1.text.utf8.count } <= self.maximumOwnerBytes
    }

    /// Completes an identity: it gets the remembered ids for the fields that it lacks, and the remembered owners if it
    /// names none.
    func completed(_ identity: EntityIdentity) -> EntityIdentity {
        var result = identity
        for id in identity.ids {
            guard let entry = self.entries[Key(uid: UTF8Text(identity.uid), id: id)] else { continue }
            for other in entry.others where !identity.hasID(in: other.field) && !result.ids.contains(other) {
                result.ids.append(other)
            }
            if result.owners == nil { result.owners = entry.owners }
        }
        return result
    }

    /// Who owns the entry with that id in any of the fields; `nil` if that is not known.
    func owners(uid: String, id: String, fields: [String]) -> [EntityID]? {
        for field in fields {
            if let owners = self.entries[Key(uid: UTF8Text(uid), id: .init(field: field, text: id))]?.owners {
                return owners
            }
        }
        return nil
    }

    private mutating func update(_ key: Key, _ change: (inout Entry) -> Void) {
        if self.entries[key] == nil { self.makeRoom(for: key) }
        change(&self.entries[key, default: Entry()])
    }

    private mutating func makeRoom(for key: Key) {
        guard self.order.count >= self.capacity else {
            self.order.append(key)
            return
        }
        self.entries[self.order[self.next]] = nil
        self.order[self.next] = key
        self.next = (self.next + 1) % self.capacity
    }
}
