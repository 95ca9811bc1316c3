public import SocketIOWire

/// An entry's or user's id, which systems write as a number or as text.
public enum EntityID: Sendable, Hashable {
    case int(Int)
    case string(String)

    /// An id from a number without fraction or a text.
    public init?(_ value: JSONValue) {
        switch value {
        case .string(let text): self = .string(text)
        case .int(let number): self = .int(number)
        case .double(let number):
            guard let number = Int(exactly: number) else { return nil }
            self = .int(number)
        default: return nil
        }
    }

    /// The id as it stands in names of rooms.
    public var text: String {
        switch self {
        case .int(let number): String(number)
        case .string(let text): text
        }
    }

    /// The id in its original type.
    public var value: JSONValue {
        switch self {
        case .int(let number): .int(number)
        case .string(let text): .string(text)
        }
    }
}

extension EntityID: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral, CustomStringConvertible {
    /// Creates an id or a reference from its parts.
    public init(integerLiteral value: Int) { self = .int(value) }
    /// Creates an id or a reference from its parts.
    public init(stringLiteral value: String) { self = .string(value) }
    /// The text form.
    public var description: String { self.text }
}

/// One entry of a content type.
public struct EntityRef: Sendable, Hashable {
    /// The content type's uid.
    public var uid: String
    /// The id's text form.
    public var id: String

    /// Creates an id or a reference from its parts.
    public init(uid: String, id: String) {
        self.uid = uid
        self.id = id
    }

    /// The entry that a room of the form `<uid>:<id>` belongs to; `nil` for every other room.
    public init?(room: Room) {
        let name = room.name
        guard let colon = name.lastIndex(of: ":") else { return nil }
        let uid = String(name[..<colon])
        let id = String(name[name.index(after: colon)...])
        guard ContentType.isValidUID(uid), Self.isValidID(id) else { return nil }
        self.init(uid: uid, id: id)
    }

    /// The room of those who subscribed to this entry.
    public var room: Room { Room("\(self.uid):\(self.id)") }

    /// Whether an id may stand in a room's name: 1 to 128 letters, digits, `.`, `_` or `-`.
    ///
    /// Anything else could name another room, for `:` and `@` have a meaning there.
    public static func isValidID(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                byte.isASCIIAlphanumeric || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                    || byte == UInt8(ascii: ".")
            }
    }
}

extension UInt8 {
    var isASCIIAlphanumeric: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
