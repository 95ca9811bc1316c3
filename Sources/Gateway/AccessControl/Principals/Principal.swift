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
    /// The tenant that the user belongs to, for limits; `nil` if none is known.
    public var tenant: String?

    /// Whether all parts have the same bytes.
    public static func == (left: User, right: User) -> Bool { left.id == right.id && left.texts == right.texts }

    /// Hashes the id.
    public func hash(into hasher: inout Hasher) { hasher.combine(self.id) }

    private var texts: [UTF8Text?] {
        [self.username, self.email, self.firstname, self.lastname, self.role, self.tenant].map { text in
            text.map { UTF8Text($0) }
        }
    }

    /// Makes a user, of whom at least the id is known.
    public init(
        id: EntityID,
        username: String? = nil,
        email: String? = nil,
        firstname: String? = nil,
        lastname: String? = nil,
        role: String? = nil,
        tenant: String? = nil
    ) {
        self.id = id
        self.tenant = tenant
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
