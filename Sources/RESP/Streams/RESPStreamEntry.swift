public import NIOCore

/// An entry of a stream.
///
/// Its buffers are slices of what was read from the socket: copy what is kept for long.
public struct RESPStreamEntry: Sendable, Hashable {
    /// A field with its value.
    public struct Field: Sendable, Hashable {
        /// Not unique in an entry.
        public var name: ByteBuffer
        /// The value.
        public var value: ByteBuffer

        /// Makes a field.
        public init(name: ByteBuffer, value: ByteBuffer) {
            self.name = name
            self.value = value
        }
    }

    /// Where it stands.
    public var id: RESPStreamID
    /// In the order in which they were written.
    public var fields: [Field]

    /// Makes an entry, for tests of what receives it.
    public init(id: RESPStreamID, fields: [Field]) {
        self.id = id
        self.fields = fields
    }

    /// The value of the first field with a name.
    public subscript(_ name: StaticString) -> ByteBuffer? {
        name.withUTF8Buffer { bytes in
            self.fields.first { $0.name.readableBytesView.elementsEqual(bytes) }?.value
        }
    }

    /// Reads an element of what `XREAD` and `XRANGE` reply.
    ///
    /// - Throws: ``RESPError`` if it is no entry, or a string in it is longer than ``RESPLimits`` allow.
    public init(_ value: RESPValue) throws(RESPError) {
        guard let id = Self.id(of: value), let elements = value.arrayValue, elements.count == 2 else {
            throw .violation("an entry of a stream without an id")
        }
        var fields: [Field] = []
        // It is null if the entry was deleted after it had been handed to a consumer.
        let words = elements[1].arrayValue ?? []
        fields.reserveCapacity(words.count / 2)
        for index in stride(from: 0, to: words.count - 1, by: 2) {
            for case .error(let error) in words[index...index + 1] { throw error }
            guard let name = words[index].bytes, let value = words[index + 1].bytes else {
                throw .violation("an entry of a stream with a field that is no string")
            }
            fields.append(Field(name: name, value: value))
        }
        self.init(id: id, fields: fields)
    }

    /// The id of an entry, even if the entry can't be used.
    static func id(of value: RESPValue) -> RESPStreamID? {
        value.arrayValue?.first?.bytes.flatMap { RESPStreamID($0) }
    }

    /// Reads the reply of `XRANGE`.
    ///
    /// - Throws: ``RESPError`` if it is something else.
    public static func entries(_ reply: RESPValue) throws(RESPError) -> [RESPStreamEntry] {
        guard let elements = reply.arrayValue else { throw .violation("entries of a stream that are no array") }
        var entries: [RESPStreamEntry] = []
        entries.reserveCapacity(elements.count)
        for element in elements { entries.append(try RESPStreamEntry(element)) }
        return entries
    }
}

/// What Redis knows of a stream: the reply of `XINFO STREAM`.
public struct RESPStreamInfo: Sendable, Hashable {
    /// How many entries there are.
    public var length: Int
    /// The last id that was given, also if its entry is gone.
    public var lastGeneratedID: RESPStreamID
    /// The id of the last entry that was deleted; only Redis 7 or later tells it.
    public var maxDeletedID: RESPStreamID?
    /// How many entries there ever were; only Redis 7 or later tells it.
    public var entriesAdded: Int?
    /// The first of those that are there.
    public var firstID: RESPStreamID?

    /// Reads the reply of `XINFO STREAM`.
    ///
    /// - Throws: ``RESPError`` if it is something else.
    public init(_ reply: RESPValue) throws(RESPError) {
        func value(_ name: StaticString) -> RESPValue? {
            name.withUTF8Buffer { bytes in
                reply.mapValue?.first { $0.key.bytes?.readableBytesView.elementsEqual(bytes) == true }?.value
            }
        }
        guard let last = value("last-generated-id")?.bytes.flatMap({ RESPStreamID($0) }) else {
            throw .violation("an answer to XINFO STREAM without the last id")
        }
        self.lastGeneratedID = last
        self.length = value("length")?.integerValue ?? 0
        self.maxDeletedID = value("max-deleted-entry-id")?.bytes.flatMap { RESPStreamID($0) }
        self.entriesAdded = value("entries-added")?.integerValue
        self.firstID = value("first-entry").flatMap { RESPStreamEntry.id(of: $0) }
    }
}
