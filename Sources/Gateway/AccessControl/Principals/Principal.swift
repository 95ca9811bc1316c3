import OrderedCollections
public import SocketIOWire

/// A person as a token or a user directory describes them.
public struct User: Sendable, Hashable {
    /// Identifies the user; also the name of the room `user:<id>`.
    public var id: EntityID
    /// The name that others see.
    public var username: String?
    /// The address for mail.
    public var email: String?
    /// The first name.
    public var firstname: String?
    /// The last name.
    public var lastname: String?
    /// The type, name or id of the user's role; `nil` stands for the default role of users.
    public var role: String?

    /// Whether all parts have the same bytes.
    public static func == (left: User, right: User) -> Bool { left.id == right.id && left.texts == right.texts }

    /// Hashes the id.
    public func hash(into hasher: inout Hasher) { hasher.combine(self.id) }

    private var texts: [UTF8Text?] {
        [self.username, self.email, self.firstname, self.lastname, self.role].map { $0.map { UTF8Text($0) } }
    }

    /// Makes a user, of whom at least the id is known.
    public init(
        id: EntityID,
        username: String? = nil,
        email: String? = nil,
        firstname: String? = nil,
        lastname: String? = nil,
        role: String? = nil
    ) {
        self.id = id
        self.username = username
        self.email = email
        self.firstname = firstname
        self.lastname = lastname
        self.role = role
    }
}

/// Who is behind a socket.
public enum Principal: Sendable, Hashable {
    /// Nobody in particular.
    case visitor(Role)
    case user(User, Role)
    case token(APIToken)
    /// Somebody who runs the gateway.
    case `operator`(User)

    /// Whether the client gave credentials and they were good.
    public var isAuthenticated: Bool {
        if case .visitor = self { false } else { true }
    }

    /// The room that decides which variant of an event the socket receives.
    ///
    /// Each socket has one.
    public var audienceRoom: Room {
        switch self {
        case .visitor(let role), .user(_, let role): RoomName.role(role.type)
        case .token(let token): RoomName.token(token.slug)
        case .operator: RoomName.operators
        }
    }

    /// The user, if there is one.
    public var user: User? {
        switch self {
        case .user(let user, _), .operator(let user): user
        case .visitor, .token: nil
        }
    }

    /// The role; `nil` for a token and for an operator.
    public var role: Role? {
        switch self {
        case .visitor(let role), .user(_, let role): role
        case .token, .operator: nil
        }
    }

    /// What the principal may do.
    public var ability: Ability {
        switch self {
        case .visitor(let role), .user(_, let role): Ability(role.scopes)
        case .token(let token): token.ability
        case .operator: .full
        }
    }
}

/// What `socket.data` says about a socket's principal, so that every node of the cluster can read it.
///
/// An object `{kind, userId?, role?, tokenId?, user?, exp?}`.
struct PrincipalRecord: Sendable, Hashable {
    enum Kind: String, Sendable, CaseIterable {
        case visitor = "public"
        case user
        case token
        case `operator`
        /// The client is connected, but has not authenticated yet (event mode).
        case unauthorized

        /// The kind of exactly that name.
        init?(text: String) {
            guard let kind = Self.allCases.first(where: { UTF8Text($0.rawValue) == UTF8Text(text) }) else { return nil }
            self = kind
        }
    }

    var kind: Kind
    var userID: EntityID?
    var role: UTF8Text?
    var tokenID: UTF8Text?
    var user: JSONValue?
    /// Unix time in seconds at which the credentials end.
    var expiresAt: Double?

    static let unauthorized = PrincipalRecord(kind: .unauthorized)

    /// Whether both may do and see the same; their credentials may end at other times.
    func isSamePrincipal(as other: PrincipalRecord) -> Bool {
        self.kind == other.kind && self.userID == other.userID && self.role == other.role
            && self.tokenID == other.tokenID
    }

    init(kind: Kind) {
        self.kind = kind
    }

    init(_ principal: Principal, expiresAt: Double?) {
        self.expiresAt = expiresAt
        switch principal {
        case .visitor(let role):
            self.kind = .visitor
            self.role = UTF8Text(role.type)
        case .user(let user, let role):
            self.kind = .user
            self.userID = user.id
            self.role = UTF8Text(role.type)
            self.user = Self.describe(user)
        case .token(let token):
            self.kind = .token
            self.tokenID = UTF8Text(token.id)
        case .operator(let user):
            self.kind = .operator
            self.userID = user.id
            self.user = Self.describe(user)
        }
    }

    /// Reads the record from a socket's data; `nil` if the application or another kind of node stored something else.
    init?(_ data: JSONValue) {
        guard let kind = data["kind"]?.stringValue.flatMap(Kind.init(text:)) else { return nil }
        self.kind = kind
        self.userID = data["userId"].flatMap { EntityID($0) }
        self.role = data["role"]?.stringValue.map { UTF8Text($0) }
        self.tokenID = data["tokenId"]?.stringValue.map { UTF8Text($0) }
        self.user = data["user"]
        self.expiresAt = data["exp"]?.doubleValue
    }

    private static func describe(_ user: User) -> JSONValue {
        var object: JSONObject = ["id": user.id.value]
        object["username"] = user.username.map { .string($0) }
        object["email"] = user.email.map { .string($0) }
        object["firstname"] = user.firstname.map { .string($0) }
        object["lastname"] = user.lastname.map { .string($0) }
        return .object(object)
    }

    /// Adds the record to what the socket's data already holds.
    func merged(into data: JSONValue) -> JSONValue {
        var object = data.objectValue ?? [:]
        object["kind"] = .string(self.kind.rawValue)
        object["userId"] = self.userID?.value
        object["role"] = self.role.map { .string($0.string) }
        object["tokenId"] = self.tokenID.map { .string($0.string) }
        object["user"] = self.user
        object["exp"] = self.expiresAt.map { expiry in Int(exactly: expiry).map { .int($0) } ?? .double(expiry) }
        return .object(object)
    }
}

/// A group that receives the same variants of events: one role, or one token.
public struct Audience: Sendable, Hashable {
    /// Every socket is in the room of exactly one audience.
    public let room: Room
    /// What its members may do.
    public let ability: Ability
    /// Which fields the audience sees, by the uid of a content type or component.
    public let fields: [String: Role.FieldRule]
    /// Unix time after which it receives nothing more; `nil` if there is no such time.
    public let expiresAt: Double?

    /// The audience of a role.
    public init(_ role: Role) {
        self.room = RoomName.role(role.type)
        self.ability = Ability(role.scopes)
        self.fields = role.fields
        self.expiresAt = nil
    }

    /// The audience of a token.
    public init(_ token: APIToken) {
        self.room = RoomName.token(token.slug)
        self.ability = token.ability
        self.fields = [:]
        self.expiresAt = token.expiresAt
    }

    private init(room: Room, ability: Ability) {
        self.room = room
        self.ability = ability
        self.fields = [:]
        self.expiresAt = nil
    }

    /// Those who run the gateway.
    public static let operators = Audience(room: RoomName.operators, ability: .full)
}
