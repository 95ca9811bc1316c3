/// What a group of users may do, see and join.
public struct Role: Sendable, Hashable {
    /// Which fields of one content type or component a role sees.
    public struct FieldRule: Sendable, Hashable {
        /// The only fields that the role sees; `nil` stands for all.
        ///
        /// A role always sees ids.
        public var allow: Set<String>?
        /// Fields that the role does not see, even if ``allow`` lists them.
        public var deny: Set<String>

        /// Creates a value of the given parts.
        public init(allow: Set<String>? = nil, deny: Set<String> = []) {
            self.allow = allow
            self.deny = deny
        }
    }

    /// The id that the system of record uses, if tokens carry it.
    public var id: EntityID?
    /// For people.
    public var name: String
    /// Identifies the role; a slug, unique among roles.
    ///
    /// Sockets of the role are in the room `io-role-<type>`.
    public var type: String
    /// What users of this role may do.
    public var scopes: [Scope]
    /// Whether users of this role may connect at all.
    public var canConnect: Bool
    /// Rooms that every socket of this role joins on connection.
    public var autoJoin: [String]
    /// Names of rooms that clients of this role may join; `*` stands for any characters.
    public var joinPolicy: [String]
    /// Which keys of a room's state clients of this role may change.
    ///
    /// ``ownKeys`` stands for the client's own: `user:<id>` and the id of the socket. Anything else is a pattern in which
    /// `*` stands for any characters.
    public var statePolicy: [String]
    /// Which fields the role sees, by the uid of a content type or component.
    public var fields: [String: FieldRule]

    /// The role of clients without credentials.
    public static let publicType = "public"
    /// The role of users whose token names no role.
    public static let authenticatedType = "authenticated"

    /// In ``statePolicy``: the keys that are a client's own.
    public static let ownKeys = "own"

    /// Creates a value of the given parts.
    public init(
        type: String,
        name: String? = nil,
        id: EntityID? = nil,
        scopes: [Scope] = [],
        canConnect: Bool = true,
        autoJoin: [String] = [],
        joinPolicy: [String] = [],
        statePolicy: [String] = [Role.ownKeys],
        fields: [String: FieldRule] = [:]
    ) {
        self.type = RoomName.slug(type)
        self.name = name ?? type
        self.id = id
        self.scopes = scopes
        self.canConnect = canConnect
        self.autoJoin = autoJoin
        self.joinPolicy = joinPolicy
        self.statePolicy = statePolicy
        self.fields = fields
    }
}
