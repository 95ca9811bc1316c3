public import SocketIOWire

/// The id of an entry or a user.
///
/// Systems write it as a number or as a text.
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

    /// Whether both are numbers or both are texts, with the same value.
    ///
    /// Texts are compared by their bytes.
    public static func == (left: EntityID, right: EntityID) -> Bool {
        switch (left, right) {
        case (.int(let left), .int(let right)): left == right
        case (.string(let left), .string(let right)): UTF8Text(left) == UTF8Text(right)
        case (.int, .string), (.string, .int): false
        }
    }

    /// Hashes the number, or the text's bytes.
    public func hash(into hasher: inout Hasher) {
        switch self {
        case .int(let number): hasher.combine(number)
        case .string(let text): hasher.combine(UTF8Text(text))
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

    /// Whether uid and id have the same bytes.
    public static func == (left: EntityRef, right: EntityRef) -> Bool {
        UTF8Text(left.uid) == UTF8Text(right.uid) && UTF8Text(left.id) == UTF8Text(right.id)
    }

    /// Hashes the bytes of uid and id.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(UTF8Text(self.uid))
        hasher.combine(UTF8Text(self.id))
    }

    /// Creates an id or a reference from its parts.
    public init(uid: String, id: String) {
        self.uid = uid
        self.id = id
    }

    /// The entry of a room with a name of the form `<uid>:<id>`; `nil` for all other rooms.
    public init?(room: Room) {
        guard Self.isRoom(room), let colon = room.name.utf8.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        self.init(uid: String(room.name[..<colon]), id: String(room.name[room.name.utf8.index(after: colon)...]))
    }

    /// Whether a room has the form `<uid>:<id>`.
    ///
    /// It copies nothing, because every wish of a client asks this about all of its rooms.
    static func isRoom(_ room: Room) -> Bool {
        let name = room.name.utf8
        guard let colon = name.lastIndex(of: UInt8(ascii: ":")) else { return false }
        return ContentType.isValidUID(name[..<colon]) && Self.isValidID(name[name.index(after: colon)...])
    }

    /// The entry that the members of that room have subscribed to; `nil` if it is no room of subscribers.
    init?(followedIn room: Room) {
        let name = room.name.utf8
        let suffix = RoomName.ownersOnlySuffix.utf8
        guard name.count > suffix.count, name.suffix(suffix.count).elementsEqual(suffix) else {
            self.init(room: room)
            return
        }
        self.init(room: Room(String(Substring(name.dropLast(suffix.count)))))
    }

    /// The room of those who subscribed to this entry.
    public var room: Room { Room("\(self.uid):\(self.id)") }

    /// Whether an id may stand in a room's name: 1 to 128 letters, digits, `.`, `_` or `-`.
    ///
    /// Anything else could name another room, because `:` and `@` have a meaning there.
    public static func isValidID(_ text: String) -> Bool { self.isValidID(text.utf8[...]) }

    private static func isValidID(_ text: Substring.UTF8View) -> Bool {
        (1...128).contains(text.count)
            && text.allSatisfy { byte in
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
