import SocketIOWire

/// What other rules change for all who have the same role or token.
struct AudienceChange: Sendable {
    /// Who is meant.
    struct Key: Sendable, Hashable {
        var kind: PrincipalRecord.Kind
        var role: UTF8Text?
        var tokenID: UTF8Text?

        init(_ record: PrincipalRecord) {
            self.kind = record.kind
            self.role = record.role
            self.tokenID = record.tokenID
        }
    }

    /// Why they may not stay; `nil` if they may.
    var refusal: RenewalRefusal?
    /// The scopes that they no longer hold, in order.
    var removed: [UTF8Text] = []
    /// The scopes that they hold now, in order.
    var added: [UTF8Text] = []
    /// Whether the gateway puts them into other rooms.
    var movesRooms = false
    /// Whether they may join other rooms by themselves.
    var changesJoining = false
    /// Whether they may follow other entities, or follow them in another way.
    var changesFollowing = false
    /// Whether what is written down about them is no longer right.
    var changesRecord = false

    /// Whether there is nothing to do.
    var isNothing: Bool {
        self.refusal == nil && self.removed.isEmpty && self.added.isEmpty && !self.movesRooms && !self.changesJoining
            && !self.changesFollowing && !self.changesRecord
    }

    init(of record: PrincipalRecord, from old: Rules, to new: Rules, typesDiffer: Bool, now: Double) {
        guard old.access.knows(record) || new.access.knows(record) else { return }
        let before = old.access.principal(of: record)
        let after: Principal
        do {
            after = try new.access.renewed(record, from: old.access, now: now)
        } catch {
            self.refusal = error
            return
        }
        // Nobody has been let in yet.
        guard record.kind != .unauthorized else { return }
        let (held, holds) = (before.permissions, after.permissions)
        self.removed = held.subtracting(holds).sorted()
        self.added = holds.subtracting(held).sorted()
        self.movesRooms = Set(old.rooms(of: before)) != Set(new.rooms(of: after))
        self.changesJoining =
            old.access.roomPolicy.grants(to: before.role) != new.access.roomPolicy.grants(to: after.role)
        let (could, can) = (old.access.ability(of: before), new.access.ability(of: after))
        self.changesFollowing =
            typesDiffer || could != can || before.audienceRoom != after.audienceRoom
            || old.access.subscriptionPolicy.settings != new.access.subscriptionPolicy.settings
        switch (before, after) {
        case (.token(let before), .token(let after)): self.changesRecord = before.expiresAt != after.expiresAt
        case (.visitor, .visitor(let role)): self.changesRecord = UTF8Text(role.type) != record.role
        case (.user, _), (.visitor, _), (.token, _), (.operator, _): self.changesRecord = false
        }
    }
}
