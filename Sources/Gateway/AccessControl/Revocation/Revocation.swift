public import SocketIOWire

/// Tokens that are no longer accepted, although they have not expired.
public struct Revocation: Sendable, Hashable {
    /// Which tokens are meant.
    public enum Subject: Sendable, Hashable {
        /// The JSON Web Token with that `jti`.
        case token(id: UTF8Text)
        /// The JSON Web Tokens of a user, by the user's id as a text.
        case user(id: UTF8Text)
        /// All JSON Web Tokens.
        case everybody
        /// The API token with that id.
        case apiToken(id: UTF8Text)
    }

    /// Which tokens are meant.
    public var subject: Subject
    /// Unix time in seconds: tokens that were issued then, or later, are not meant.
    ///
    /// It matters only for the tokens of a user or of everybody. A token that does not say when it was issued counts as
    /// issued before.
    public var issuedBefore: Double
    /// Unix time in seconds at which the last of these tokens has expired; `nil` if that is not known.
    public var endsAt: Double?

    /// The longest id, in bytes.
    public static let maximumIDBytes = 256

    /// Makes a revocation.
    public init(_ subject: Subject, issuedBefore: Double = 0, endsAt: Double?) {
        self.subject = subject
        self.issuedBefore = issuedBefore
        self.endsAt = endsAt
    }

    /// Tells revocations of different tokens apart: two of the same name can be merged into one.
    public var name: UTF8Text {
        switch self.subject {
        case .token(let id): "j:\(id.string)"
        case .user(let id): "u:\(id.string)"
        case .everybody: "*"
        case .apiToken(let id): "a:\(id.string)"
        }
    }

    /// Reads what a revocation's ``name`` stands for; `nil` for another text.
    public init?(name: UTF8Text, issuedBefore: Double, endsAt: Double?) {
        let bytes = name.utf8
        guard bytes.count <= Self.maximumIDBytes + 2, issuedBefore.isFinite, endsAt?.isFinite ?? true else {
            return nil
        }
        func id(_ prefix: String) -> UTF8Text? {
            guard bytes.starts(with: prefix.utf8), bytes.count > prefix.utf8.count else { return nil }
            return String(bytes.dropFirst(prefix.utf8.count)).map { UTF8Text($0) }
        }
        if name == "*" {
            self.init(.everybody, issuedBefore: issuedBefore, endsAt: endsAt)
        } else if let id = id("j:") {
            self.init(.token(id: id), issuedBefore: issuedBefore, endsAt: endsAt)
        } else if let id = id("u:") {
            self.init(.user(id: id), issuedBefore: issuedBefore, endsAt: endsAt)
        } else if let id = id("a:") {
            self.init(.apiToken(id: id), issuedBefore: issuedBefore, endsAt: endsAt)
        } else {
            return nil
        }
    }

    /// Whether it is over.
    func hasEnded(at now: Double) -> Bool { self.endsAt.map { $0 <= now } ?? false }

    /// Both in one: for the tokens that either means, and for as long as either lasts.
    ///
    /// They must have the same name.
    func merged(with other: Revocation) -> Revocation {
        var ends: Double?
        if let one = self.endsAt, let two = other.endsAt { ends = max(one, two) }
        return Revocation(self.subject, issuedBefore: max(self.issuedBefore, other.issuedBefore), endsAt: ends)
    }
}
