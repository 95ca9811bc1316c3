import NIOCore

/// The arguments of an event or of an acknowledgement.
///
/// They are decoded from the packet's bytes when somebody asks for them.
public struct Arguments: Sendable {
    /// Where the arguments begin in the text.
    enum Start {
        /// All elements of the text's array are arguments.
        case array
        /// The arguments are the elements behind an event's name.
        case at(Int)
        /// There are none.
        case none
    }

    // This is not an enumeration with a payload, because its copies would cost more than those of its parts, and these
    // values travel with every event.

    /// The JSON text of an array.
    ///
    /// The arguments of an event stand behind its name. The text is empty if the arguments are values.
    private let text: ByteBuffer
    private let start: Start
    /// What only few arguments have.
    private let rarities: ArgumentRarities?

    /// Makes arguments of values.
    public init(_ values: [JSONValue]) {
        self.text = ByteBuffer()
        self.start = .none
        self.rarities = ArgumentRarities(values: values, attachments: nil)
    }

    /// The elements of an array as arguments, as an acknowledgement carries them.
    public init(_ payload: consuming PacketPayload) {
        self.init(payload, start: .array)
    }

    /// The elements behind an event's name.
    init(_ payload: consuming PacketPayload, start: Start) {
        self.text = payload.json
        self.start = start
        self.rarities = payload.attachments.map { ArgumentRarities(values: nil, attachments: $0) }
    }

    /// The elements behind an event's name, without attachments.
    init(_ text: consuming ByteBuffer, start: Start) {
        self.text = text
        self.start = start
        self.rarities = nil
    }

    /// How many arguments there are.
    ///
    /// To count them, it reads the text.
    public var count: Int {
        if let values = self.rarities?.values { return values.count }
        var reader = self.makeReader()
        var count = 0
        while !reader.isAtEnd, (try? reader.skip()) != nil { count += 1 }
        return count
    }

    /// How many bytes are kept for them: JSON text, with an event's name, and attachments.
    package var byteCount: Int {
        let count = self.text.readableBytes
        guard let attachments = self.rarities?.attachments else { return count }
        return attachments.reduce(count) { $0 + $1.readableBytes }
    }

    /// How much memory they keep, shared memory included.
    package var memoryCount: Int {
        let count = self.text.storageCapacity
        guard let attachments = self.rarities?.attachments else { return count }
        return attachments.reduce(count) { $0 + $1.storageCapacity }
    }

    /// The same arguments, to be kept for a while; see ``NIOCore/ByteBuffer/detached()``.
    package func detached() -> Arguments {
        // A packet with attachments has already waited for them.
        guard self.rarities == nil else { return self }
        return Arguments(self.text.detached(), start: self.start)
    }

    /// Whether there are no arguments.
    public var isEmpty: Bool { self.makeReader().isAtEnd }

    /// All arguments as values.
    ///
    /// - Throws: ``ArgumentError`` if they are not from a packet and turn out not to be JSON.
    public func values() throws(ArgumentError) -> [JSONValue] {
        if let values = self.rarities?.values { return values }
        var reader = self.makeReader()
        return try reader.remainingValues()
    }

    /// A cursor that stands before the first argument.
    public func makeReader() -> Reader {
        if let values = self.rarities?.values { return Reader(values, self.rarities) }
        return Reader(self.text, self.rarities, start: self.start)
    }
}

/// What arguments seldom have, behind a single reference.
///
/// So arguments without it count no references.
final class ArgumentRarities: Sendable {
    /// The arguments, if they exist as values.
    let values: [JSONValue]?
    /// What placeholders in the text stand for.
    let attachments: [ByteBuffer]?

    init(values: [JSONValue]?, attachments: [ByteBuffer]?) {
        self.values = values
        self.attachments = attachments
    }
}

extension Arguments {
    /// Decodes arguments one after the other.
    public struct Reader: Sendable {
        /// The reader of the text.
        ///
        /// It is not used if the arguments are values.
        private let text: ByteBuffer
        private let rarities: ArgumentRarities?
        /// Where the next argument begins in the text.
        private var offset = 0
        /// Why the payload is not an array.
        private var malformation: JSONError?
        /// The index of the next argument.
        public private(set) var index = 0
        /// Whether all arguments have been read.
        public private(set) var isAtEnd: Bool

        fileprivate init(_ values: [JSONValue], _ rarities: ArgumentRarities?) {
            self.text = ByteBuffer()
            self.rarities = rarities
            self.isAtEnd = values.isEmpty
        }

        @inline(__always)
        fileprivate init(_ text: ByteBuffer, _ rarities: ArgumentRarities?, start: Start) {
            self.text = text
            self.rarities = rarities
            switch start {
            case .at(let offset):
                self.offset = offset
                self.isAtEnd = false
            case .none:
                self.isAtEnd = true
            case .array:
                self.isAtEnd = false
                self.enterArray()
            }
        }

        private mutating func enterArray() {
            do throws(JSONError) {
                // The decoder has already checked the text against its limits.
                (self.offset, self.isAtEnd) = try self.text.withUnsafeReadableBytes { bytes throws(JSONError) in
                    var scanner = JSONScanner(bytes, limits: PacketPayload.greatestLimits)
                    guard try scanner.skipIfNext(UInt8(ascii: "[")) else {
                        throw JSONError(.unexpectedByte, at: scanner.offset)
                    }
                    let isEmpty = try scanner.skipIfNext(UInt8(ascii: "]"))
                    return (scanner.offset, isEmpty)
                }
            } catch {
                self.malformation = error
            }
        }

        /// Decodes the next argument.
        ///
        /// - Returns: The argument; for an optional type `nil` if there are no more arguments. Arguments that nobody
        ///   reads are no error.
        /// - Throws: ``ArgumentError`` if there is no argument, or one of another type.
        @inlinable
        public mutating func next<T: Decodable>(_ type: T.Type = T.self) throws(ArgumentError) -> T {
            // The usual types need no decoder. The compiler decides this where it knows the caller's type. If the types
            // are equal, the cast changes nothing.
            if T.self == JSONValue.self {
                return unsafeBitCast(try self.requiredValue(for: JSONValue.self), to: T.self)
            }
            if T.self == String.self {
                let index = self.index
                let value = try self.requiredValue(for: String.self)
                if case .string(let string) = value { return unsafeBitCast(string, to: T.self) }
                return try Self.decode(value, at: index, as: T.self)
            }
            if T.self == Int.self {
                let index = self.index
                let value = try self.requiredValue(for: Int.self)
                if case .int(let integer) = value { return unsafeBitCast(integer, to: T.self) }
                return try Self.decode(value, at: index, as: T.self)
            }
            return try self.decodeNext(T.self)
        }

        /// The next argument as a value.
        ///
        /// There must be one.
        @usableFromInline
        mutating func requiredValue(for type: Any.Type) throws(ArgumentError) -> JSONValue {
            guard let value = try self.nextValue() else {
                throw ArgumentError(.missing, at: self.index, expected: type)
            }
            return value
        }

        @usableFromInline
        mutating func decodeNext<T: Decodable>(_ type: T.Type) throws(ArgumentError) -> T {
            if self.isAtEnd, let optional = T.self as? any OptionalArgument.Type, let none = optional.missing as? T {
                return none
            }
            let index = self.index
            return try Self.decode(try self.requiredValue(for: T.self), at: index, as: T.self)
        }

        /// Decodes the value of the argument with that index.
        @usableFromInline
        static func decode<T: Decodable>(
            _ value: JSONValue,
            at index: Int,
            as type: T.Type
        ) throws(ArgumentError) -> T {
            do {
                return try value.decode(type)
            } catch {
                throw ArgumentError(.mismatch, at: index, expected: T.self, underlying: error)
            }
        }

        /// The next argument as a value.
        ///
        /// - Returns: The value; `nil` if there are no more arguments.
        public mutating func nextValue() throws(ArgumentError) -> JSONValue? {
            guard !self.isAtEnd else { return nil }
            if let values = self.rarities?.values {
                let value = values[self.index]
                self.index += 1
                self.isAtEnd = self.index == values.count
                return value
            }
            do throws(JSONError) {
                if let malformation = self.malformation { throw malformation }
                var value = JSONValue.null
                // The parsed value is put directly into its final place. As a part of a tuple it would be copied.
                let (end, hasNext) = try self.text.withUnsafeReadableBytes { bytes throws(JSONError) -> (Int, Bool) in
                    var parser = JSONParser(
                        bytes,
                        from: self.offset,
                        attachments: self.rarities?.attachments,
                        limits: PacketPayload.greatestLimits
                    )
                    value = try parser.readValue()
                    let hasNext = try parser.readSeparator()
                    return (parser.scanner.offset, hasNext)
                }
                self.stepped(to: end, hasNext: hasNext)
                return value
            } catch {
                throw self.malformed(error)
            }
        }

        /// All arguments that have not been read yet.
        public mutating func remainingValues() throws(ArgumentError) -> [JSONValue] {
            var values: [JSONValue] = []
            while let value = try self.nextValue() { values.append(value) }
            return values
        }

        /// Skips the next argument and does not decode it.
        public mutating func skip() throws(ArgumentError) {
            guard !self.isAtEnd else { return }
            guard self.rarities?.values == nil else {
                _ = try self.nextValue()
                return
            }
            do throws(JSONError) {
                if let malformation = self.malformation { throw malformation }
                let (end, hasNext) = try self.text.withUnsafeReadableBytes { bytes throws(JSONError) -> (Int, Bool) in
                    var scanner = JSONScanner(bytes, from: self.offset, limits: PacketPayload.greatestLimits)
                    try scanner.skipValue()
                    let hasNext = try scanner.skipSeparator(orEnd: UInt8(ascii: "]"))
                    return (scanner.offset, hasNext)
                }
                self.stepped(to: end, hasNext: hasNext)
            } catch {
                throw self.malformed(error)
            }
        }

        private mutating func stepped(to offset: Int, hasNext: Bool) {
            self.offset = offset
            self.isAtEnd = !hasNext
            self.index += 1
        }

        private mutating func malformed(_ error: JSONError) -> ArgumentError {
            self.malformation = error
            return ArgumentError(.malformed, at: self.index, expected: JSONValue.self, underlying: error)
        }
    }
}

/// Recognises optional types.
///
/// For these, an argument that was not sent is `nil`.
private protocol OptionalArgument {
    static var missing: Any { get }
}

extension Optional: OptionalArgument {
    static var missing: Any { Self.none as Any }
}
