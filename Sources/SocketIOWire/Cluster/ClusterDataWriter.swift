import NIOCore

/// Writes the parts of a message in one format.
///
/// So the order of a message's members is decided in one place for all formats: ``ClusterDataLayout``.
protocol ClusterDataWriter: ~Copyable {
    /// Whether a member without a value is written as nil, and not left out.
    var writesUndefined: Bool { get }

    /// Starts an object of so many members.
    mutating func beginObject(count: Int)
    /// Starts a member; its value is to follow.
    mutating func key(_ name: StaticString)
    mutating func endObject()
    /// Starts an array of so many elements.
    mutating func beginArray(count: Int)
    /// Starts an element; its value is to follow.
    mutating func element()
    mutating func endArray()
    mutating func write(_ value: JSONValue)
    mutating func write(_ text: String)
    mutating func write(_ number: Int)
    mutating func write(_ flag: Bool)
}

/// JSON text as `JSON.stringify` writes it.
struct ClusterJSONWriter: ClusterDataWriter, ~Copyable {
    var writesUndefined: Bool { false }

    var bytes = ByteWriter(capacity: 256)
    private var isFirst = true

    mutating func beginObject(count: Int) {
        self.bytes.writeInteger(UInt8(ascii: "{"))
        self.isFirst = true
    }

    mutating func key(_ name: StaticString) {
        self.element()
        self.bytes.writeInteger(UInt8(ascii: "\""))
        self.bytes.writeStaticString(name)
        self.bytes.writeStaticString("\":")
    }

    mutating func endObject() {
        self.bytes.writeInteger(UInt8(ascii: "}"))
        self.isFirst = false
    }

    mutating func beginArray(count: Int) {
        self.bytes.writeInteger(UInt8(ascii: "["))
        self.isFirst = true
    }

    mutating func element() {
        if !self.isFirst { self.bytes.writeInteger(UInt8(ascii: ",")) }
        self.isFirst = false
    }

    mutating func endArray() {
        self.bytes.writeInteger(UInt8(ascii: "]"))
        self.isFirst = false
    }

    mutating func write(_ value: JSONValue) { self.bytes.writeJSON(value) }
    mutating func write(_ text: String) { self.bytes.writeJSONString(text) }
    mutating func write(_ number: Int) { self.bytes.writeJSONInteger(number) }
    mutating func write(_ flag: Bool) { self.bytes.writeJSONBool(flag) }
}

/// MessagePack as one of JavaScript's libraries writes it.
struct ClusterMessagePackWriter: ClusterDataWriter {
    let dialect: MessagePackDialect
    var bytes = ByteBuffer()

    var writesUndefined: Bool { self.dialect == .msgpack }

    init(as dialect: MessagePackDialect) {
        self.dialect = dialect
        self.bytes.reserveCapacity(256)
    }

    mutating func beginObject(count: Int) { self.bytes.writeMessagePackMapHeader(count: count) }
    mutating func key(_ name: StaticString) { self.bytes.writeMessagePackKey(name) }
    mutating func endObject() {}
    mutating func beginArray(count: Int) { self.bytes.writeMessagePackArrayHeader(count: count) }
    mutating func element() {}
    mutating func endArray() {}
    mutating func write(_ value: JSONValue) { self.bytes.writeMessagePack(value, as: self.dialect) }
    mutating func write(_ text: String) { self.bytes.writeMessagePack(text) }
    mutating func write(_ number: Int) { self.bytes.writeMessagePack(number) }
    mutating func write(_ flag: Bool) { self.bytes.writeMessagePack(flag) }
}

extension ByteBuffer {
    /// Writes a short string.
    fileprivate mutating func writeMessagePackKey(_ name: StaticString) {
        precondition(name.utf8CodeUnitCount < 0x20, "a key has at most 31 bytes")
        self.writeInteger(0xA0 | UInt8(truncatingIfNeeded: name.utf8CodeUnitCount))
        self.writeStaticString(name)
    }
}
