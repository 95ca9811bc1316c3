import OrderedCollections
import SocketIOWire

/// How an id is written, which tells the ids of one field from those of another.
enum IDForm: String, Sendable, Hashable, CaseIterable {
    /// Digits alone.
    case number
    /// Anything else.
    case text

    /// The form of an id in a room's name.
    init(of id: String) {
        self = id.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? .number : .text
    }
}

/// The ids and the owners of an entry, as far as they are known.
struct EntityIdentity: Sendable {
    struct ID: Sendable, Hashable {
        /// Which of the content type's `idFields` holds it.
        var field: UTF8Text
        /// The id as it stands in names of rooms.
        var text: UTF8Text

        init(field: String, text: String) {
            self.field = UTF8Text(field)
            self.text = UTF8Text(text)
        }
    }

    var uid: String
    /// Ids that can stand in a room's name, in the order of the content type's `idFields`.
    var ids: [ID] = []
    /// Fields whose value is no id for a subscription: nobody can have subscribed by them.
    var unusable: [UTF8Text] = []
    /// The ids of the users who own the entry; `nil`: not known, or nobody does.
    var owners: [EntityID]?

    func hasID(in field: UTF8Text) -> Bool {
        self.ids.contains { $0.field == field } || self.unusable.contains(field)
    }

    /// The ids without their fields, for names of rooms; each once.
    var texts: [String] {
        self.ids.reduce(into: [UTF8Text]()) { texts, id in
            if !texts.contains(id.text) { texts.append(id.text) }
        }.map(\.string)
    }
}

extension ContentType {
    /// The ids and owners that an entry of this type names.
    func identity(of entry: JSONObject) -> EntityIdentity {
        var identity = EntityIdentity(uid: self.uid)
        for field in self.idFields.map({ UTF8Text($0) }) {
            guard let value = entry[field], !value.isNull else { continue }
            if let id = EntityID(value)?.text, EntityRef.isValidID(id) {
                identity.ids.append(.init(field: field.string, text: id))
            } else {
                identity.unusable.append(field)
            }
        }
        identity.owners = self.ownerField.flatMap { entry[$0] }.map(Self.owners)
        return identity
    }

    /// The owners' ids out of the owner field: an id, an entry that has one, or a list of these.
    private static func owners(_ value: JSONValue) -> [EntityID] {
        switch value {
        case .array(let elements):
            return elements.compactMap(Self.owner)
        default:
            return Self.owner(value).map { [$0] } ?? []
        }
    }

    private static func owner(_ value: JSONValue) -> EntityID? {
        EntityID(value) ?? value["id"].flatMap { EntityID($0) } ?? value["documentId"].flatMap { EntityID($0) }
    }

    /// The forms that ids in one of the `idFields` can have.
    func idForms(of field: String) -> Set<IDForm> {
        switch self.fields[field]?.kind {
        case .scalar(.integer), .scalar(.biginteger): [.number]
        case .scalar: [.text]
        case nil where UTF8Text(field) == "documentId": [.text]
        default: [.number, .text]
        }
    }

    /// Whether an entry of this type can have that id, as far as its form tells.
    func canHave(id: JSONValue) -> Bool {
        switch id {
        case .int, .double: self.idFields.contains { self.idForms(of: $0).contains(.number) }
        case .string(let text):
            IDForm(of: text) == .number || self.idFields.contains { self.idForms(of: $0).contains(.text) }
        default: false
        }
    }

    /// The forms of ids by which an entry may be known that does not name them: it may be the one that somebody
    /// subscribed to by such an id.
    ///
    /// An id of a form that the entry's own ids have is taken for another entry's, or publishers that have one id only
    /// could not tell entries apart.
    func formsOfUnknownIDs(of identity: EntityIdentity) -> Set<IDForm> {
        var known: Set<IDForm> = []
        for id in identity.ids {
            let forms = self.idForms(of: id.field.string)
            known.formUnion(forms.count == 1 ? forms : [IDForm(of: id.text.string)])
        }
        return self.idFields.filter { !identity.hasID(in: UTF8Text($0)) }
            .reduce(into: Set<IDForm>()) { $0.formUnion(self.idForms(of: $1)) }
            .subtracting(known)
    }
}
