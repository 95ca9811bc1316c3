import OrderedCollections

/// Reads whom a broadcast or a request addresses, and how.
enum ClusterOptions {
    /// Reads the options of a request.
    ///
    /// - Returns: `nil` if no socket of this node can be among those that they address.
    /// - Throws: ``ClusterProtocolError`` if it is unclear whom they address: that must never count as everybody.
    static func parse(_ value: JSONValue?) throws(ClusterProtocolError) -> BroadcastOptions? {
        var options = BroadcastOptions()
        let members: JSONObject
        switch value {
        case .object(let object)?: members = object
        // PHP's empty array.
        case .array(let elements)? where elements.isEmpty: return options
        default: throw ClusterProtocolError(.unexpectedShape, "a request without options")
        }
        guard let rooms = RoomList(members["rooms"]), let except = RoomList(members["except"]) else {
            throw ClusterProtocolError(.unexpectedShape, "rooms that are no list")
        }
        options.rooms = rooms.rooms
        options.except = except.rooms
        options.flags = self.flags(members["flags"])
        return rooms.isNobody ? nil : options
    }

    /// Reads modifiers, and ignores anything else: none of them decides who gets a broadcast.
    static func flags(_ value: JSONValue?) -> BroadcastFlags {
        var flags = BroadcastFlags()
        for (key, value) in value?.objectValue ?? [:] {
            if let flag = BroadcastFlags.Flag(key, value) { flags.set(flag) }
        }
        return flags
    }

    /// Reads the options of a broadcast.
    ///
    /// - Returns: `nil` if no socket of this node can be among those that they address.
    /// - Throws: ``MessagePackError`` if it is unclear whom they address: that must never count as everybody.
    static func parse(_ reader: inout MessagePackReader) throws(MessagePackError) -> BroadcastOptions? {
        var options = BroadcastOptions()
        var isNobody = false
        switch try reader.peekKind() {
        case .map:
            for _ in 0..<(try reader.readMapHeader()) {
                switch try reader.readKey() {
                case "rooms"?:
                    let list = try RoomList(&reader)
                    options.rooms = list.rooms
                    isNobody = list.isNobody
                case "except"?: options.except = try RoomList(&reader).rooms
                case "flags"?: options.flags = try Self.flags(&reader)
                default: try reader.skipValue()
                }
            }
        case .array:
            // PHP's empty array.
            guard try reader.readArrayHeader() == 0 else {
                throw MessagePackError(.unexpectedType, at: reader.offset)
            }
        // JavaScript finds no rooms in bytes, so they address everybody.
        case .binary: try reader.skipValue()
        default: throw MessagePackError(.unexpectedType, at: reader.offset)
        }
        return isNobody ? nil : options
    }

    /// Reads modifiers, and ignores anything else: none of them decides who gets a broadcast.
    private static func flags(_ reader: inout MessagePackReader) throws(MessagePackError) -> BroadcastFlags {
        var flags = BroadcastFlags()
        guard try reader.peekKind() == .map else {
            try reader.skipValue()
            return flags
        }
        for _ in 0..<(try reader.readMapHeader()) {
            let key = try reader.readKey()
            switch try reader.peekKind() {
            case .bool, .integer, .float, .string:
                let value = try reader.readJSONValue()
                if let key, let flag = BroadcastFlags.Flag(key, value) { flags.set(flag) }
            default: try reader.skipValue()
            }
        }
        return flags
    }
}

extension BroadcastFlags.Flag {
    /// The flag of that key, with its value as JavaScript would read it; `nil` if JavaScript would ignore it.
    init?(_ kind: UTF8Text, _ value: JSONValue) {
        switch kind {
        case "volatile": self = .volatile(value.isTruthy)
        case "local": self = .local(value.isTruthy)
        case "expectSingleResponse": self = .expectSingleResponse(value.isTruthy)
        case "broadcast": self = .broadcast(value.isTruthy)
        case "binary": self = .binary(value.isTruthy)
        case "compress":
            // Only `false` itself forbids it.
            guard let isAllowed = value.boolValue else { return nil }
            self = .compress(isAllowed)
        case "timeout":
            guard let milliseconds = value.doubleValue else { return nil }
            self = .timeout(milliseconds: ClusterProtocol.timeout(milliseconds))
        default: return nil
        }
    }
}

extension JSONValue {
    /// Whether JavaScript takes the value for true.
    fileprivate var isTruthy: Bool {
        switch self {
        case .null: false
        case .bool(let value): value
        case .int(let value): value != 0
        case .double(let value): value != 0 && !value.isNaN
        case .string(let value): !value.utf8.isEmpty
        case .binary, .array, .object: true
        }
    }
}

extension ClusterProtocol {
    /// A number of milliseconds, no longer than the longest timeout.
    static func timeout(_ milliseconds: Double) -> Int {
        milliseconds >= 0 ? Int(min(milliseconds, Double(self.longestTimeout))) : 0
    }
}
