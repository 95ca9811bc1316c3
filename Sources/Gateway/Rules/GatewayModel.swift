import EngineIO
import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
import SocketIOWire

/// A configuration, prepared: everything that can be worked out once is worked out here.
///
/// It is immutable except for a cache. A changed configuration makes a new model.
final class GatewayModel: Sendable {
    let configuration: GatewayConfiguration
    let schema: Schema
    let sanitiser: Sanitiser
    let tokens: TokenTable
    let verifier: JWTVerifier?
    let checks: ConnectionChecks

    private let rolesByType: [UTF8Text: Role]
    private let rolesByName: [UTF8Text: Role]
    private let rolesByID: [UTF8Text: Role]
    private let tokensByID: [UTF8Text: APIToken]
    private let audiences: [Audience]
    private let abilities: [Room: Ability]
    let roomPolicy: RoomPolicy
    private let groups: NIOLockedValueBox<[EventKey: CachedGroups]>

    private struct EventKey: Hashable {
        var uid: UTF8Text
        var event: UTF8Text
        var hasOwner: Bool
    }

    private struct CachedGroups {
        var groups: [AudienceGroup]
        /// When the first token of this entry expires.
        var validUntil: Double?
    }

    /// The most event names that are remembered.
    ///
    /// Publishers choose the names, so there may be many.
    private static let cacheCapacity = 1024

    /// - Throws: ``GatewayError`` with every problem of the configuration.
    init(_ configuration: GatewayConfiguration, hooks: GatewayHooks) async throws {
        var problems = configuration.validate()
        if configuration.entitySubscriptions.requireVerification && hooks.verifyEntity == nil && hooks.findEntity == nil
        {
            problems.append(
                ConfigurationProblem(
                    path: "entitySubscriptions.requireVerification",
                    value: "true",
                    advice:
                        "needs something that knows which entities exist; set it to false, or give the gateway a verifyEntity or findEntity hook"
                )
            )
        }
        guard problems.isEmpty else { throw GatewayError(problems) }
        self.configuration = configuration
        self.schema = Schema(contentTypes: configuration.contentTypes, components: configuration.components)
        self.sanitiser = Sanitiser(
            schema: self.schema,
            blocklist: Blocklist(
                additionalNames: configuration.events.sensitiveFields + configuration.events.excludeFields,
                patterns: configuration.events.sensitivePatterns
            )
        )
        self.tokens = TokenTable(configuration.apiTokens.filter { !$0.isRevoked })
        if let jwt = configuration.authentication.jwt {
            self.verifier = try await JWTVerifier(jwt)
        } else {
            self.verifier = nil
        }
        self.checks = ConnectionChecks(configuration.security)
        self.rolesByType = Dictionary(configuration.roles.map { (UTF8Text($0.type), $0) }) { first, _ in first }
        self.rolesByName = Dictionary(
            configuration.roles.map { (UTF8Text(RoomName.slug($0.name)), $0) }
        ) { first, _ in first }
        self.rolesByID = Dictionary(
            configuration.roles.compactMap { role in role.id.map { (UTF8Text($0.text), role) } }
        ) { first, _ in first }
        self.tokensByID = Dictionary(configuration.apiTokens.map { (UTF8Text($0.id), $0) }) { first, _ in first }
        self.audiences =
            configuration.roles.map { Audience($0) }
            + configuration.apiTokens.filter { !$0.isRevoked }.map { Audience($0) }
            + (configuration.events.operatorsReceiveEvents ? [.operators] : [])
        self.abilities = Dictionary(
            configuration.roles.map { Audience($0) }.map { ($0.room, $0.ability) }
                + configuration.apiTokens.filter { !$0.isRevoked }.map { Audience($0) }.map { ($0.room, $0.ability) }
                + [(Audience.operators.room, Audience.operators.ability)]
        ) { first, _ in first }
        self.roomPolicy = RoomPolicy(configuration)
        self.groups = NIOLockedValueBox([:])
    }

    // MARK: Who is who

    func role(type: String) -> Role? { self.rolesByType[UTF8Text(type)] }

    /// The role that a claim names, by type, name or id.
    ///
    /// If the claim is a list, it is the first role that exists.
    func role(claim: JSONValue) -> Role? {
        switch claim {
        case .string(let text):
            let slug = UTF8Text(RoomName.slug(text))
            return self.rolesByType[slug] ?? self.rolesByName[slug] ?? self.rolesByID[UTF8Text(text)]
        case .int(let number):
            return self.rolesByID[UTF8Text(String(number))]
        case .object(let object):
            for key in ["type", "name", "id"] {
                if let value = object[key], !value.isContainer, let role = self.role(claim: value) { return role }
            }
            return nil
        case .array(let list):
            for element in list where element.arrayValue == nil {
                if let role = self.role(claim: element) { return role }
            }
            return nil
        case .null, .bool, .double, .binary:
            return nil
        }
    }

    /// The token of a key, unless it is revoked or has expired.
    func validToken(forKey key: String, now: Double) -> APIToken? {
        guard key.utf8.count <= Authenticator.maximumTokenBytes,
            let token = self.tokens.token(forKey: key, salt: self.configuration.apiTokenSalt), !token.isExpired(at: now)
        else { return nil }
        return token
    }

    /// Who a socket is, according to its data.
    ///
    /// Somebody unknown counts as a visitor who may do nothing.
    func principal(of record: PrincipalRecord?) -> Principal {
        let stranger = Role(type: self.configuration.authentication.publicRole, scopes: [])
        switch record?.kind {
        case .visitor:
            return .visitor(record?.role.flatMap { self.rolesByType[$0] } ?? stranger)
        case .user:
            guard let id = record?.userID, let role = record?.role.flatMap({ self.rolesByType[$0] }) else {
                return .visitor(stranger)
            }
            return .user(Self.user(id, record?.user, role: role.type), role)
        case .token:
            guard let token = record?.tokenID.flatMap({ self.tokensByID[$0] }), !token.isRevoked else {
                return .visitor(stranger)
            }
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
            role: role
        )
    }

    /// What a principal may do, as prepared with the configuration.
    func ability(of principal: Principal) -> Ability {
        self.abilities[principal.audienceRoom] ?? Ability([])
    }

    /// Whether there is a content type whose events reach only the owners of entries.
    var hasOwnedTypes: Bool {
        self.configuration.contentTypes.contains { $0.ownerField != nil }
    }

    // MARK: Who receives what

    /// The audiences that receive an event of a type, grouped by what they may see.
    func groups(event: String, type: ContentType, now: Double) -> [AudienceGroup] {
        let key = EventKey(uid: UTF8Text(type.uid), event: UTF8Text(event), hasOwner: type.ownerField != nil)
        if let cached = self.groups.withLockedValue({ $0[key] }), cached.validUntil.map({ now < $0 }) ?? true {
            return cached.groups
        }
        let made = self.makeGroups(event: event, type: type, now: now)
        self.groups.withLockedValue { cache in
            if cache.count >= Self.cacheCapacity { cache.removeAll(keepingCapacity: true) }
            cache[key] = made
        }
        return made.groups
    }

    private func makeGroups(event: String, type: ContentType, now: Double) -> CachedGroups {
        let events = self.configuration.events
        let reach = self.schema.reach(from: type.uid)
        var order: [Projection] = []
        var groups: [Projection: AudienceGroup] = [:]
        var validUntil: Double?
        for audience in self.audiences {
            if let expiry = audience.expiresAt {
                if expiry <= now { continue }
                validUntil = min(validUntil ?? expiry, expiry)
            }
            let ability = audience.ability
            let receives = ability.canReceive(
                event,
                of: type.uid,
                policy: events.receivePolicy,
                usesAliases: events.actionAliases
            )
            let receivesAny =
                type.ownerField != nil
                && ability.canReceiveAny(event, of: type.uid, usesAliases: events.actionAliases)
            guard receives || receivesAny else { continue }
            let projection = Projection(of: audience, reach: reach)
            if groups[projection] == nil {
                order.append(projection)
                groups[projection] = AudienceGroup(projection: projection)
            }
            if type.ownerField == nil || receivesAny {
                groups[projection]?.rooms.append(audience.room)
            } else {
                groups[projection]?.ownerRooms.append(audience.room)
            }
        }
        return CachedGroups(groups: order.compactMap { groups[$0] }, validUntil: validUntil)
    }
}
