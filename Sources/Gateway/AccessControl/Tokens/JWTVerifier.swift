import JWTKit
import NIOCore
import OrderedCollections
import SocketIOWire

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Why a JSON Web Token is refused.
///
/// Clients are not told the reason.
enum JWTRefusal: Error, Hashable {
    case tooLong
    case malformed
    case algorithmNotAllowed
    case noKey
    case badSignature
    case expired
    case notYetValid
    case wrongIssuer
    case wrongAudience
}

/// Verifies JSON Web Tokens (RFC 7519, compact serialisation).
///
/// The key decides about the algorithm, and never the token. A token names one, and only keys for exactly that one are
/// tried. So neither `none` nor a public key that is used as a shared secret gets through.
struct JWTVerifier: Sendable {
    /// A key with the algorithm that it is for.
    struct Key: Sendable {
        var id: UTF8Text?
        var algorithm: any JWTAlgorithm
        /// The algorithm's name.
        var name: UTF8Text

        init(id: String?, algorithm: any JWTAlgorithm) {
            self.id = id.map { UTF8Text($0) }
            self.algorithm = algorithm
            self.name = UTF8Text(algorithm.name)
        }
    }

    private let keys: [Key]
    /// Key sets on other servers.
    private let remote: [RemoteKeySet]
    let configuration: JWTConfiguration
    /// The accepted algorithms; `nil` stands for all that the keys allow.
    private let algorithms: Set<UTF8Text>?

    /// - Parameters:
    ///   - configuration: Which tokens are accepted.
    ///   - keySets: The key sets on other servers. Without it the configuration's URLs have no keys.
    /// - Throws: What jwt-kit says about a key that it cannot use.
    init(_ configuration: JWTConfiguration, keySets: KeySetDirectory? = nil) async throws {
        self.configuration = configuration
        let algorithms = configuration.algorithms.map { Set($0.map { UTF8Text($0) }) }
        self.algorithms = algorithms
        var keys: [Key] = []
        var remote: [RemoteKeySet] = []
        func isAllowed(_ name: String) -> Bool { algorithms?.contains(UTF8Text(name)) ?? true }
        for key in configuration.keys {
            switch key.material {
            case .secret(let secret):
                let variants: [(String, DigestAlgorithm, Int)] = [
                    ("HS256", .sha256, 32), ("HS384", .sha384, 48), ("HS512", .sha512, 64),
                ]
                for (name, digest, length) in variants where isAllowed(name) && secret.utf8.count >= length {
                    let algorithm = try await JWTKeyCollection()
                        .add(hmac: HMACKey(from: secret), digestAlgorithm: digest).getKey()
                    keys.append(Key(id: key.id, algorithm: algorithm))
                }
            case .publicKey(let pem):
                for algorithm in try await Self.algorithms(of: pem) where isAllowed(algorithm.name) {
                    keys.append(Key(id: key.id, algorithm: algorithm))
                }
            case .keySet(let json):
                for entry in KeySetDocument(json: json)?.entries ?? [] {
                    keys += try await Self.keys(of: entry, isAllowed: isAllowed)
                }
            case .keySetURL(let url):
                if let set = keySets?.keySet(at: url) { remote.append(set) }
            }
        }
        self.keys = keys
        self.remote = remote
    }

    /// The keys that an entry of a key set is, one for each algorithm.
    static func keys(of entry: KeySetDocument.Entry, isAllowed: (String) -> Bool) async throws -> [Key] {
        var keys: [Key] = []
        for name in entry.algorithms where isAllowed(name) {
            // Each key has its own collection, because a collection remembers the first algorithm that it was asked for.
            let algorithm = try await JWTKeyCollection().add(jwksJSON: entry.json)
                .getKey(for: JWKIdentifier(string: entry.storedID), alg: name)
            keys.append(Key(id: entry.id, algorithm: algorithm))
        }
        return keys
    }

    private static func algorithms(of pem: String) async throws -> [any JWTAlgorithm] {
        switch PublicKeyMaterial(pem: pem) {
        case nil: return []
        case .p256(let key): return [try await JWTKeyCollection().add(ecdsa: key).getKey()]
        case .p384(let key): return [try await JWTKeyCollection().add(ecdsa: key).getKey()]
        case .p521(let key): return [try await JWTKeyCollection().add(ecdsa: key).getKey()]
        case .ed25519(let key): return [try await JWTKeyCollection().add(eddsa: key).getKey()]
        case .rsa(let key):
            var result: [any JWTAlgorithm] = []
            for digest in [DigestAlgorithm.sha256, .sha384, .sha512] {
                result.append(try await JWTKeyCollection().add(rsa: key, digestAlgorithm: digest).getKey())
            }
            return result
        }
    }

    /// The claims of a token that is good at that time, also if its key has to be fetched first.
    func verifyFetchingKeys(_ token: String, now: Double) async throws(JWTRefusal) -> JSONObject {
        guard !self.remote.isEmpty else { return try self.verify(token, now: now) }
        for set in self.remote { await set.prepare() }
        do {
            return try self.verify(token, now: now)
        } catch .noKey {
            for set in self.remote { await set.refresh() }
            return try self.verify(token, now: now)
        }
    }

    /// The claims of a token that is good at that time (in seconds since 1970).
    func verify(_ token: String, now: Double) throws(JWTRefusal) -> JSONObject {
        guard token.utf8.count <= self.configuration.maximumTokenBytes else { throw .tooLong }
        let parts = token.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let headerBytes = Base64URL.decode(parts[0]),
            let claimsBytes = Base64URL.decode(parts[1]), let signature = Base64URL.decode(parts[2]),
            let header = Self.object(headerBytes), let name = header["alg"]?.stringValue
        else { throw .malformed }
        let algorithm = UTF8Text(name)
        // A critical extension that is not understood makes a token invalid (RFC 7515, 4.1.11).
        guard header["crit"] == nil else { throw .malformed }
        guard self.algorithms?.contains(algorithm) ?? true else { throw .algorithmNotAllowed }
        let id = header["kid"]?.stringValue.map { UTF8Text($0) }
        let keys = self.remote.isEmpty ? self.keys : self.keys + self.remote.flatMap(\.keys)
        let named = keys.filter { $0.name == algorithm }
        // Another server may have a key for it that is not known yet.
        guard !named.isEmpty else {
            throw self.remote.isEmpty || !Self.isPublic(algorithm) ? .algorithmNotAllowed : .noKey
        }
        let candidates = named.filter { id == nil || $0.id == nil || $0.id == id }
        guard !candidates.isEmpty else { throw .noKey }

        let signed = Array(token.utf8.prefix(parts[0].count + 1 + parts[1].count))
        let isSigned = candidates.contains { key in
            (try? key.algorithm.verify(signature, signs: signed)) ?? false
        }
        guard isSigned else { throw .badSignature }
        guard let claims = Self.object(claimsBytes) else { throw .malformed }
        try self.check(claims, now: now)
        return claims
    }

    /// Whether tokens of that algorithm are verified with public keys.
    private static func isPublic(_ algorithm: UTF8Text) -> Bool {
        JWTConfiguration.knownAlgorithms.contains { UTF8Text($0) == algorithm && !$0.utf8.starts(with: "HS".utf8) }
    }

    private func check(_ claims: JSONObject, now: Double) throws(JWTRefusal) {
        switch claims["exp"] {
        case nil:
            if self.configuration.requiresExpiration { throw .expired }
        case .some(let value):
            guard let expiry = value.doubleValue, expiry.isFinite else { throw .malformed }
            guard now < expiry + self.configuration.leeway else { throw .expired }
        }
        if let value = claims["nbf"] {
            guard let start = value.doubleValue, start.isFinite else { throw .malformed }
            guard now >= start - self.configuration.leeway else { throw .notYetValid }
        }
        if let issuer = self.configuration.issuer {
            guard claims["iss"] == .string(issuer) else { throw .wrongIssuer }
        }
        if let audience = self.configuration.audience {
            switch claims["aud"] {
            case .string(let text) where UTF8Text(text) == UTF8Text(audience): break
            case .array(let list) where list.contains(.string(audience)): break
            default: throw .wrongAudience
            }
        }
    }

    private static func object(_ bytes: [UInt8]) -> JSONObject? {
        var limits = JSONLimits()
        limits.maximumDepth = 16
        return (try? JSONValue(parsing: ByteBuffer(bytes: bytes), limits: limits))?.objectValue
    }
}
