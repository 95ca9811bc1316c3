public import NIOCore
public import SocketIOServer

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
    /// What rooms remember for their members.
    public var roomState = RoomState()
    /// Who edits what, and who is online.
    public var presence = Presence()
    /// Entries that clients see while others edit them.
    public var livePreview = LivePreview()
    /// How differences between two states of an entry are told.
    public var fieldChanges = FieldChanges()
    /// How often clients may ask for something that costs others.
    public var limits = Limits()
    /// What those who operate the gateway are told.
    public var monitoring = Monitoring()
    /// Which rooms have a history.
    public var history = History()
    /// The namespaces besides the main one.
    public var namespaces: [GatewayNamespace] = []
    /// Programs of the application that are told of clients' events over HTTP.
    public var webhooks: [Webhook] = []
    /// Events that clients may send besides the gateway's own, and what is done about clients that come and go.
    public var customEvents: [CustomEvent] = []
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
        /// What becomes of a client whose credentials have ended while it is connected.
        public var whenExpired = ExpiryPolicy.disconnect
        /// How revoked tokens are kept away.
        public var revocation = Revocation()
        /// A directory of users that is asked about everybody who logs in with a JSON Web Token; `nil` if there is none.
        public var lookup: UserLookup?

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
        /// Whether the log of events has who subscribes to what.
        public var enableMetrics = true
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
        /// What all clients of a user, an address, an API token or a tenant may do together, on all nodes.
        public var cluster = ClusterRates()

        /// The defaults.
        public init() {}
    }
}
