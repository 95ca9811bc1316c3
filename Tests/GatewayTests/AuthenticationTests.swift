import Crypto
import EngineIO
import JWTKit
import NIOCore
import NIOEmbedded
import OrderedCollections
import SocketIOWire
import Testing

@testable import Gateway

private func base64URL(_ bytes: some Sequence<UInt8>) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    var text: [UInt8] = []
    var accumulator: UInt32 = 0
    var bits: UInt32 = 0
    for byte in bytes {
        accumulator = accumulator << 8 | UInt32(byte)
        bits += 8
        while bits >= 6 {
            bits -= 6
            text.append(alphabet[Int(accumulator >> bits & 63)])
        }
        accumulator &= 0xFFFF
    }
    if bits > 0 { text.append(alphabet[Int(accumulator << (6 - bits) & 63)]) }
    return String(decoding: text, as: UTF8.self)
}

private func json(_ value: JSONValue) -> [UInt8] {
    var buffer = ByteBuffer()
    buffer.writeJSON(value)
    return Array(buffer.readableBytesView)
}

/// A token whose parts are what the test wants, signed with HMAC-SHA256.
func makeToken(
    _ claims: JSONValue,
    secret: String = Samples.secret,
    header: JSONValue = ["alg": "HS256", "typ": "JWT"]
) -> String {
    let signed = "\(base64URL(json(header))).\(base64URL(json(claims)))"
    let code = HMAC<SHA256>.authenticationCode(
        for: Array(signed.utf8),
        using: SymmetricKey(data: Array(secret.utf8))
    )
    return "\(signed).\(base64URL(code))"
}

@Suite(.timeLimit(.minutes(1))) struct JWTVerifierTests {
    private func refusal(
        _ token: String,
        now: Double = 1000,
        _ configuration: JWTConfiguration? = nil
    ) async throws -> JWTRefusal? {
        let verifier = try await JWTVerifier(configuration ?? JWTConfiguration(keys: [.init(.secret(Samples.secret))]))
        do {
            _ = try verifier.verify(token, now: now)
            return nil
        } catch {
            return error
        }
    }

    @Test func goodTokensAreGood() async throws {
        #expect(try await self.refusal(makeToken(["id": 1])) == nil)
        #expect(try await self.refusal(makeToken(["id": 1, "exp": 1001, "nbf": 1000])) == nil)
        #expect(try await self.refusal(makeToken(["id": 1, "exp": 1000.5])) == nil)
    }

    private static let claimsCases: [(JSONValue, JWTRefusal)] = [
        (["id": 1, "exp": 1000], JWTRefusal.expired), (["id": 1, "exp": 0], .expired),
        (["id": 1, "nbf": 1001], .notYetValid),
        (["id": 1, "exp": "2000"], .malformed), (["id": 1, "exp": .null], .malformed),
        (["id": 1, "nbf": true], .malformed),
        ([1], .malformed), ("x", .malformed),
    ]

    @Test(arguments: claimsCases)
    func claims(_ claims: JSONValue, _ expected: JWTRefusal) async throws {
        #expect(try await self.refusal(makeToken(claims)) == expected)
    }

    private static let headersCases: [(JSONValue, JWTRefusal)] = [
        (["alg": "none"], JWTRefusal.algorithmNotAllowed), (["alg": "None"], .algorithmNotAllowed),
        (["alg": "hs256"], .algorithmNotAllowed),
        (["alg": "RS256"], .algorithmNotAllowed), (["alg": "HS512"], .algorithmNotAllowed),
        (["alg": ""], .algorithmNotAllowed),
        ([:], .malformed), (["alg": 5], .malformed), (["alg": "HS256", "crit": ["exp"]], .malformed), ([], .malformed),
    ]

    @Test(arguments: headersCases)
    func headers(_ header: JSONValue, _ expected: JWTRefusal) async throws {
        #expect(try await self.refusal(makeToken(["id": 1], header: header)) == expected)
    }

    @Test(arguments: ["", ".", "..", "...", "a.b", "a.b.c", "a.b.c.d", "é.é.é", "=.=.=", " ", "null"])
    func nonsense(_ token: String) async throws {
        #expect(try await self.refusal(token) == .malformed)
    }

    @Test func unsignedTokensOfAnAlgorithmNoneAreRefused() async throws {
        let unsigned = "\(base64URL(json(["alg": "none"]))).\(base64URL(json(["id": 1])))."
        #expect(try await self.refusal(unsigned) == .algorithmNotAllowed)
    }

    @Test func everyChangedCharacterBreaksTheSignature() async throws {
        let token = makeToken(["id": 1])
        let verifier = try await JWTVerifier(JWTConfiguration(keys: [.init(.secret(Samples.secret))]))
        let bytes = Array(token.utf8)
        for index in bytes.indices where bytes[index] != UInt8(ascii: ".") {
            var changed = bytes
            changed[index] = bytes[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(throws: JWTRefusal.self) { try verifier.verify(String(decoding: changed, as: UTF8.self), now: 0) }
        }
        for count in 0..<bytes.count {
            #expect(throws: JWTRefusal.self) {
                try verifier.verify(String(decoding: bytes.prefix(count), as: UTF8.self), now: 0)
            }
        }
        #expect(try await self.refusal(makeToken(["id": 1], secret: Samples.secret + "x")) == .badSignature)
    }

    @Test func hugeTokensAreNotLookedAt() async throws {
        #expect(try await self.refusal(makeToken(["id": .string(String(repeating: "x", count: 20_000))])) == .tooLong)
        #expect(try await self.refusal(String(repeating: ".", count: 1_000_000)) == .tooLong)
        var deep: JSONValue = 1
        for _ in 0..<100 { deep = [deep] }
        #expect(try await self.refusal(makeToken(["id": 1, "x": deep])) == .malformed)
    }

    @Test func issuerAudienceLeewayAndExpiration() async throws {
        var configuration = JWTConfiguration(keys: [.init(.secret(Samples.secret))])
        configuration.issuer = "me"
        configuration.audience = "you"
        configuration.requiresExpiration = true
        configuration.leeway = 10
        let good: JSONObject = ["exp": 995, "iss": "me", "aud": ["us", "you"]]
        func with(_ key: String, _ value: JSONValue?) -> String {
            var claims = good
            claims[key] = value
            return makeToken(.object(claims))
        }
        #expect(try await self.refusal(makeToken(.object(good)), configuration) == nil)
        #expect(try await self.refusal(with("aud", "you"), configuration) == nil)
        #expect(try await self.refusal(with("exp", 990), configuration) == .expired)
        #expect(try await self.refusal(with("exp", nil), configuration) == .expired)
        #expect(try await self.refusal(with("nbf", 1010), configuration) == nil)
        #expect(try await self.refusal(with("nbf", 1011), configuration) == .notYetValid)
        #expect(try await self.refusal(with("iss", "you"), configuration) == .wrongIssuer)
        #expect(try await self.refusal(with("iss", nil), configuration) == .wrongIssuer)
        #expect(try await self.refusal(with("aud", "us"), configuration) == .wrongAudience)
        #expect(try await self.refusal(with("aud", nil), configuration) == .wrongAudience)
    }

    private struct Claims: JWTPayload {
        var id = 1
        func verify(using algorithm: some JWTAlgorithm) async throws {}
    }

    @Test func everyAlgorithmOfTheList() async throws {
        let long = String(repeating: "k", count: 64)
        let es256 = ES256PrivateKey()
        let es384 = ES384PrivateKey()
        let es512 = ES512PrivateKey()
        let eddsa = try EdDSA.PrivateKey()
        let rsa = try Insecure.RSA.PrivateKey(pem: Self.rsaPrivateKey)
        let keys: [(String, JWTKeyCollection, JWTConfiguration.Key.Material)] = [
            ("HS256", await JWTKeyCollection().add(hmac: HMACKey(from: long), digestAlgorithm: .sha256), .secret(long)),
            ("HS384", await JWTKeyCollection().add(hmac: HMACKey(from: long), digestAlgorithm: .sha384), .secret(long)),
            ("HS512", await JWTKeyCollection().add(hmac: HMACKey(from: long), digestAlgorithm: .sha512), .secret(long)),
            ("ES256", await JWTKeyCollection().add(ecdsa: es256), .publicKey(pem: es256.publicKey.pemRepresentation)),
            ("ES384", await JWTKeyCollection().add(ecdsa: es384), .publicKey(pem: es384.publicKey.pemRepresentation)),
            ("ES512", await JWTKeyCollection().add(ecdsa: es512), .publicKey(pem: es512.publicKey.pemRepresentation)),
            (
                "RS256", await JWTKeyCollection().add(rsa: rsa, digestAlgorithm: .sha256),
                .publicKey(pem: rsa.publicKey.pemRepresentation)
            ),
            (
                "RS512", await JWTKeyCollection().add(rsa: rsa, digestAlgorithm: .sha512),
                .publicKey(pem: rsa.publicKey.pemRepresentation)
            ),
            ("EdDSA", await JWTKeyCollection().add(eddsa: eddsa), .publicKey(pem: Self.pem(of: eddsa))),
        ]
        for (name, collection, material) in keys {
            var configuration = JWTConfiguration(keys: [.init(material)])
            configuration.algorithms = [name]
            configuration.claims.id = "id"
            let token = try await collection.sign(Claims())
            let verifier = try await JWTVerifier(configuration)
            #expect(try verifier.verify(token, now: 0)["id"] == 1, "\(name)")
            // The other keys don't accept it, whatever its header says.
            for (other, _, material) in keys where other != name && other.prefix(2) != name.prefix(2) {
                let verifier = try await JWTVerifier(JWTConfiguration(keys: [.init(material)]))
                #expect(throws: JWTRefusal.self) { try verifier.verify(token, now: 0) }
            }
        }
    }

    private static func pem(of key: EdDSA.PrivateKey) -> String {
        // jwt-kit writes no PEM for Ed25519: the 12 bytes before the key are those of RFC 8410.
        let prefix: [UInt8] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00]
        let alphabet = base64URL(prefix + Array(key.publicKey.rawRepresentation)).map { character in
            character == "-" ? "+" : character == "_" ? "/" : character
        }
        let padding = String(repeating: "=", count: (4 - alphabet.count % 4) % 4)
        return "-----BEGIN PUBLIC KEY-----\n\(String(alphabet))\(padding)\n-----END PUBLIC KEY-----"
    }

    /// The classic mix-up: an RSA public key, which everybody knows, used as an HMAC secret.
    @Test func aPublicKeyIsNoSharedSecret() async throws {
        let rsa = try Insecure.RSA.PrivateKey(pem: Self.rsaPrivateKey)
        let pem = rsa.publicKey.pemRepresentation
        let forged = makeToken(["id": 1], secret: pem)
        #expect(
            try await self.refusal(forged, JWTConfiguration(keys: [.init(.publicKey(pem: pem))]))
                == .algorithmNotAllowed
        )
        let both = JWTConfiguration(keys: [.init(.publicKey(pem: pem)), .init(.secret(Samples.secret))])
        #expect(try await self.refusal(forged, both) == .badSignature)
    }

    @Test func keySetsAndKeyIDs() async throws {
        let key = ES256PrivateKey()
        let other = ES256PrivateKey()
        let parameters = try #require(key.parameters)
        func url(_ text: String) -> JSONValue {
            .string(String(text.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 }.filter { $0 != "=" }))
        }
        let set: JSONValue = [
            "keys": [
                ["kty": "EC", "crv": "P-256", "kid": "one", "x": url(parameters.x), "y": url(parameters.y)],
                ["kty": "oct", "k": "AAAA", "kid": "two"],
                ["kty": "RSA", "use": "enc", "n": "AAAA", "e": "AQAB"],
            ]
        ]
        let configuration = JWTConfiguration(keys: [.init(.keySet(json: String(decoding: json(set), as: UTF8.self)))])
        let good = try await JWTKeyCollection().add(ecdsa: key).sign(Claims(), header: ["kid": "one"])
        let nameless = try await JWTKeyCollection().add(ecdsa: key).sign(Claims())
        let renamed = try await JWTKeyCollection().add(ecdsa: key).sign(Claims(), header: ["kid": "two"])
        let foreign = try await JWTKeyCollection().add(ecdsa: other).sign(Claims(), header: ["kid": "one"])
        #expect(try await self.refusal(good, configuration) == nil)
        #expect(try await self.refusal(nameless, configuration) == nil)
        #expect(try await self.refusal(renamed, configuration) == .noKey)
        #expect(try await self.refusal(foreign, configuration) == .badSignature)
    }

    @Test(arguments: ["", "{", "[]", "{}", #"{"keys":[]}"#, #"{"keys":[5]}"#, #"{"keys":[{"kty":"oct"}]}"#])
    func otherTextsAreNoKeySet(_ text: String) {
        #expect(KeySetDocument(json: text) == nil)
    }

    /// Made for these tests.
    static let rsaPrivateKey = """
        -----BEGIN PRIVATE KEY-----
        MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQCfKaB5jSG4TfV0
        /DyGZqIcOpTYGuMjCFhx+c1FIYbeQZ73Fen0WCOlHZzR9A/8jrVN4U/way49Rp+H
        6ejA+z1NKHwKZXvWVwWg51g1nqdN1aO+FFRDnm03WumN1w+sxS4Byx+0WtD02WgB
        X2EJDVuoBplKDj6i+jCUyehjIMisngJodUKpKSDbpsfnAdzeD1UoI7RvVbSECxKk
        Ph2zp1HHT9iwP8t0xfZjoCt4w9YVoaXIywT/zPS7Od0uQOqlCtbHxer4zkSfrqcG
        PNcwHACxsaNF3atrP03lLllla+zkLNCZZ1qOKDwLiV5Y5t+R0JZkcuwRYdbulc6p
        ylawhbGpAgMBAAECggEAGODk2Jsa3jgxWevjeg6o4Ei341+wiVVQneAyGdA3yJ3x
        PyYJv8vXJoQOczL3HL8hz96cJDRcse9MGG6TlzauSlU9rlJWnRZVJuWCgD8gX6Y5
        RgjfcwJch/6J60XmiVb47gbWGdboOp2RCEXkYQnZfdYqN80qNUduOJOm43fIZlK9
        anq3FqsFNccoQIxSD+qlZ7rDEfrWvoar09E4jszuKpkD0l37wa3c0uK0r4ww3GEY
        wzIfsiFAZ57cibbyuQBZjNtaF1jeqnoHSnMkDrb4mFg/hc0jq8UEMvNhfqW7fKEN
        V8UDKW5SfDknJ5CXsoefT+7QCTcJVb5Um2HO52JvEQKBgQDLRa9Px9g225kSX8Xy
        8h/vTRtKuERCe8Q6PMFjwyDw9F5LoEXAaQHgKLdwxM+KBwFD327cCWwnY/f0w5mB
        J0EbEJOixbeWBQlBnAqfJLl/M9yLl2x7WbQlg5zKGIuSDG6F3Ap/DrAzhtnMXDS0
        OILmASze9I0wZjjCKH2icSSkIwKBgQDIctaz+Fq2ma8x/KyBKBgMh/YM1TVpzSoZ
        BEy8VoxAcs00aZi6YsqfKG2Wj4vtetXVQlpjbuhJK7FcQchjZR7vqkdma5eua6Wm
        4JbRI2ZSU7pOaKchQGh42btuqY87siUApem6plEM8/OPK5V/vOGvZjgoTSKObC7O
        4uav0cnZwwKBgQC7ZE1+7gwsXnuaDcLN+lpoYJwVYRREehbnXVUnZB69I3q+m01S
        WTvKa57ZDgcKBvUqnhN0NBeJpMZU1fFwuEBz8+82srFRUuk6m+DK369GTgg2g+0V
        Nhg2MUPcp44boOxO6RCgG2lixyGIHUTVE/fQlCrKi4aRpNsUWwGfPFD8IwKBgHge
        YU098dZk6FjTKujHBwpTW347MiPx311Yd0eRscBZS2EyOmTPGM8hofJMmTS5nHSM
        q6/UYXyfo0w+23+8tDo410qoBSBvv7ft9FLlnMaPCCE+k5DYkQKCr9BT6dKDIatu
        wU6ppf5WHklYe+EtZiz+235DIwcoCzDNRiJsXEKTAoGBAI/yZTPzBUIMVhrAbI+V
        Rqy6156VoegnEilTklK5Bz5uQJOY/f2CvOGv7yd4R4qXxZW3flc8RXJ0JfyAD6AL
        veXCf6BsMBehNe+wDgrX0/JcA3DSX6djpbu9qZUuDDYVFKOqnwhy+NdCc8Lef5QV
        TgktKZtbaLxkBtt0Vu77DrT+
        -----END PRIVATE KEY-----
        """
}

@Suite(.timeLimit(.minutes(1))) struct Base64URLTests {
    @Test(arguments: [("", ""), ("Zg", "f"), ("Zm8", "fo"), ("Zm9v", "foo"), ("Zm9vYg", "foob")])
    func decodes(_ text: String, _ plain: String) {
        #expect(Base64URL.decode(text.utf8) == Array(plain.utf8))
    }

    @Test(arguments: ["Z", "Zh", "Zm9=", "Zm9v\n", "Zm9+", "Zm9/", "Zm9vY"])
    func refuses(_ text: String) {
        #expect(Base64URL.decode(text.utf8) == nil)
    }

    @Test func isTheInverseOfEncoding() {
        var generator = SeededGenerator(seed: 3)
        for count in 0..<100 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(Base64URL.decode(base64URL(bytes).utf8) == bytes)
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct AuthenticatorTests {
    private func authenticate(
        _ auth: JSONValue,
        now: Double = 500,
        hooks: GatewayHooks = GatewayHooks(),
        change: (inout GatewayConfiguration) -> Void = { _ in }
    ) async throws -> AuthenticatedPrincipal {
        var configuration = Samples.configuration
        change(&configuration)
        let rules = try await Rules(configuration, hooks: hooks)
        return try await Authenticator(rules: rules.access, hooks: hooks)
            .authenticate(.init(auth: auth, handshake: [:], address: "::1"), now: now)
    }

    private func role(_ auth: JSONValue) async throws -> String? {
        try await self.authenticate(auth).principal.role?.type
    }

    @Test func withoutTokenEverybodyIsPublic() async throws {
        for auth in [
            .null, [:], ["token": ""], ["token": .null], ["strategy": "nonsense"], "x", [1],
            ["strategy": 5, "token": ""],
        ] as [JSONValue] {
            #expect(try await self.role(auth) == "public")
        }
        await #expect(throws: ConnectionRefusal.noValidRoom) {
            try await self.authenticate([:]) {
                $0.authentication.publicRole = "guests"
                $0.authentication.mode = .event
            }
        }
        await #expect(throws: ConnectionRefusal.authenticationRequired) {
            try await self.authenticate([:]) {
                $0.authentication.publicRole = "guests"
                $0.security.requireAuthentication = true
            }
        }
    }

    @Test func rolesComeFromClaims() async throws {
        for (claim, role) in [
            (nil, "authenticated"), (.null, "authenticated"), ("editor", "editor"), ("Chief Editor", "editor"),
            (7, "editor"), ("7", "editor"),
            (["type": "editor"], "editor"), (["name": "chief editor", "id": 1], "editor"), (["id": 7], "editor"),
            (["nothing", "editor"], "editor"),
        ] as [(JSONValue?, String)] {
            var claims: JSONObject = ["id": 5]
            claims["role"] = claim
            #expect(try await self.role(["token": .string(makeToken(.object(claims)))]) == role)
        }
    }

    @Test func usersComeFromClaims() async throws {
        let claims: JSONValue = ["id": 5, "username": "ada", "email": "a@b", "exp": 900]
        let found = try await self.authenticate(["strategy": "jwt", "token": .string(makeToken(claims))])
        #expect(found.principal.user == User(id: 5, username: "ada", email: "a@b"))
        #expect(found.expiresAt == 900)
        let nested = try await self.authenticate([
            "token": .string(makeToken(["sub": "u", "https://x/a": ["roles": ["editor"]]]))
        ]) {
            $0.authentication.jwt?.claims.id = "sub"
            $0.authentication.jwt?.claims.role = "https://x/a.roles"
        }
        #expect(nested.principal.user?.id == "u")
    }

    private static let refusalsCases: [(JSONValue, ConnectionRefusal)] = [
        (["token": 5], ConnectionRefusal.invalidCredentials), (["token": ["a"]], .invalidCredentials),
        (["strategy": "magic", "token": "x"], .invalidCredentials),
        (["strategy": 5, "token": "x"], .invalidCredentials),
        (["strategy": "admin-jwt", "token": "x"], .invalidCredentials),
        (["token": "x"], .invalidToken), (["strategy": "jwt", "token": "x"], .invalidToken),
        (["token": .string(makeToken(["id": 1, "exp": 10]))], .invalidToken),
        (["token": .string(makeToken(["name": "x"]))], .invalidCredentials),
        (["token": .string(makeToken(["id": .null]))], .invalidCredentials),
        (["token": .string(makeToken(["id": [1]]))], .invalidCredentials),
        (["token": .string(makeToken(["id": ""]))], .invalidCredentials),
        (["token": .string(makeToken(["id": 1, "blocked": true]))], .invalidCredentials),
        (["token": .string(makeToken(["id": 1, "confirmed": false]))], .invalidCredentials),
        // As databases without booleans write it.
        (["token": .string(makeToken(["id": 1, "blocked": 1]))], .invalidCredentials),
        (["token": .string(makeToken(["id": 1, "confirmed": 0]))], .invalidCredentials),
        (["token": .string(makeToken(["id": 1, "role": "unheard-of"]))], .invalidCredentials),
        (["strategy": "api-token", "token": "key-of-Nobody"], .invalidCredentials),
        (["strategy": "api-token", "token": "key-of-Revoked"], .invalidCredentials),
        (["strategy": "jwt", "token": "key-of-Full"], .invalidToken),
        (["strategy": "api-token", "token": .string(String(repeating: "x", count: 2000))], .invalidCredentials),
    ]

    @Test(arguments: refusalsCases)
    func refusals(_ auth: JSONValue, _ refusal: ConnectionRefusal) async throws {
        await #expect(throws: refusal) { try await self.authenticate(auth) }
    }

    @Test(arguments: ["api-token", "apiToken", "token"])
    func apiTokens(_ strategy: String) async throws {
        let full = try await self.authenticate(["strategy": .string(strategy), "token": "key-of-Full"])
        #expect(full.principal.audienceRoom == "io-token-full")
        #expect(full.principal.isAuthenticated)
        #expect(full.expiresAt == nil)
        let late = try await self.authenticate(["strategy": .string(strategy), "token": "key-of-Late"], now: 999)
        #expect(late.expiresAt == 1000)
        await #expect(throws: ConnectionRefusal.tokenExpired) {
            try await self.authenticate(["strategy": .string(strategy), "token": "key-of-Late"], now: 1000)
        }
    }

    @Test func noJWTConfiguredMeansNoJWTAccepted() async throws {
        await #expect(throws: ConnectionRefusal.invalidToken) {
            try await self.authenticate(["token": .string(makeToken(["id": 1]))]) { $0.authentication.jwt = nil }
        }
    }

    @Test func hooksDecide() async throws {
        var hooks = GatewayHooks()
        hooks.findUser = { claims in claims["id"] == 1 ? User(id: 1, username: "found", role: "editor") : nil }
        hooks.strategies["magic"] = { token, _ in
            token == "abracadabra" ? AuthenticatedPrincipal(.operator(User(id: "root")), expiresAt: 5) : nil
        }
        let user = try await self.authenticate(["token": .string(makeToken(["id": 1]))], hooks: hooks)
        #expect(user.principal.user?.username == "found")
        #expect(user.principal.role?.type == "editor")
        await #expect(throws: ConnectionRefusal.invalidCredentials) {
            try await self.authenticate(["token": .string(makeToken(["id": 2]))], hooks: hooks)
        }
        let magic = try await self.authenticate(["strategy": "magic", "token": "abracadabra"], hooks: hooks)
        #expect(magic.principal.audienceRoom == "io-admin")
        await #expect(throws: ConnectionRefusal.invalidCredentials) {
            try await self.authenticate(["strategy": "magic", "token": "x"], hooks: hooks)
        }
    }

    @Test(arguments: [
        (ConnectionRefusal.noValidRoom, "No valid room found"), (.invalidToken, "Invalid token."),
        (.invalidCredentials, "Invalid credentials"),
        (.tokenExpired, "Token expired"), (.tooManyAttempts, "Too many authentication attempts. Try again later."),
        (.notWhitelisted, "IP not whitelisted"), (.blacklisted, "IP blacklisted"),
        (.maximumConnections, "Max connections reached"),
        (.authenticationRequired, "Authentication required"),
        (.namespaceAuthenticationRequired("chat"), "Authentication required for namespace /chat"),
        (.roleNotAllowed("banned"), "Role 'banned' is not allowed to connect to Socket.IO"),
    ])
    func messages(_ refusal: ConnectionRefusal, _ message: String) {
        #expect(refusal.message == message)
    }
}

@Suite(.timeLimit(.minutes(1))) struct ConnectionCheckTests {
    private func refusal(
        _ address: String,
        connections: Int = 0,
        _ change: (inout GatewayConfiguration.Security) -> Void
    ) -> ConnectionRefusal? {
        var security = GatewayConfiguration.Security()
        change(&security)
        do throws(ConnectionRefusal) {
            try ConnectionChecks(security).check(address: address, connections: connections)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [
        ("10.1.2.3", "10.0.0.0/8", true), ("11.1.2.3", "10.0.0.0/8", false), ("10.1.2.3", "10.1.2.3", true),
        ("::ffff:10.1.2.3", "10.0.0.0/8", true), ("::ffff:0a01:0203", "10.1.2.3", true),
        ("10.1.2.3", "::ffff:10.1.2.3", true),
        ("fd00::1", "fd00::/8", true), ("fe00::1", "fd00::/8", false), ("::1", "::1", true),
        ("fe80::1%eth0", "fe80::/10", true),
        ("1.2.3.4", "0.0.0.0/0", true), ("::1", "0.0.0.0/0", false), ("::1", "::/0", true), ("1.2.3.4", "::/0", true),
        ("2001:db8::ff00:42:8329", "2001:db8::/32", true), ("127.0.0.1", "127.0.0.1/32", true),
        ("127.0.0.2", "127.0.0.1/32", false),
    ])
    func networks(_ address: String, _ network: String, _ isInside: Bool) throws {
        let range = try #require(AddressRange(network))
        #expect(range.contains(try #require(IPAddress(address))) == isInside)
        #expect(self.refusal(address) { $0.ipBlacklist = [network] } == (isInside ? .blacklisted : nil))
        #expect(self.refusal(address) { $0.ipWhitelist = [network] } == (isInside ? nil : .notWhitelisted))
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/a", "::1/129", ":::",
        "1::2::3", "12345::",
        "g::1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8:9", "localhost", "::1.2.3", "1.2.3.4/8/8",
        "01234.1.1.1", "1.2.3.4:80", ":1",
    ])
    func notAddresses(_ text: String) {
        #expect(AddressRange(text) == nil)
    }

    @Test func orderOfTheChecks() {
        let all: (inout GatewayConfiguration.Security) -> Void = { security in
            security.ipWhitelist = ["10.0.0.1"]
            security.ipBlacklist = ["10.0.0.1", "10.0.0.2"]
            security.maximumConnections = 1
        }
        #expect(self.refusal("10.0.0.2", connections: 1, all) == .notWhitelisted)
        #expect(self.refusal("10.0.0.1", connections: 1, all) == .blacklisted)
        #expect(self.refusal("10.0.0.1", connections: 1) { $0.maximumConnections = 1 } == .maximumConnections)
        #expect(self.refusal("10.0.0.1", connections: 0) { $0.maximumConnections = 1 } == nil)
        // Neither can be told from the other ones.
        #expect(self.refusal("unreadable") { $0.ipWhitelist = ["10.0.0.1"] } == .notWhitelisted)
        #expect(self.refusal("unreadable") { $0.ipBlacklist = ["10.0.0.1"] } == .blacklisted)
        #expect(self.refusal("unreadable") { _ in } == nil)
    }

    @Test func principals() throws {
        var security = GatewayConfiguration.Security()
        let open = ConnectionChecks(security)
        security.requireAuthentication = true
        let closed = ConnectionChecks(security)
        let visitor = Principal.visitor(Role(type: "public"))
        let token = Principal.token(Samples.token("Full", .fullAccess))
        try open.check(visitor)
        #expect(throws: ConnectionRefusal.authenticationRequired) { try closed.check(visitor) }
        try closed.check(token)
        try closed.check(.user(User(id: 1), Role(type: "a")))
        #expect(throws: ConnectionRefusal.roleNotAllowed("banned")) {
            try open.check(.user(User(id: 1), Role(type: "Banned", canConnect: false)))
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct FailureLimiterTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    /// Fails so often at once; the number of failures that were too many.
    private func fail(_ limiter: inout FailureLimiter, _ address: String, times: Int, at now: NIODeadline) -> Int {
        (0..<times).count { _ in limiter.failed(address, at: now) }
    }

    @Test func failuresBeyondTheMaximumAreTooMany() {
        var limiter = FailureLimiter(maximum: 20, length: .seconds(60))
        #expect(self.fail(&limiter, "10.0.0.1", times: 25, at: self.start) == 5)
        #expect(self.fail(&limiter, "10.0.0.2", times: 20, at: self.start) == 0)
    }

    /// Three seconds for each failure: what was too much prolongs nothing.
    @Test func failuresDecay() {
        var limiter = FailureLimiter(maximum: 20, length: .seconds(60))
        #expect(self.fail(&limiter, "10.0.0.1", times: 1000, at: self.start) == 980)
        #expect(self.fail(&limiter, "10.0.0.1", times: 1, at: self.start + .milliseconds(2_999)) == 1)
        #expect(self.fail(&limiter, "10.0.0.1", times: 2, at: self.start + .seconds(3)) == 1)
        #expect(self.fail(&limiter, "10.0.0.1", times: 20, at: self.start + .seconds(63)) == 0)
    }

    /// Whoever stays just below the maximum in each window is stopped in the long run as well.
    @Test func theRateIsBoundedInTheLongRun() {
        var limiter = FailureLimiter(maximum: 20, length: .seconds(60))
        var tried = 0
        var stopped = 0
        for second in 0..<600 {
            tried += 19
            stopped += self.fail(&limiter, "a", times: 19, at: self.start + .seconds(Int64(second)))
        }
        // The first twenty, and one for each three seconds.
        #expect((219...221).contains(tried - stopped))
    }

    @Test(arguments: [
        ("10.0.0.1", "::ffff:10.0.0.1", true), ("10.0.0.1", "::FFFF:a00:1", true), ("10.0.0.1", "10.0.0.2", false),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true), ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ("unix", "nonsense", true),
    ])
    func whatCountsAsOneAddress(one: String, other: String, isSame: Bool) {
        var limiter = FailureLimiter(maximum: 3, length: .seconds(60))
        #expect(self.fail(&limiter, one, times: 3, at: self.start) == 0)
        #expect(self.fail(&limiter, other, times: 1, at: self.start) == (isSame ? 1 : 0))
    }

    @Test func memoryIsBounded() {
        var limiter = FailureLimiter(maximum: 2, length: .seconds(60))
        #expect(self.fail(&limiter, "192.0.2.1", times: 2, at: self.start) == 0)
        // Each of the others fails once.
        for index in 0..<(FailureLimiter.capacity * 2) {
            _ = limiter.failed("10.\(index >> 16).\(index >> 8 & 255).\(index & 255)", at: self.start)
            if index % 1000 == 0 { #expect(limiter.count <= FailureLimiter.capacity) }
        }
        // The one with the most failures is remembered.
        #expect(self.fail(&limiter, "192.0.2.1", times: 1, at: self.start) == 1)
    }
}

@Suite(.timeLimit(.minutes(1))) struct EventAuthenticationTests {
    @Test func theWayIn() {
        var flow = EventAuthentication()
        let first = flow.requested()
        let again = flow.requested()
        let isIn = flow.succeeded()
        let late = flow.timedOut()
        let third = flow.requested()
        #expect(first && !again && isIn && !late && !third)
        #expect(flow.state == .authenticated)
    }

    @Test func theWayOut() {
        var flow = EventAuthentication()
        let answers = [flow.requested(), flow.failed(), flow.requested(), flow.timedOut()]
        #expect(answers == [true, true, false, false])
        #expect(flow.state == .ended)
    }

    @Test func timeRunsWhileCredentialsAreLookedAt() {
        var flow = EventAuthentication()
        let answers = [flow.requested(), flow.timedOut(), flow.succeeded(), flow.failed()]
        #expect(answers == [true, true, false, false])
        var idle = EventAuthentication()
        let isIdleOut = idle.timedOut()
        #expect(isIdleOut)
        var gone = EventAuthentication()
        gone.left()
        let after = [gone.timedOut(), gone.requested()]
        #expect(after == [false, false])
    }

    @Test func texts() {
        #expect(
            EventAuthentication.Refusal.badCredentials.message == "Invalid token to authenticate! Please login again!"
        )
        #expect(EventAuthentication.Refusal.failure.message == "Failed to authenticate connection! Please login again!")
        #expect(
            EventAuthentication.Refusal.refused(.tooManyAttempts).message
                == "Too many authentication attempts. Try again later."
        )
    }
}

@Suite(.timeLimit(.minutes(1))) struct DeadlineTests {
    @Test func keysComeInOrderAndOnce() {
        var queue = DeadlineQueue<Int>()
        var generator = SeededGenerator(seed: 9)
        var expected: [Int: Int] = [:]
        for _ in 0..<2000 {
            let key = Int.random(in: 0..<300, using: &generator)
            if Int.random(in: 0..<4, using: &generator) == 0 {
                queue.remove(key)
                expected[key] = nil
            } else {
                let time = Int.random(in: 0..<1000, using: &generator)
                queue.set(key, .uptimeNanoseconds(UInt64(time)))
                expected[key] = time
            }
        }
        #expect(queue.count == expected.count)
        for now in stride(from: 0, through: 1000, by: 50) {
            let due = Set(queue.takeDue(at: .uptimeNanoseconds(UInt64(now))))
            #expect(due == Set(expected.filter { $0.value <= now }.keys))
            expected = expected.filter { $0.value > now }
        }
        #expect(queue.count == 0)
        let first = queue.first()
        #expect(first == nil)
    }

    @Test func oneTimerServesAll() async {
        let loop = NIOAsyncTestingEventLoop()
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        let timer = DeadlineTimer<String>(eventLoop: loop) { continuation.yield($0) }
        timer.set("b", after: .seconds(2))
        timer.set("a", after: .seconds(1))
        timer.set("c", after: .seconds(3))
        timer.set("never", after: .seconds(2))
        timer.remove("never")
        timer.set("c", after: .seconds(4))
        await loop.advanceTime(by: .seconds(1))
        await loop.advanceTime(by: .seconds(2))
        await loop.advanceTime(by: .seconds(1))
        timer.set("closed", after: .seconds(1))
        timer.close()
        await loop.advanceTime(by: .seconds(5))
        continuation.finish()
        var seen: [String] = []
        for await key in stream { seen.append(key) }
        #expect(seen == ["a", "b", "c"])
    }
}
