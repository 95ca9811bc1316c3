public import SocketIOWire

/// Functions of the application that answer what a configuration cannot.
public struct GatewayHooks: Sendable {
    /// A client that wants to be let in.
    public struct Request: Sendable {
        /// The `auth` of its CONNECT packet, or the payload of `authenticate`.
        public var auth: JSONValue
        /// Its handshake as an object with the keys of Socket.IO, such as `headers` and `query`.
        public var handshake: JSONValue
        /// Its address, which trusted proxies may have told.
        public var address: String

        /// Creates a value of the given parts.
        public init(auth: JSONValue, handshake: JSONValue, address: String) {
            self.auth = auth
            self.handshake = handshake
            self.address = address
        }
    }

    /// Looks up the user of a verified token; `nil` if the user is unknown, blocked or not confirmed.
    public var findUser: (@Sendable (_ claims: JSONObject) async throws -> User?)?
    /// Further strategies, by the name that clients use.
    ///
    /// They return `nil` for wrong credentials.
    public var strategies: [String: @Sendable (_ token: String, Request) async throws -> AuthenticatedPrincipal?] = [:]
    /// Decides in event mode instead of the strategies.
    ///
    /// It returns `nil` if the client is not authenticated.
    public var authenticate: (@Sendable (Request) async throws -> AuthenticatedPrincipal?)?
    /// Tells whether an entity exists that a client wants to follow.
    public var verifyEntity: (@Sendable (EntityRef, Principal) async throws -> Bool)?
    /// Looks up an entity that a client wants to follow.
    ///
    /// It returns an object with at least the ids and the owner, or `nil` if there is no such entity.
    ///
    /// With it, an event that lacks one of the ids reaches clients that subscribed by that id. It also decides at once
    /// whether the client may follow an entity that has an owner.
    public var findEntity: (@Sendable (EntityRef, Principal) async throws -> JSONValue?)?
    /// Tells whether a client may join a room that the rules allow.
    public var allowJoin: (@Sendable (_ room: String, _ socketID: String, Principal) async throws -> Bool)?
    /// Called when a client has been let in: in handshake mode when it is connected, in event mode when it is
    /// authenticated.
    public var clientConnected: (@Sendable (_ socketID: String, Principal) async throws -> Void)?

    /// Creates a value of the given parts.
    public init() {}
}
