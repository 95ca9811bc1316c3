import OrderedCollections
import SocketIOWire

/// How an id is written.
///
/// This shows from which field it may be.
enum IDForm: String, Sendable, Hashable, CaseIterable {
    /// Only digits.
    case number
    /// Anything else.
    case text

    /// The form of an id in a room's name.
    init(of id: String) {
        self = id.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? .number : .text
    }
}

/// The known ids and owners of an entry.
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
    /// Fields whose value cannot be an id of a subscription, so nobody can have subscribed by them.
    var unusable: [UTF8Text] = []
    /// The ids of the users who own the entry; `nil` if they are not known, or nobody owns it.
    var owners: [EntityID]?

    func hasID(in field: UTF8Text) -> Bool {
        self.ids.contains { $0.field == field } || self.unusable.contains(field)
    }

    /// The ids without their fields, each once, for names of rooms.
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

    /// The owners' ids in the owner field.
    ///
    /// The field holds an id, an entry that has one, or a list of these.
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

    /// Whether the form of that id allows it to be an id of this type.
    func canHave(id: JSONValue) -> Bool {
        switch id {
        case .int, .double: self.idFields.contains { self.idForms(of: $0).contains(.number) }
        case .string(let text):
            IDForm(of: text) == .number || self.idFields.contains { self.idForms(of: $0).contains(.text) }
        default: false
        }
    }

    /// The forms of the ids that an entry may have but does not name.
    ///
    /// Somebody may have subscribed to the entry by such an id.
    ///
    /// If an id has the same form as one that the entry names, it counts as another entry's id. Otherwise publishers
    /// with only one kind of id could not tell entries apart.
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
