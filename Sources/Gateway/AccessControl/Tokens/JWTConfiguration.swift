/// Which JSON Web Tokens are accepted.
public struct JWTConfiguration: Sendable, Hashable {
    /// What tokens are verified with.
    public struct Key: Sendable, Hashable {
        /// The kinds of keys.
        public enum Material: Sendable, Hashable {
            /// A shared secret, for those of HS256, HS384 and HS512 for which it is long enough.
            case secret(String)
            /// A public key of RSA (RS256, RS384, RS512), of P-256, P-384 or P-521 (ES256, ES384, ES512), or of
            /// Ed25519 (EdDSA).
            case publicKey(pem: String)
            /// A JSON Web Key Set.
            case keySet(json: String)
            /// The `https` URL of a JSON Web Key Set.
            ///
            /// The gateway fetches it when it is needed, and again when it is old. It does so at once when a token names a
            /// key that is not in it, at most once a minute. While that fails, the keys that are known stay in use.
            case keySetURL(String)
        }

        /// The key itself.
        public var material: Material
        /// The key's `kid`, if tokens name it.
        public var id: String?

        /// The defaults.
        public init(_ material: Material, id: String? = nil) {
            self.material = material
            self.id = id
        }
    }

    /// Where in the claims a user is described.
    ///
    /// A dot leads into an object.
    public struct ClaimNames: Sendable, Hashable {
        /// The user's id.
        public var id = "id"
        /// The user's role: its type, name or id, or a list of these.
        public var role = "role"
        /// The name that others see.
        public var username = "username"
        /// The address for mail.
        public var email = "email"
        /// The tenant that the user belongs to, for the limits of tenants.
        public var tenant = "tenant"

        /// The defaults.
        public init() {}
    }

    /// The keys that verify tokens.
    ///
    /// Each is tried.
    public var keys: [Key]
    /// The accepted algorithms (`HS256`, `ES256`, …); `nil` stands for all that the keys allow.
    public var algorithms: Set<String>?
    /// The `iss` that tokens must carry, if any.
    public var issuer: String?
    /// One of the `aud` that tokens must carry, if any.
    public var audience: String?
    /// How much the clocks may differ, in seconds.
    public var leeway: Double = 0
    /// Whether tokens must have an `exp`.
    public var requiresExpiration = false
    /// Where in the claims a user is described.
    public var claims = ClaimNames()
    /// The longest token that is looked at, in bytes.
    public var maximumTokenBytes = 16_384

    /// The defaults.
    public init(keys: [Key]) {
        self.keys = keys
    }

    /// The algorithms that can be allowed.
    public static let knownAlgorithms = [
        "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA",
    ]
}
