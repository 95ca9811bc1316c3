import SocketIOWire

/// Whether two byte strings are equal.
///
/// How long that takes depends on their lengths alone.
func constantTimeEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for index in left.indices {
        difference |= left[index] ^ right[index]
    }
    return difference == 0
}

/// The API tokens that are accepted, ready for comparison.
struct TokenTable: Sendable {
    /// The longest key that is looked at, in bytes.
    ///
    /// A key has 256 bytes.
    static let maximumKeyBytes = 1024

    private let salt: String
    private let entries: [(digest: [UInt8], token: APIToken)]
    private let tokensByID: [UTF8Text: APIToken]

    /// - Parameters:
    ///   - tokens: The tokens. Revoked ones are left out.
    ///   - salt: What their keys are hashed with.
    init(_ tokens: [APIToken], salt: String) {
        let accepted = tokens.filter { !$0.isRevoked }
        self.salt = salt
        self.entries = accepted.compactMap { token in
            APIToken.bytes(ofHash: token.hash).map { (digest: $0, token: token) }
        }
        self.tokensByID = Dictionary(accepted.map { (UTF8Text($0.id), $0) }) { first, _ in first }
    }

    /// The token of a key.
    ///
    /// It compares every entry, even if an earlier one has matched, so that the time tells nothing about a key.
    func token(forKey key: String) -> APIToken? {
        guard key.utf8.count <= Self.maximumKeyBytes else { return nil }
        let digest = APIToken.digest(of: key, salt: self.salt)
        var found: APIToken?
        for entry in self.entries where constantTimeEqual(entry.digest, digest) {
            found = entry.token
        }
        return found
    }

    /// The token of a key, unless it has expired.
    func validToken(forKey key: String, now: Double) -> APIToken? {
        guard let token = self.token(forKey: key), !token.isExpired(at: now) else { return nil }
        return token
    }

    /// Whether the key of a token is the same in both tables.
    func accepts(theKeyOf id: UTF8Text, as other: TokenTable) -> Bool {
        guard let (one, another) = self.token(id: id).flatMap({ own in other.token(id: id).map { (own, $0) } }) else {
            // A token that is new here has no former key.
            return self.token(id: id) != nil
        }
        return UTF8Text(self.salt) == UTF8Text(other.salt)
            && APIToken.bytes(ofHash: one.hash) == APIToken.bytes(ofHash: another.hash)
    }

    /// The token with that id.
    func token(id: UTF8Text) -> APIToken? { self.tokensByID[id] }
}
