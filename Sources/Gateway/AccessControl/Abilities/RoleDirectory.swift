import OrderedCollections
import SocketIOWire

/// The roles by the names that a system of record may use for them.
struct RoleDirectory: Sendable {
    private let rolesByType: [UTF8Text: Role]
    private let rolesByName: [UTF8Text: Role]
    private let rolesByID: [UTF8Text: Role]

    init(_ roles: [Role]) {
        self.rolesByType = Dictionary(roles.map { (UTF8Text($0.type), $0) }) { first, _ in first }
        self.rolesByName = Dictionary(roles.map { (UTF8Text(RoomName.slug($0.name)), $0) }) { first, _ in first }
        self.rolesByID = Dictionary(
            roles.compactMap { role in role.id.map { (UTF8Text($0.text), role) } }
        ) { first, _ in first }
    }

    /// The role of that type.
    func role(type: UTF8Text) -> Role? { self.rolesByType[type] }

    /// The role that a claim names, by type, name or id.
    ///
    /// If the claim is a list, it is the first role that exists.
    func role(claim: JSONValue) -> Role? {
        switch claim {
        case .string(let text):
            let slug = UTF8Text(RoomName.slug(text))
            return self.rolesByType[slug] ?? self.rolesByName[slug] ?? self.rolesByID[UTF8Text(text)]
        case .int(let number):
            return self.rolesByID[UTF8Text(String(number))]
        case .object(let object):
            for key in ["type", "name", "id"] {
                if let value = object[key], !value.isContainer, let role = self.role(claim: value) { return role }
            }
            return nil
        case .array(let list):
            for element in list where element.arrayValue == nil {
                if let role = self.role(claim: element) { return role }
            }
            return nil
        case .null, .bool, .double, .binary:
            return nil
        }
    }
}
