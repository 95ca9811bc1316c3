public import SocketIOWire

/// What an application may bring along to answer questions that a configuration can't.
public struct GatewayHooks: Sendable {
    /// A client that wants to be let in.
    public struct Request: Sendable {
        /// The `auth` of its CONNECT packet, or the payload of `authenticate`.
        public var auth: JSONValue
        /// Its handshake as an object with the keys of Socket.IO, such as `headers` and `query`.
        public var handshake: JSONValue
        /// Its address, proxies seen through.
        public var address: String

        /// Creates a value of the given parts.
        public init(auth: JSONValue, handshake: JSONValue, address: String) {
            self.auth = auth
            self.handshake = handshake
            self.address = address
        }
    }

    /// Looks the user of a verified token up; `nil`: unknown, blocked or not confirmed.
    public var findUser: (@Sendable (_ claims: JSONObject) async throws -> User?)?
    /// Further strategies by the name that clients give them; `nil` as answer: wrong credentials.
    public var strategies: [String: @Sendable (_ token: String, Request) async throws -> AuthenticatedPrincipal?] = [:]
    /// Decides instead of the strategies in event mode; `nil` as answer: not authenticated.
    public var authenticate: (@Sendable (Request) async throws -> AuthenticatedPrincipal?)?
    /// Whether an entity exists that somebody subscribes to.
    public var verifyEntity: (@Sendable (EntityRef, Principal) async throws -> Bool)?
    /// Looks an entity up that somebody subscribes to: an object with at least its ids and its owner; `nil`: there is none.
    ///
    /// So an event that lacks one of the ids reaches those who subscribed by it, and who may follow an entity that is
    /// somebody's is decided at once.
    public var findEntity: (@Sendable (EntityRef, Principal) async throws -> JSONValue?)?
    /// Whether a client may join a room that the rules allow.
    public var allowJoin: (@Sendable (_ room: String, _ socketID: String, Principal) async throws -> Bool)?
    /// Called when a client is in: in handshake mode once it is connected, in event mode once it is authenticated.
    public var clientConnected: (@Sendable (_ socketID: String, Principal) async throws -> Void)?

    /// Creates a value of the given parts.
    public init() {}
}
