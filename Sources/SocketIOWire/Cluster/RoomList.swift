import NIOCore
import OrderedCollections

/// A list of rooms as other nodes and other languages' emitters write it.
///
/// Usually it is a list. A text is the one room of that name. A map whose keys are numbers is what PHP makes of a list
/// that has lost an element. Nothing at all (nil, an empty text) is an empty list. Elements that name no room, such as
/// JavaScript's `undefined`, are left out: nobody here can be in such a room.
struct RoomList {
    /// The rooms, as often as they were written.
    private(set) var rooms: [Room] = []
    /// Whether rooms were named, usable or not.
    private(set) var namesRooms = false

    /// Whether rooms were named, but none that a socket of this node can be in: then it is nobody, and not everybody.
    var isNobody: Bool { self.namesRooms && self.rooms.isEmpty }

    mutating func append(_ room: Room?) {
        self.namesRooms = true
        if let room { self.rooms.append(room) }
    }
}

// MARK: - JSON

extension RoomList {
    /// Reads a list.
    ///
    /// - Returns: `nil` if it is unclear which rooms are meant, as with an empty object.
    init?(_ value: JSONValue?) {
        switch value {
        case nil, .null?: break
        case .string(let text)?:
            if !text.utf8.isEmpty { self.append(Room(text)) }
        case .array(let elements)?:
            self.rooms.reserveCapacity(elements.count)
            for element in elements { self.append(Room(element)) }
        case .object(let members)?:
            guard !members.isEmpty, members.keys.allSatisfy(\.isIndex) else { return nil }
            for element in members.values { self.append(Room(element)) }
        default: return nil
        }
    }
}

extension Room {
    /// The room of that name, or of that number's text; `nil` for everything else.
    init?(_ value: JSONValue) {
        switch value {
        case .string(let name): self.init(name)
        case .int(let number): self.init(String(number))
        case .double(let number) where number.isFinite:
            var text = ByteBuffer()
            text.writeJSONNumber(number)
            self.init(String(buffer: text))
        default: return nil
        }
    }
}

extension UTF8Text {
    /// Whether the text is an element's number.
    fileprivate var isIndex: Bool {
        !self.isEmpty && self.utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
    }
}

// MARK: - MessagePack

extension RoomList {
    /// Reads a list.
    ///
    /// - Throws: ``MessagePackError`` if it is unclear which rooms are meant.
    init(_ reader: inout MessagePackReader) throws(MessagePackError) {
        switch try reader.peekKind() {
        case .array:
            let count = try reader.readArrayHeader()
            self.rooms.reserveCapacity(min(count, 64))
            for _ in 0..<count { self.append(try Self.room(&reader)) }
        case .map:
            for _ in 0..<(try reader.readMapHeader()) {
                guard try reader.peekKind() == .integer else {
                    throw MessagePackError(.unexpectedType, at: reader.offset)
                }
                try reader.skipValue()
                self.append(try Self.room(&reader))
            }
        case .string:
            let text = try reader.readString()
            if !text.utf8.isEmpty { self.append(Room(text)) }
        default:
            guard try reader.skipNothing() else { throw MessagePackError(.unexpectedType, at: reader.offset) }
        }
    }

    private static func room(_ reader: inout MessagePackReader) throws(MessagePackError) -> Room? {
        switch try reader.peekKind() {
        case .string, .integer, .float: return try reader.readKey().map { Room($0.string) }
        default:
            try reader.skipValue()
            return nil
        }
    }
}
