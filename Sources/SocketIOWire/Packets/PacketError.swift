/// Why a Socket.IO packet cannot be decoded.
///
/// It never holds any of the packet's bytes: they may be secrets, and errors end up in logs.
public struct PacketError: Error, Hashable, Sendable {
    /// What is wrong with a packet.
    public struct Reason: Hashable, Sendable, CustomStringConvertible {
        private enum Code: String {
            case unknownType = "unknown packet type"
            case illegalAttachments = "illegal attachments"
            case tooManyAttachments = "too many attachments"
            case tooManyAttachmentBytes = "attachments too long"
            case invalidNamespace = "invalid namespace"
            case invalidID = "invalid acknowledgement id"
            case invalidPayload = "invalid payload"
            case unexpectedText = "got plaintext data when reconstructing a packet"
            case unexpectedBinary = "got binary data when not reconstructing a packet"
        }

        private let code: Code

        /// The packet does not begin with a digit from 0 to 6.
        public static let unknownType = Self(code: .unknownType)
        /// The number of attachments is malformed, or a placeholder stands for an attachment that does not exist.
        public static let illegalAttachments = Self(code: .illegalAttachments)
        /// More attachments are announced than ``PacketLimits/maximumAttachments``.
        public static let tooManyAttachments = Self(code: .tooManyAttachments)
        /// The attachments together are longer than ``PacketLimits/maximumAttachmentBytes``.
        public static let tooManyAttachmentBytes = Self(code: .tooManyAttachmentBytes)
        /// The namespace is not UTF-8, or it is longer than ``PacketLimits/maximumNamespaceLength``.
        public static let invalidNamespace = Self(code: .invalidNamespace)
        /// The acknowledgement id is larger than 2^53-1, which JavaScript cannot count to.
        public static let invalidID = Self(code: .invalidID)
        /// The payload is not JSON, or not of the kind that a packet of that type carries.
        public static let invalidPayload = Self(code: .invalidPayload)
        /// Text came when an attachment was missing.
        public static let unexpectedText = Self(code: .unexpectedText)
        /// Bytes came when no attachment was missing.
        public static let unexpectedBinary = Self(code: .unexpectedBinary)

        /// The reason in the reference implementation's words, where it has some.
        public var description: String { self.code.rawValue }
    }

    /// What is wrong.
    public let reason: Reason
    /// What is wrong with the payload if it is not JSON.
    public let underlying: JSONError?

    init(_ reason: Reason, underlying: JSONError? = nil) {
        self.reason = reason
        self.underlying = underlying
    }
}

extension PacketError: CustomStringConvertible {
    /// The reason, without any of the packet.
    public var description: String {
        self.underlying.map { "\(self.reason) (\($0))" } ?? self.reason.description
    }
}

/// What a packet may ask of its reader.
///
/// The transport limits the length of each message.
public struct PacketLimits: Hashable, Sendable {
    /// The limits that apply unless others are given.
    public static let standard = PacketLimits()

    /// How many attachments a packet may announce.
    public var maximumAttachments = 10
    /// How many bytes all attachments of a packet may have together.
    public var maximumAttachmentBytes = 10_000_000
    /// How many bytes of UTF-8 the name of a namespace may have.
    public var maximumNamespaceLength = 1024
    /// What a payload may ask of its reader.
    public var json = JSONLimits.standard

    /// Makes the standard limits.
    public init() {}
}
