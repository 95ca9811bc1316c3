import OrderedCollections
import SocketIOWire

/// The rules about who is who, and what they may do.
///
/// They know no server and no socket. What is known of a socket comes in as a ``PrincipalRecord`` and a list of rooms.
struct AccessRules: Sendable {
    let roles: RoleDirectory
    let tokens: TokenTable
    let audiences: AudienceDirectory
    /// The type of the role for clients without credentials.
    let publicRole: String
    /// The type of the role for users whose token names no role.
    let defaultRole: String
    /// Whether clients without credentials are refused.
    let requiresAuthentication: Bool
    /// What verifies JSON Web Tokens; `nil` if none is accepted.
    let verifier: JWTVerifier?
    let checks: ConnectionChecks
    let roomPolicy: RoomPolicy
    let subscriptionPolicy: SubscriptionPolicy
    let statePolicy: StatePolicy
    /// Rooms that every authenticated socket joins.
    let defaultRooms: [Room]

    /// Who a socket is, according to its data.
    ///
    /// Somebody unknown counts as a visitor who may do nothing.
    func principal(of record: PrincipalRecord?) -> Principal {
        let stranger = Role(type: self.publicRole, scopes: [])
        switch record?.kind {
        case .visitor:
            return .visitor(record?.role.flatMap(self.roles.role(type:)) ?? stranger)
        case .user:
            guard let id = record?.userID, let role = record?.role.flatMap(self.roles.role(type:)) else {
                return .visitor(stranger)
            }
            return .user(Self.user(id, record?.user, role: role.type), role)
        case .token:
            guard let token = record?.tokenID.flatMap(self.tokens.token(id:)) else { return .visitor(stranger) }
            return .token(token)
        case .operator:
            guard let id = record?.userID else { return .visitor(stranger) }
            return .operator(Self.user(id, record?.user, role: nil))
        case .unauthorized, nil:
            return .visitor(stranger)
        }
    }

    private static func user(_ id: EntityID, _ value: JSONValue?, role: String?) -> User {
        User(
            id: id,
            username: value?["username"]?.stringValue,
            email: value?["email"]?.stringValue,
            firstname: value?["firstname"]?.stringValue,
            lastname: value?["lastname"]?.stringValue,
            role: role,
            tenant: value?["tenant"]?.stringValue
        )
    }

    /// What a principal may do, as prepared with the rules.
    func ability(of principal: Principal) -> Ability {
        self.audiences.ability(ofMembersOf: principal.audienceRoom)
    }

    /// The rooms of the gateway that a socket of that principal is in.
    ///
    /// - Parameters:
    ///   - principal: Who the socket is.
    ///   - hasOwnedTypes: Whether there are content types whose events reach only the owners of entries.
    /// - Returns: The rooms.
    func rooms(of principal: Principal, hasOwnedTypes: Bool) -> [Room] {
        var rooms = [principal.audienceRoom]
        if let user = principal.user {
            rooms.append(RoomName.user(user.id))
            if case .operator = principal { rooms.append(RoomName.operatorUser(user.id)) }
            if hasOwnedTypes { rooms.append(RoomName.owner(user.id, audience: principal.audienceRoom)) }
        }
        rooms += principal.role?.autoJoin.map { Room($0) } ?? []
        if principal.isAuthenticated { rooms += self.defaultRooms }
        return rooms
    }
}
