import SocketIOWire

/// The revocations that a node knows, ready for look-ups.
struct RevocationList: Sendable {
    /// The most revocations that are kept.
    static let capacity = 100_000

    private var entries: [UTF8Text: Revocation] = [:]

    var count: Int { self.entries.count }

    /// All of them, in no order.
    var all: [Revocation] { Array(self.entries.values) }

    /// Adds a revocation.
    ///
    /// - Returns: Whether there are tokens that it revokes and nothing before did. Without room it is not added.
    mutating func add(_ revocation: Revocation, now: Double) -> Bool {
        guard !revocation.hasEnded(at: now) else { return false }
        let name = revocation.name
        guard let known = self.entries[name] else {
            if self.entries.count >= Self.capacity { self.prune(now: now) }
            guard self.entries.count < Self.capacity else { return false }
            self.entries[name] = revocation
            return true
        }
        let merged = known.merged(with: revocation)
        self.entries[name] = merged
        return merged.issuedBefore > known.issuedBefore || known.hasEnded(at: now)
    }

    /// Forgets those that are over.
    mutating func prune(now: Double) {
        self.entries = self.entries.filter { !$0.value.hasEnded(at: now) }
    }

    /// The revocation of that name, if it is not over.
    private func entry(_ name: UTF8Text, _ now: Double) -> Revocation? {
        self.entries[name].flatMap { $0.hasEnded(at: now) ? nil : $0 }
    }

    /// Whether a socket's token is revoked.
    func revokes(_ record: PrincipalRecord, now: Double) -> Bool {
        // Usually there are none.
        guard !self.entries.isEmpty else { return false }
        switch record.kind {
        case .visitor, .unauthorized: return false
        case .token: return record.tokenID.map { self.entry("a:\($0.string)", now) != nil } ?? false
        case .user, .operator:
            if let id = record.jsonWebTokenID, self.entry("j:\(id.string)", now) != nil { return true }
            let issuedAt = record.issuedAt ?? -.infinity
            if let everybody = self.entry("*", now), issuedAt < everybody.issuedBefore { return true }
            guard let user = record.userID, let entry = self.entry("u:\(user.text)", now) else { return false }
            return issuedAt < entry.issuedBefore
        }
    }
}
