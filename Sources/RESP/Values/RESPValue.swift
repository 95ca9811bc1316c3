public import NIOCore

/// A value of the Redis serialisation protocol, versions 2 and 3.
///
/// Bulk strings are slices of what was read from the socket. If you keep one, its neighbours stay in memory, too.
/// Attributes (RESP3 `|`) are read and dropped. They are hints that no command of this client asks for.
public enum RESPValue: Sendable, Hashable {
    /// `_`, and RESP2's `$-1` and `*-1`.
    case null
    /// `+OK`
    case simpleString(String)
    /// `-WRONGTYPE …` and the blob form `!21 …`. As an element of an array, it belongs to a command that failed in a
    /// transaction.
    indirect case error(RESPError)
    /// `:42`
    case integer(Int)
    /// `$5 hello`
    case bulkString(ByteBuffer)
    /// `=9 txt:hello`, without its format.
    case verbatimString(ByteBuffer)
    /// `,1.5`
    case double(Double)
    /// `#t`
    case boolean(Bool)
    /// `(349…`, as its decimal text.
    case bigNumber(String)
    /// `*2`
    case array([RESPValue])
    /// `%1`, in the order in which it was sent.
    case map([RESPMapEntry])
    /// `~2`, in the order in which it was sent.
    case set([RESPValue])
    /// `>3`. Redis sends these by itself, such as a message of a subscription.
    case push([RESPValue])
}

/// A key with its value in a ``RESPValue/map(_:)``.
public struct RESPMapEntry: Sendable, Hashable {
    /// The key.
    ///
    /// It may be of any type, though Redis itself uses strings.
    public var key: RESPValue
    /// The value.
    public var value: RESPValue

    /// Makes an entry.
    public init(key: RESPValue, value: RESPValue) {
        self.key = key
        self.value = value
    }
}

extension RESPValue {
    /// The text of a string of any kind; `nil` if this is something else.
    ///
    /// Bytes that are not UTF-8 are replaced.
    public var stringValue: String? {
        switch self {
        case .simpleString(let text), .bigNumber(let text): text
        case .bulkString(let bytes), .verbatimString(let bytes): String(buffer: bytes)
        default: nil
        }
    }

    /// The bytes of a string of any kind; `nil` if this is something else.
    public var bytes: ByteBuffer? {
        switch self {
        case .simpleString(let text): ByteBuffer(string: text)
        case .bulkString(let bytes), .verbatimString(let bytes): bytes
        default: nil
        }
    }

    /// The integer; `nil` if this is something else.
    ///
    /// It may be written as a string, as in many replies of RESP2.
    public var integerValue: Int? {
        switch self {
        case .integer(let value): value
        case .bulkString(let bytes): Int(String(buffer: bytes))
        case .simpleString(let text): Int(text)
        default: nil
        }
    }

    /// The elements of an array, a set or a push; `nil` if this is something else.
    public var arrayValue: [RESPValue]? {
        switch self {
        case .array(let elements), .set(let elements), .push(let elements): elements
        default: nil
        }
    }

    /// The entries of a map; `nil` if this is something else.
    ///
    /// RESP2 writes a map as an array of keys and values in turn.
    public var mapValue: [RESPMapEntry]? {
        switch self {
        case .map(let entries): return entries
        case .array(let elements) where elements.count.isMultiple(of: 2):
            return stride(from: 0, to: elements.count, by: 2).map {
                RESPMapEntry(key: elements[$0], value: elements[$0 + 1])
            }
        default: return nil
        }
    }
}
