import SocketIOWire

/// A socket that becomes somebody else under the same rules.
extension SocketJudge {
    /// What the socket may do otherwise than before.
    ///
    /// - Parameters:
    ///   - before: Who it was.
    ///   - after: Who it is.
    ///   - rooms: The rooms that it is in.
    ///   - own: The room of its own id.
    ///   - owners: Who owns an entity, if that is known.
    /// - Returns: What is to be done. What is to be written down about the socket is not in it.
    func change(
        from before: Principal,
        to after: Principal,
        in rooms: Set<Room>,
        own: Room,
        owners: (EntityRef, ContentType) -> [EntityID]?
    ) -> SocketChange {
        let (held, holds) = (before.permissions, after.permissions)
        var change = SocketChange(
            removed: held.subtracting(holds).sorted(),
            added: holds.subtracting(held).sorted()
        )
        guard before != after else { return change }
        let audience = AudienceChange(from: before, to: after)
        let record = PrincipalRecord(after, expiresAt: nil)
        let (left, joined) = self.moves(
            of: Case(record: record, own: own),
            in: rooms,
            from: before,
            to: after,
            audience,
            owners
        )
        change.left = left.sorted { UTF8Text($0.name) < UTF8Text($1.name) }
        change.joined = joined.sorted { UTF8Text($0.name) < UTF8Text($1.name) }
        return change
    }
}

extension AudienceChange {
    /// Somebody else, so that everything may have changed.
    init(from before: Principal, to after: Principal) {
        self.movesRooms = true
        self.changesJoining = true
        self.changesFollowing = true
    }
}
