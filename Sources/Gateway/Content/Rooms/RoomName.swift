public import SocketIOWire

/// The names of the gateway's rooms, and which names a client may choose.
public enum RoomName {
    /// `io-role-<slug>`: all sockets of a role.
    public static func role(_ slug: String) -> Room { Room("io-role-\(slug)") }
    /// `io-token-<slug>`: all sockets of an API token.
    public static func token(_ slug: String) -> Room { Room("io-token-\(slug)") }
    /// `io-admin-user-<id>`: all sockets of one operator.
    public static func operatorUser(_ id: EntityID) -> Room { Room("io-admin-user-\(id.text)") }
    /// All sockets of operators.
    public static let operators = Room("io-admin")
    /// Clients that have not authenticated yet (event mode).
    ///
    /// What is sent to everybody is not for them.
    static let unauthorized = Room("io-unauthorized")
    /// `user:<id>`: all sockets of a user.
    public static func user(_ id: EntityID) -> Room { Room("user:\(id.text)") }
    static func isUser(_ room: Room) -> Bool { room.name.utf8.starts(with: "user:".utf8) }
    /// `<uid>:<id>`: everybody who subscribed to an entry.
    public static func entity(_ uid: String, _ id: EntityID) -> Room { Room("\(uid):\(id.text)") }
    /// `<uid>:<id>@<audience>`: those of one audience who subscribed to an entry.
    static func entity(_ entity: EntityRef, audience: Room) -> Room {
        Room("\(entity.uid):\(entity.id)@\(audience.name)")
    }
    /// `narrow:<uid>`: those who subscribed to entries of a type and want no others of that type.
    static func narrow(_ uid: String) -> Room { Room("narrow:\(uid)") }
    /// `narrow:<uid>#<form>@<audience>`: those of one audience who subscribed to entries of a type by ids of a form.
    static func followers(of uid: String, by form: IDForm, audience: Room) -> Room {
        Room("narrow:\(uid)#\(form.rawValue)@\(audience.name)")
    }
    /// `<uid>:<id>@io-owned`: those who subscribed to an entry that they may see only if they own it.
    static func ownersOnly(_ entity: EntityRef) -> Room { Room("\(entity.uid):\(entity.id)\(Self.ownersOnlySuffix)") }
    /// `<uid>:<id>@io-owned:<user>`: the sockets of one user among them.
    static func ownersOnly(_ entity: EntityRef, user: EntityID) -> Room {
        Room("\(entity.uid):\(entity.id)\(Self.ownersOnlySuffix):\(user.text)")
    }
    static let ownersOnlySuffix = "@io-owned"
    /// The sockets of one user in one audience, for entries that only their owner may see.
    static func owner(_ id: EntityID, audience: Room) -> Room { Room("io-owner-\(audience.name):\(id.text)") }

    /// A name as part of a room's name, in lower case and with one dash for each run of white space.
    public static func slug(_ name: String) -> String {
        var slug = ""
        slug.reserveCapacity(name.utf8.count)
        var isInGap = false
        for scalar in name.unicodeScalars {
            if scalar.properties.isWhitespace {
                isInGap = true
                continue
            }
            if isInGap && !slug.isEmpty { slug.unicodeScalars.append("-") }
            isInGap = false
            slug.unicodeScalars.append(scalar.small)
        }
        return slug
    }

    /// Whether a slug can stand in a room's name and not be mistaken for something else.
    static func isValidSlug(_ slug: String) -> Bool {
        (1...64).contains(slug.utf8.count)
            && slug.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "@") }
    }

    /// Whether a name belongs to the gateway.
    ///
    /// No client may join or leave such a room by itself.
    public static func isReserved(_ name: String) -> Bool {
        // Bytes decide. Every wish of a client asks this about all of its rooms, so it must be quick.
        if Self.reservedPrefixes.contains(where: { name.utf8.starts(with: $0.utf8) }) { return true }
        return name.utf8.contains(UInt8(ascii: "@")) || Self.hasDoubleColon(name.utf8)
    }

    private static let reservedPrefixes = ["io-", "user:", "presence:", "preview:", "narrow:"]

    private static let internalPrefixes = [
        "narrow:", "io-owner-", HistoryKey.followersPrefix, HistoryKey.positionsPrefix,
    ]

    /// Whether the gateway uses a room only for itself.
    ///
    /// Lists of rooms leave such rooms out.
    static func isInternal(_ room: Room) -> Bool {
        let name = room.name.utf8
        if Self.internalPrefixes.contains(where: { name.starts(with: $0.utf8) }) { return true }
        return name.contains(UInt8(ascii: "@")) && Self.hasDoubleColon(name)
    }

    /// Whether a room is one of those that a subscription to an entity consists of, besides the entity's own room.
    static func isOfFollowers(_ room: Room) -> Bool {
        let name = room.name.utf8
        return name.starts(with: "narrow:".utf8)
            || (name.contains(UInt8(ascii: "@")) && Self.hasDoubleColon(name))
    }

    private static func hasDoubleColon(_ name: String.UTF8View) -> Bool {
        var previous: UInt8 = 0
        for byte in name {
            if byte == UInt8(ascii: ":") && previous == byte { return true }
            previous = byte
        }
        return false
    }

    /// Whether a name has only letters, digits, `-` and `_`, and `:` and `.` where these are allowed.
    static func hasValidCharacters(_ name: String, allowingColon: Bool, allowingDot: Bool) -> Bool {
        name.utf8.allSatisfy { byte in
            byte.isASCIIAlphanumeric || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                || (allowingColon && byte == UInt8(ascii: ":")) || (allowingDot && byte == UInt8(ascii: "."))
        }
    }
}
