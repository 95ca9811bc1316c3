import Crypto

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A key for machines.
///
/// The gateway keeps only the salted hash of it.
public struct APIToken: Sendable, Hashable {
    /// What a token may do.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// The token reads everything, so it receives every event. It publishes nothing.
        case readOnly = "read-only"
        /// The token may do everything. Private fields stay private.
        case fullAccess = "full-access"
        /// The token may do what its scopes say.
        case custom
    }

    /// Identifies the token.
    ///
    /// `socket.data` has it for the token's sockets.
    public var id: String
    /// For people.
    ///
    /// Its slug is unique among tokens. Sockets of the token are in the room `io-token-<slug>`.
    public var name: String
    /// What the token may do.
    public var kind: Kind
    /// HMAC-SHA512 of the key under the salt, 128 hexadecimal digits.
    public var hash: String
    /// What a custom token may do.
    public var scopes: [Scope]
    /// Unix time in seconds; `nil` if the token never expires.
    public var expiresAt: Double?
    /// Whether the token is no longer accepted.
    public var isRevoked: Bool
    /// The tenant that the token belongs to, for limits; `nil` if it belongs to none.
    public var tenant: String?

    /// A token; without an id its slug is its id.
    public init(
        id: String? = nil,
        name: String,
        kind: Kind,
        hash: String,
        scopes: [Scope] = [],
        expiresAt: Double? = nil,
        isRevoked: Bool = false,
        tenant: String? = nil
    ) {
        self.tenant = tenant
        self.id = id ?? RoomName.slug(name)
        self.name = name
        self.kind = kind
        self.hash = hash
        self.scopes = scopes
        self.expiresAt = expiresAt
        self.isRevoked = isRevoked
    }

    /// The name as part of a room's name.
    public var slug: String { RoomName.slug(self.name) }

    /// What the token may do, prepared for look-ups.
    public var ability: Ability {
        switch self.kind {
        case .fullAccess: .full
        case .readOnly: .readOnly
        case .custom: Ability(self.scopes)
        }
    }

    /// Whether the token has expired.
    public func isExpired(at now: Double) -> Bool {
        self.expiresAt.map { $0 <= now } ?? false
    }

    /// A new key: 128 random bytes as hexadecimal digits.
    ///
    /// Nobody can recover it from its hash.
    public static func makeKey() -> String {
        var generator = SystemRandomNumberGenerator()
        return Self.hexadecimal((0..<128).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    /// The hash to keep of a key: HMAC-SHA512 under the salt, in hexadecimal digits.
    public static func hash(of key: String, salt: String) -> String {
        self.hexadecimal(self.digest(of: key, salt: salt))
    }

    static func digest(of key: String, salt: String) -> [UInt8] {
        Array(
            HMAC<SHA512>.authenticationCode(for: Array(key.utf8), using: SymmetricKey(data: Array(salt.utf8)))
        )
    }

    static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(unsafeUninitializedCapacity: bytes.count * 2) { text in
            for (index, byte) in bytes.enumerated() {
                text[index * 2] = digits[Int(byte >> 4)]
                text[index * 2 + 1] = digits[Int(byte & 15)]
            }
            return bytes.count * 2
        }
    }

    /// The bytes of a hash; `nil` unless it is 128 hexadecimal digits.
    static func bytes(ofHash hash: String) -> [UInt8]? {
        guard hash.utf8.count == 128 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(64)
        var high: UInt8?
        for digit in hash.utf8 {
            let value: UInt8
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = digit - UInt8(ascii: "A") + 10
            default: return nil
            }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return bytes
    }
}
