/// Why bytes are not JSON text, and where.
///
/// It never holds any of the bytes: they may be secrets, and errors end up in logs.
public struct JSONError: Error, Hashable, Sendable {
    /// What is wrong with a JSON text.
    public struct Reason: Hashable, Sendable, CustomStringConvertible {
        private enum Code: String {
            case unexpectedEnd = "the text ends too early"
            case unexpectedByte = "unexpected byte"
            case invalidLiteral = "neither true, false nor null"
            case invalidNumber = "malformed number"
            case controlCharacter = "control character in a string"
            case invalidEscape = "malformed escape sequence"
            case invalidUTF8 = "malformed UTF-8"
            case tooDeep = "nested too deeply"
            case trailingBytes = "bytes after the value"
            case illegalAttachment = "placeholder without its attachment"
        }

        private let code: Code

        /// The text ends inside of a value.
        public static let unexpectedEnd = Self(code: .unexpectedEnd)
        /// A byte that cannot stand at this place.
        public static let unexpectedByte = Self(code: .unexpectedByte)
        /// A word other than `true`, `false` and `null`.
        public static let invalidLiteral = Self(code: .invalidLiteral)
        /// A number that the grammar of JSON does not allow, such as `01`, `1.` or `+1`.
        public static let invalidNumber = Self(code: .invalidNumber)
        /// A raw character below U+0020 inside of a string.
        public static let controlCharacter = Self(code: .controlCharacter)
        /// A backslash followed by something that is no escape sequence.
        public static let invalidEscape = Self(code: .invalidEscape)
        /// Bytes of a string that are not UTF-8.
        public static let invalidUTF8 = Self(code: .invalidUTF8)
        /// More arrays and objects inside of each other than ``JSONLimits/maximumDepth``.
        public static let tooDeep = Self(code: .tooDeep)
        /// Something other than white space follows the value.
        public static let trailingBytes = Self(code: .trailingBytes)
        /// A placeholder for an attachment that the packet does not have.
        public static let illegalAttachment = Self(code: .illegalAttachment)

        /// The reason in words.
        public var description: String { self.code.rawValue }
    }

    /// What is wrong.
    public let reason: Reason
    /// Where, in bytes from the start of the text.
    public let offset: Int

    package init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }
}

extension JSONError: CustomStringConvertible {
    /// The reason and the offset, without any of the text.
    public var description: String { "invalid JSON: \(self.reason) at offset \(self.offset)" }
}

/// What a JSON text may ask of its reader.
///
/// Time and memory grow in proportion to the text. The transport limits its length, and these limits its nesting.
public struct JSONLimits: Hashable, Sendable {
    /// The greatest ``maximumDepth``.
    ///
    /// A greater one counts as this.
    public static let greatestDepth = 512

    /// The limits that apply unless others are given.
    public static let standard = JSONLimits()

    /// How many arrays and objects may stand inside of each other: 128 by default, 512 at most.
    public var maximumDepth = 128

    /// Makes the standard limits.
    public init() {}

    /// The depth that applies.
    ///
    /// Functions visit nested values by recursion, so no configuration may make the nesting endless.
    var effectiveDepth: Int { min(max(self.maximumDepth, 0), Self.greatestDepth) }
}
