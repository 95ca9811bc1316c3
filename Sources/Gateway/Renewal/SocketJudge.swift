import OrderedCollections
import SocketIOWire

/// What becomes of a socket when the rules are replaced.
enum SocketVerdict: Sendable, Hashable {
    case unchanged
    /// It may not stay, for this reason.
    case expelled(String)
    case changed(SocketChange)
}

/// What a socket may do otherwise than before.
struct SocketChange: Sendable, Hashable {
    /// What is to be written down about the socket; `nil` if that stays.
    var record: PrincipalRecord?
    /// The scopes that it no longer holds, in order.
    var removed: [UTF8Text] = []
    /// The scopes that it holds now, in order.
    var added: [UTF8Text] = []
    /// The rooms that it leaves, in order.
    var left: [Room] = []
    /// The rooms that it joins, in order.
    var joined: [Room] = []

    /// `{removed, added, rooms?: {left, joined}}`: what the client is told; `nil` if that is nothing to it.
    ///
    /// Rooms that only the gateway knows of are left out.
    var message: JSONValue? {
        let left = self.left.filter { !RoomName.isInternal($0) }.map(\.name)
        let joined = self.joined.filter { !RoomName.isInternal($0) }.map(\.name)
        guard !(self.removed.isEmpty && self.added.isEmpty && left.isEmpty && joined.isEmpty) else { return nil }
        var message: JSONObject = [
            "removed": .array(self.removed.map { .string($0.string) }),
            "added": .array(self.added.map { .string($0.string) }),
        ]
        if !(left.isEmpty && joined.isEmpty) {
            message["rooms"] = [
                "left": .array(left.map { .string($0) }), "joined": .array(joined.map { .string($0) }),
            ]
        }
        return .object(message)
    }
}

/// Judges sockets that were let in under other rules.
///
/// It knows no socket: what there is to know comes in. What is the same for all sockets of a role is worked out once.
struct SocketJudge: Sendable {
    /// What there is to know about a socket.
    struct Case {
        var record: PrincipalRecord
        /// Its address, if it is known.
        var address: String?
        /// The namespace, unless it is the main one.
        var namespace: GatewayNamespace?
        /// The room of its own id.
        var own: Room
    }

    let old: Rules
    let new: Rules
    let now: Double
    private let checksDiffer: Bool
    private let typesDiffer: Bool
    private var changes: [AudienceChange.Key: AudienceChange] = [:]

    init(from old: Rules, to new: Rules, now: Double) {
        self.old = old
        self.new = new
        self.now = now
        self.checksDiffer = !old.access.checks.hasSameAddresses(as: new.access.checks)
        self.typesDiffer = old.followingRules != new.followingRules
    }

    /// What becomes of a socket.
    ///
    /// - Parameters:
    ///   - socket: What there is to know about it.
    ///   - rooms: The rooms that it is in; asked for only if they matter.
    ///   - owners: Who owns an entity, if that is known.
    /// - Returns: What is to be done about it.
    mutating func judge(
        _ socket: Case,
        rooms: () -> Set<Room>,
        owners: (EntityRef, ContentType) -> [EntityID]?
    ) -> SocketVerdict {
        if self.checksDiffer, let address = socket.address {
            do {
                try self.new.access.checks.check(address: address)
            } catch {
                return .expelled(error.message)
            }
        }
        let record = socket.record
        let change = self.change(for: record)
        if let refusal = change.refusal { return .expelled(refusal.reason) }
        guard !change.isNothing,
            let after = try? self.new.access.renewed(record, from: self.old.access, now: self.now)
        else { return .unchanged }
        do {
            try socket.namespace?.check(after)
        } catch {
            return .expelled(error.message)
        }
        var result = SocketChange(removed: change.removed, added: change.added)
        if change.changesRecord {
            let expiresAt = if case .token(let token) = after { token.expiresAt } else { record.expiresAt }
            result.record = PrincipalRecord(after, expiresAt: expiresAt)
        }
        if change.movesRooms || change.changesJoining || change.changesFollowing || !change.removed.isEmpty {
            let before = self.old.access.principal(of: record)
            let (left, joined) = self.moves(of: socket, in: rooms(), from: before, to: after, change, owners)
            result.left = left.sorted { UTF8Text($0.name) < UTF8Text($1.name) }
            result.joined = joined.sorted { UTF8Text($0.name) < UTF8Text($1.name) }
        }
        return .changed(result)
    }

    /// Whether there can be anything to do about a socket of that kind.
    mutating func concerns(_ record: PrincipalRecord) -> Bool { !self.change(for: record).isNothing }

    private mutating func change(for record: PrincipalRecord) -> AudienceChange {
        let key = AudienceChange.Key(record)
        if let known = self.changes[key] { return known }
        let change = AudienceChange(
            of: record,
            from: self.old,
            to: self.new,
            typesDiffer: self.typesDiffer,
            now: self.now
        )
        self.changes[key] = change
        return change
    }

    /// The rooms that a socket leaves and joins.
    func moves(
        of socket: Case,
        in rooms: Set<Room>,
        from before: Principal,
        to after: Principal,
        _ change: AudienceChange,
        _ owners: (EntityRef, ContentType) -> [EntityID]?
    ) -> (left: Set<Room>, joined: Set<Room>) {
        let (was, now) = (Set(self.old.rooms(of: before)), Set(self.new.rooms(of: after)))
        let (former, policy) = (self.old.access.roomPolicy, self.new.access.roomPolicy)
        var left = was.subtracting(now).intersection(rooms).filter { !policy.grants($0, to: after.role) }
        // A client may have left rooms into which it was put, so it is put only into those that are new.
        var joined = now.subtracting(was).subtracting(rooms)
        if change.changesJoining {
            // A back end may have put the socket into rooms that its role never opened. There it stays.
            for room in rooms where room != socket.own && !now.contains(room) {
                if former.grants(room, to: before.role), !policy.grants(room, to: after.role) { left.insert(room) }
            }
        }
        if change.changesFollowing {
            let followed = FollowedEntities(rooms)
            if !followed.entities.isEmpty {
                let wanted = followed.rooms(
                    from: .init(before, self.old),
                    to: .init(after, self.new),
                    owners: owners
                )
                left.formUnion(followed.rooms.subtracting(wanted))
                joined.formUnion(wanted.subtracting(followed.rooms))
            }
        }
        // Whoever edits or previews entries asks again, because what he may see is not what it was.
        if before.audienceRoom != after.audienceRoom || !change.removed.isEmpty {
            left.formUnion(rooms.filter(RoomName.isCollaborative))
        }
        return (left, joined)
    }
}

extension Rules {
    /// What decides how entities of a type are followed, by uid.
    fileprivate var followingRules: [UTF8Text: [UTF8Text]] {
        Dictionary(
            self.configuration.contentTypes.map { type in
                (UTF8Text(type.uid), ([type.ownerField ?? ""] + type.idFields).map { UTF8Text($0) })
            }
        ) { _, last in last }
    }
}
