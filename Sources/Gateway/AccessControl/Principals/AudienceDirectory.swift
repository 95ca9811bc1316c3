import NIOConcurrencyHelpers
import SocketIOWire

/// All audiences, and who of them receives which events.
final class AudienceDirectory: Sendable {
    /// What decides who receives an event.
    struct Policy: Sendable, Hashable {
        var receives: ReceivePolicy
        /// Whether the scope for `update` is also enough for `publish`, and so on.
        var usesAliases: Bool
    }

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

    /// Those who receive events.
    let audiences: [Audience]
    let policy: Policy
    /// What the members of an audience may do, by its room.
    private let abilities: [Room: Ability]
    /// The groups of events that were asked for before.
    ///
    /// It is a memory, and says nothing that the rest does not.
    private let groups = NIOLockedValueBox<[EventKey: CachedGroups]>([:])

    init(_ roles: [Role], _ tokens: [APIToken], operatorsReceiveEvents: Bool, policy: Policy) {
        let audiences = roles.map { Audience($0) } + tokens.filter { !$0.isRevoked }.map { Audience($0) }
        self.audiences = audiences + (operatorsReceiveEvents ? [.operators] : [])
        self.policy = policy
        self.abilities = Dictionary((audiences + [.operators]).map { ($0.room, $0.ability) }) { first, _ in first }
    }

    /// What the members of an audience may do.
    func ability(ofMembersOf room: Room) -> Ability { self.abilities[room] ?? Ability([]) }

    /// The audiences that receive an event of a type, grouped by what they may see.
    ///
    /// - Parameters:
    ///   - event: The event's name.
    ///   - type: The content type.
    ///   - reach: What an entry of that type can contain.
    ///   - now: The time, because tokens expire.
    /// - Returns: The groups, in no particular order but always the same.
    func groups(event: String, type: ContentType, reach: @autoclosure () -> Reach, now: Double) -> [AudienceGroup] {
        let key = EventKey(uid: UTF8Text(type.uid), event: UTF8Text(event), hasOwner: type.ownerField != nil)
        if let cached = self.groups.withLockedValue({ $0[key] }), cached.validUntil.map({ now < $0 }) ?? true {
            return cached.groups
        }
        let made = self.makeGroups(event: event, type: type, reach: reach(), now: now)
        self.groups.withLockedValue { cache in
            if cache.count >= Self.cacheCapacity { cache.removeAll(keepingCapacity: true) }
            cache[key] = made
        }
        return made.groups
    }

    private func makeGroups(event: String, type: ContentType, reach: Reach, now: Double) -> CachedGroups {
        var order: [Projection] = []
        var groups: [Projection: AudienceGroup] = [:]
        var validUntil: Double?
        for audience in self.audiences {
            if let expiry = audience.expiresAt {
                if expiry <= now { continue }
                validUntil = min(validUntil ?? expiry, expiry)
            }
            let standing = self.standing(of: audience, event: event, type: type)
            guard standing != .nothing else { continue }
            let projection = Projection(of: audience, reach: reach)
            if groups[projection] == nil {
                order.append(projection)
                groups[projection] = AudienceGroup(projection: projection)
            }
            switch standing {
            case .everything: groups[projection]?.rooms.append(audience.room)
            case .ownOnly: groups[projection]?.ownerRooms.append(audience.room)
            case .nothing: break
            }
        }
        return CachedGroups(groups: order.compactMap { groups[$0] }, validUntil: validUntil)
    }

    /// Which events of a name and type an audience receives.
    enum Standing {
        case everything
        /// Those about entries that the receiver owns.
        case ownOnly
        case nothing
    }

    func standing(of audience: Audience, event: String, type: ContentType) -> Standing {
        let ability = audience.ability
        let usesAliases = self.policy.usesAliases
        let receives = ability.canReceive(event, of: type.uid, policy: self.policy.receives, usesAliases: usesAliases)
        guard type.ownerField != nil else { return receives ? .everything : .nothing }
        if ability.canReceiveAny(event, of: type.uid, usesAliases: usesAliases) { return .everything }
        return receives ? .ownOnly : .nothing
    }
}
