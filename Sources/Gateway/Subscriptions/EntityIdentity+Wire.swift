import SocketIOWire

extension EntityIdentity {
    /// `{uid, ids: [[field, id]], owners: [id]}`.
    var value: JSONValue {
        [
            "uid": .string(self.uid),
            "ids": .array(self.ids.map { [.string($0.field.string), .string($0.text.string)] }),
            "owners": .array(self.owners?.map(\.value) ?? []),
        ]
    }

    /// Reads what another node tells; `nil` if it is something else.
    init?(_ value: JSONValue) {
        guard let uid = value["uid"]?.stringValue, let ids = value["ids"]?.arrayValue,
            let owners = value["owners"]?.arrayValue, ids.count <= EntityMemory.maximumOthers
        else { return nil }
        self.init(uid: uid)
        for id in ids {
            guard let parts = id.arrayValue, parts.count == 2, let field = parts[0].stringValue,
                let text = parts[1].stringValue, EntityRef.isValidID(text)
            else { return nil }
            self.ids.append(ID(field: field, text: text))
        }
        self.owners = owners.compactMap { EntityID($0) }
    }
}
