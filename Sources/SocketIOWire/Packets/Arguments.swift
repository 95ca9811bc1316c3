import NIOCore

/// The arguments of an event or of an acknowledgement, decoded from the packet's bytes when they are asked for.
public struct Arguments: Sendable {
    // Not an enumeration with a payload, whose copies cost more than those of its parts: these travel with every event.

    /// An array of JSON text, of which an event's arguments are what stands behind its name.
    ///
    /// `nil` if there are values.
    private let text: ByteBuffer?
    /// What placeholders in the text stand for.
    private let attachments: [ByteBuffer]?
    /// Where an event's name ends in the text.
    private let nameEnd: Int?
    private let elements: [JSONValue]?

    /// Arguments that exist as values.
    public init(_ values: [JSONValue]) {
        self.elements = values
        self.text = nil
        self.attachments = nil
        self.nameEnd = nil
    }

    /// The elements of an array as arguments, as an acknowledgement carries them.
    public init(_ payload: consuming PacketPayload) {
        self.init(payload, nameEnd: nil)
    }

    /// The elements behind an event's name.
    init(_ payload: consuming PacketPayload, nameEnd: Int?) {
        self.text = payload.json
        self.attachments = payload.attachments
        self.nameEnd = nameEnd
        self.elements = nil
    }

    /// How many there are, counted by walking the text.
    public var count: Int {
        if let values = self.elements { return values.count }
        var reader = self.makeReader()
        var count = 0
        while !reader.isAtEnd, (try? reader.skip()) != nil { count += 1 }
        return count
    }

    /// How many bytes are kept for them: JSON text, with an event's name, and attachments.
    package var byteCount: Int {
        let count = self.text?.readableBytes ?? 0
        guard let attachments = self.attachments else { return count }
        return attachments.reduce(count) { $0 + $1.readableBytes }
    }

    /// Whether there are none.
    public var isEmpty: Bool { self.makeReader().isAtEnd }

    /// All of them as values.
    ///
    /// - Throws: ``ArgumentError`` if they are not from a packet and turn out not to be JSON.
    public func values() throws(ArgumentError) -> [JSONValue] {
        if let values = self.elements { return values }
        var reader = self.makeReader()
        return try reader.remainingValues()
    }

    /// A cursor that stands before the first argument.
    public func makeReader() -> Reader {
        guard let text = self.text else { return Reader(self.elements ?? []) }
        return Reader(text, attachments: self.attachments, nameEnd: self.nameEnd)
    }
}

extension Arguments {
    /// Decodes arguments one after the other.
    public struct Reader: Sendable {
        /// What is read from unless there are values.
        private var json: JSONReader
        private let values: [JSONValue]?
        /// Why the payload is no array.
        private var malformation: JSONError?
        /// The index of the argument that is next.
        public private(set) var index = 0
        /// Whether all arguments have been read.
        public private(set) var isAtEnd: Bool

        fileprivate init(_ values: [JSONValue]) {
            self.json = JSONReader(ByteBuffer())
            self.values = values
            self.isAtEnd = values.isEmpty
        }

        fileprivate init(_ text: consuming ByteBuffer, attachments: [ByteBuffer]?, nameEnd: Int?) {
            // The text was held against the decoder's limits before.
            self.json = JSONReader(
                text,
                behindElementAt: nameEnd,
                attachments: attachments,
                limits: PacketPayload.greatestLimits
            )
            self.values = nil
            self.isAtEnd = false
            do throws(JSONError) {
                if nameEnd == nil { try self.json.enterArray() }
                self.isAtEnd = try !self.json.nextElement()
            } catch {
                self.malformation = error
            }
        }

        /// Decodes the next argument.
        ///
        /// - Returns: For an optional type `nil` if there are no more arguments; a surplus of arguments is nobody's error.
        /// - Throws: ``ArgumentError`` if there is no argument, or one of another type.
        @inlinable
        public mutating func next<T: Decodable>(_ type: T.Type = T.self) throws(ArgumentError) -> T {
            // The usual types without a decoder, decided where the caller's type is known. Where types are equal, the
            // cast changes nothing.
            if T.self == JSONValue.self {
                return unsafeBitCast(try self.requiredValue(for: JSONValue.self), to: T.self)
            }
            if T.self == String.self {
                let value = try self.requiredValue(for: String.self)
                if case .string(let string) = value { return unsafeBitCast(string, to: T.self) }
                return try self.decode(value, as: T.self)
            }
            if T.self == Int.self {
                let value = try self.requiredValue(for: Int.self)
                if case .int(let integer) = value { return unsafeBitCast(integer, to: T.self) }
                return try self.decode(value, as: T.self)
            }
            return try self.decodeNext(T.self)
        }

        /// The next argument as a value, which must be there.
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
            return try self.decode(try self.requiredValue(for: T.self), as: T.self)
        }

        /// Decodes the value that was read last.
        @usableFromInline
        func decode<T: Decodable>(_ value: JSONValue, as type: T.Type) throws(ArgumentError) -> T {
            do {
                return try value.decode(type)
            } catch {
                throw ArgumentError(.mismatch, at: self.index - 1, expected: T.self, underlying: error)
            }
        }

        /// The next argument as a value.
        ///
        /// - Returns: `nil` if there are no more.
        public mutating func nextValue() throws(ArgumentError) -> JSONValue? {
            guard !self.isAtEnd else { return nil }
            if let values = self.values {
                let value = values[self.index]
                self.index += 1
                self.isAtEnd = self.index == values.count
                return value
            }
            return try self.advance { json throws(JSONError) in try json.readElement() }
        }

        /// All arguments that have not been read.
        public mutating func remainingValues() throws(ArgumentError) -> [JSONValue] {
            var values: [JSONValue] = []
            while let value = try self.nextValue() { values.append(value) }
            return values
        }

        /// Passes the next argument without decoding it.
        public mutating func skip() throws(ArgumentError) {
            guard !self.isAtEnd else { return }
            guard self.values == nil else {
                _ = try self.nextValue()
                return
            }
            try self.advance { json throws(JSONError) in ((), try json.skipElement()) }
        }

        /// Passes one element of the text and steps to the next.
        private mutating func advance<T>(
            _ pass: (inout JSONReader) throws(JSONError) -> (element: T, hasNext: Bool)
        ) throws(ArgumentError) -> T {
            do throws(JSONError) {
                if let malformation = self.malformation { throw malformation }
                let (element, hasNext) = try pass(&self.json)
                self.isAtEnd = !hasNext
                self.index += 1
                return element
            } catch {
                self.malformation = error
                throw ArgumentError(.malformed, at: self.index, expected: JSONValue.self, underlying: error)
            }
        }
    }
}

/// Tells optional types apart, for which an argument that was not sent is `nil`.
private protocol OptionalArgument {
    static var missing: Any { get }
}

extension Optional: OptionalArgument {
    static var missing: Any { Self.none as Any }
}

/// Why an argument could not be decoded.
public struct ArgumentError: Error, Sendable, CustomStringConvertible {
    /// What is wrong with an argument.
    public struct Reason: Hashable, Sendable {
        private enum Code { case missing, mismatch, malformed }

        private let code: Code

        /// Fewer arguments were sent.
        public static let missing = Self(code: .missing)
        /// The argument is of another type.
        public static let mismatch = Self(code: .mismatch)
        /// The arguments are not JSON.
        public static let malformed = Self(code: .malformed)
    }

    /// What is wrong.
    public let reason: Reason
    /// Which argument, counted from 0.
    public let index: Int
    /// The name of the type that was asked for.
    public let expectedType: String
    /// What the decoder said.
    public let underlying: (any Error)?

    init(_ reason: Reason, at index: Int, expected: Any.Type, underlying: (any Error)? = nil) {
        self.reason = reason
        self.index = index
        self.expectedType = String(describing: expected)
        self.underlying = underlying
    }

    /// The index, the type and the reason, without any of the arguments.
    public var description: String {
        switch self.reason {
        case .missing: "argument \(self.index) of type \(self.expectedType) is missing"
        case .mismatch: "argument \(self.index) is no \(self.expectedType)"
        default: "the arguments are not JSON"
        }
    }
}
