import SocketIOWire

/// Which keys of a room's state clients may change.
struct StatePolicy: Sendable {
    private struct Rule: Sendable {
        var ownsKeys = false
        var patterns: [Glob] = []
    }

    private let rules: [UTF8Text: Rule]

    init(_ roles: [Role]) {
        self.rules = Dictionary(
            roles.map { role in
                var rule = Rule()
                for pattern in role.statePolicy {
                    if UTF8Text(pattern) == UTF8Text(Role.ownKeys) {
                        rule.ownsKeys = true
                    } else {
                        rule.patterns.append(Glob(pattern))
                    }
                }
                return (UTF8Text(role.type), rule)
            }
        ) { first, _ in first }
    }

    /// Whether a client may change a key.
    ///
    /// Clients without a role, which are those of API tokens and operators, change their own keys.
    func allows(_ key: UTF8Text, for principal: Principal, socketID: String) -> Bool {
        guard let role = principal.role else { return Self.isOwn(key, of: principal, socketID: socketID) }
        guard let rule = self.rules[UTF8Text(role.type)] else { return false }
        if rule.ownsKeys, Self.isOwn(key, of: principal, socketID: socketID) { return true }
        return rule.patterns.contains { $0.matches(key.string) }
    }

    private static func isOwn(_ key: UTF8Text, of principal: Principal, socketID: String) -> Bool {
        if key == UTF8Text(socketID) { return true }
        return principal.user.map { key == UTF8Text(RoomName.user($0.id).name) } ?? false
    }
}
