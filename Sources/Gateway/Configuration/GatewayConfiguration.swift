public import NIOCore
public import SocketIOServer
import SocketIOWire

/// All settings of the gateway, with their defaults.
///
/// It is a plain value that a configuration file is read into. ``validate()`` lists every problem at once.
public struct GatewayConfiguration: Sendable {
    /// What back ends publish events about.
    public var contentTypes: [ContentType] = []
    /// Fields that content types share.
    public var components: [Component] = []
    /// What users may do, by group.
    public var roles: [Role] = [
        Role(type: Role.publicType, name: "Public"), Role(type: Role.authenticatedType, name: "Authenticated"),
    ]
    /// Keys for machines.
    public var apiTokens: [APIToken] = []
    /// What API tokens are hashed with.
    ///
    /// It must have at least 16 bytes if there are tokens.
    public var apiTokenSalt: String = ""
    /// How clients prove who they are.
    public var authentication = Authentication()
    /// Who may connect.
    public var security = Security()
    /// What events look like and who receives them.
    public var events = Events()
    /// Which rooms clients may join by themselves.
    public var rooms = Rooms()
    /// How clients follow single entries.
    public var entitySubscriptions = EntitySubscriptions()
    /// How often clients may ask for something that costs others.
    public var limits = Limits()
    /// The namespaces besides the main one.
    public var namespaces: [GatewayNamespace] = []
    /// The name of this node in the descriptions of its sockets.
    public var nodeName: String?
    /// How long a question to the other nodes may take.
    public var clusterTimeout: TimeAmount = .seconds(5)

    /// The defaults.
    public init() {}

    /// How clients prove who they are.
    public struct Authentication: Sendable {
        /// When clients prove who they are.
        public enum Mode: String, Sendable, Hashable, CaseIterable {
            /// With the credentials of the CONNECT packet, before they are connected.
            case handshake
            /// With the event `authenticate`, after they are connected.
            case event
        }

        /// When clients prove who they are.
        public var mode: Mode = .handshake
        /// In event mode: how long a client may stay connected without authenticating.
        public var timeout: TimeAmount = .seconds(10)
        /// Which JSON Web Tokens are accepted; `nil` if none is.
        public var jwt: JWTConfiguration?
        /// The type of the role for clients without credentials.
        public var publicRole = Role.publicType
        /// The type of the role for users whose token names no role.
        public var defaultRole = Role.authenticatedType
        /// How many failures one address may have at once.
        ///
        /// Further ones are answered as too many attempts.
        ///
        /// Good credentials are never refused for them.
        public var maximumFailures = 20
        /// How long it takes until ``maximumFailures`` of them are forgotten.
        public var failureWindow: TimeAmount = .seconds(60)

        /// The defaults.
        public init() {}
    }

    /// Who may connect.
    public struct Security: Sendable {
        /// Whether clients without credentials are refused.
        public var requireAuthentication = false
        /// Addresses or networks (`10.0.0.0/8`).
        ///
        /// If there are any, only these may connect.
        public var ipWhitelist: [String] = []
        /// Addresses or networks that may not connect.
        ///
        /// If there are any, clients of unknown address may not connect either.
        public var ipBlacklist: [String] = []
        /// Addresses or networks of proxies whose `X-Forwarded-For` or `Forwarded` is believed.
        ///
        /// The server's limits for one address use it, too.
        public var trustedProxies: [String] = []
        /// The most sockets of the main namespace on this node; `nil` if there is no limit.
        public var maximumConnections: Int?

        /// The defaults.
        public init() {}
    }

    /// What events look like and who receives them.
    public struct Events: Sendable {
        /// How an event's argument looks.
        public var payloadFormat: PayloadFormat = .flat
        /// What decides whether a role or token receives an event.
        public var receivePolicy: ReceivePolicy = .action
        /// Whether the scope for `update` is also enough to receive `publish` and `createOrUpdate`, and the scope for
        /// `delete` to receive `unpublish` and `bulkDelete`.
        public var actionAliases = true
        /// Whether events are named `article:created` instead of `article:create`.
        public var customEventNames = false
        /// Whether drafts cause no events.
        public var onlyPublished = false
        /// Fields that are never sent, of any type.
        public var excludeFields: [String] = []
        /// Further names of secrets, added to the built-in ones.
        public var sensitiveFields: [String] = []
        /// The same as patterns in which `*` stands for any characters.
        public var sensitivePatterns: [String] = []
        /// Whether the sockets of operators receive the events of every type.
        public var operatorsReceiveEvents = false
        /// How many ids of events are remembered, so that a repeated event is sent only once.
        public var rememberedEventIDs = 10_000

        /// The defaults.
        public init() {}
    }

    /// Which rooms clients may join by themselves.
    public struct Rooms: Sendable {
        /// Whether clients may write private messages to each other, as ``messagePolicy`` says.
        ///
        /// ``Role/joinPolicy`` alone says which rooms they may join.
        public var enablePrivateRooms = false
        /// To whom a client may write, if ``enablePrivateRooms`` is on.
        public var messagePolicy: MessagePolicy = .anyone
        /// Whether names of rooms may contain `:`.
        public var allowsColon = false
        /// Whether names of rooms may contain `.`.
        public var allowsDot = false
        /// The longest name of a room, in bytes.
        public var maximumNameLength = 128
        /// The most rooms that a client may be in, besides the gateway's own.
        public var maximumRoomsPerSocket = 100
        /// Rooms that every authenticated socket joins.
        public var defaultRooms = ["io-default", "io-notification"]

        /// The defaults.
        public init() {}
    }

    /// How clients follow single entries.
    public struct EntitySubscriptions: Sendable {
        /// Whether clients may subscribe at all.
        public var enabled = true
        /// Whether a client that follows some entries of a type still hears of the others.
        public var mode: SubscriptionMode = .narrow
        /// The most entries that a client may follow.
        public var maximumSubscriptionsPerSocket = 100
        /// Whether ``GatewayHooks/verifyEntity`` must confirm that an entry exists.
        public var requireVerification = false
        /// If there are any, clients may follow only entries of these types.
        public var allowedContentTypes: [String] = []
        /// How many ids of entries this node remembers, with the other ids and the owners of their entries.
        ///
        /// If an event lacks one of the ids of its entry, it still reaches clients that subscribed by that id, as long
        /// as the node remembers it. Where the node has forgotten an id, it sends the event to more clients than
        /// necessary, never to fewer.
        public var rememberedIDs = 20_000

        /// The defaults.
        public init() {}
    }
}

extension GatewayConfiguration {
    /// How often one client may ask for what costs the cluster work.
    ///
    /// A client that asks too often gets `{success: false, error: "Rate limit exceeded", retryAfter}`, with the time in
    /// milliseconds.
    public struct Limits: Sendable, Hashable {
        /// Questions to the other nodes: private messages to sockets of other nodes, names of rooms that look like ids.
        public var questions = RateLimit(perSecond: 10)
        /// Rooms and entries that are joined, left, subscribed to and unsubscribed from.
        public var changes = RateLimit(perSecond: 50, burst: 200)

        /// The defaults.
        public init() {}
    }
}

/// A namespace besides the main one, with the same checks.
public struct GatewayNamespace: Sendable, Hashable {
    /// The name, without the leading slash.
    public var name: String
    /// Whether clients without credentials are refused.
    public var requireAuth: Bool
    /// If there are any, only these roles may connect, by type.
    ///
    /// Operators may connect as well.
    ///
    /// API tokens have no role. Those in ``tokens`` may connect.
    public var roles: [String]
    /// The API tokens that may connect, by name.
    ///
    /// If neither roles nor tokens are listed, every token may.
    public var tokens: [String]
    /// Whether the gateway checks address, credentials and the right to connect as for the main namespace.
    public var inheritsChecks: Bool

    /// The defaults.
    public init(
        name: String,
        requireAuth: Bool = false,
        roles: [String] = [],
        tokens: [String] = [],
        inheritsChecks: Bool = true
    ) {
        self.name = name.utf8.first == UInt8(ascii: "/") ? String(Substring(name.utf8.dropFirst())) : name
        self.requireAuth = requireAuth
        self.roles = roles
        self.tokens = tokens
        self.inheritsChecks = inheritsChecks
    }

    /// Whether the roles and tokens allow that principal to connect.
    func check(_ principal: Principal) throws(ConnectionRefusal) {
        switch principal {
        case .visitor(let role), .user(_, let role):
            guard
                self.roles.isEmpty || self.roles.contains(where: { UTF8Text(RoomName.slug($0)) == UTF8Text(role.type) })
            else {
                throw .roleNotAllowed(role.type)
            }
        case .token(let token):
            guard
                (self.roles.isEmpty && self.tokens.isEmpty)
                    || self.tokens.contains(where: { UTF8Text(RoomName.slug($0)) == UTF8Text(token.slug) })
            else { throw .tokenNotAllowed(token.name) }
        case .operator:
            break
        }
    }
}

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
