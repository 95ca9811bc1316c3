import OrderedCollections
import SocketIOWire

/// What `socket.data` says about a socket's principal, so that every node of the cluster can read it.
///
/// An object `{kind, userId?, role?, tokenId?, user?, exp?, iat?, jti?}`.
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
    /// Unix time in seconds at which the credentials were issued, if that is known.
    var issuedAt: Double?
    /// The `jti` of a JSON Web Token.
    var jsonWebTokenID: UTF8Text?

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

    /// What is written down about somebody who was let in.
    init(_ authenticated: AuthenticatedPrincipal) {
        self.init(authenticated.principal, expiresAt: authenticated.expiresAt)
        guard authenticated.principal.isAuthenticated else { return }
        self.issuedAt = authenticated.issuedAt
        self.jsonWebTokenID = authenticated.jsonWebTokenID
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
        self.issuedAt = data["iat"]?.doubleValue
        self.jsonWebTokenID = data["jti"]?.stringValue.map { UTF8Text($0) }
    }

    /// `{id, username?, email?, firstname?, lastname?}`.
    static func describe(_ user: User) -> JSONValue {
        var object: JSONObject = ["id": user.id.value]
        object["username"] = user.username.map { .string($0) }
        object["email"] = user.email.map { .string($0) }
        object["firstname"] = user.firstname.map { .string($0) }
        object["lastname"] = user.lastname.map { .string($0) }
        object["tenant"] = user.tenant.map { .string($0) }
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
        object["exp"] = self.expiresAt.map(Self.seconds)
        object["iat"] = self.issuedAt.map(Self.seconds)
        object["jti"] = self.jsonWebTokenID.map { .string($0.string) }
        return .object(object)
    }

    private static func seconds(_ time: Double) -> JSONValue { Int(exactly: time).map { .int($0) } ?? .double(time) }
}
