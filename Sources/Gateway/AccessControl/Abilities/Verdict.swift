import SocketIOWire

/// Whether an audience receives an event, and by which rule.
struct Verdict: Sendable, Hashable {
    enum Standing: String, Sendable, Hashable, CaseIterable {
        /// It receives the event, whoever owns the entry.
        case permitted
        /// Those of its members receive it who own the entry.
        case ownersOnly
        case denied
    }

    var standing: Standing
    /// The rule, in a sentence.
    var reason: String
}

extension AudienceDirectory {
    /// Whether an audience receives an event, and by which rule.
    func verdict(on event: String, of type: ContentType, for audience: Audience, now: Double) -> Verdict {
        if let expiry = audience.expiresAt, expiry <= now {
            return Verdict(standing: .denied, reason: "The token has expired.")
        }
        let scope = self.policy.receives == .read ? "\(type.uid).find" : "\(type.uid).\(event)"
        switch self.standing(of: audience, event: event, type: type) {
        case .nothing:
            return Verdict(standing: .denied, reason: "It lacks the scope \(scope)\(self.alternative(event, type)).")
        case .ownOnly:
            return Verdict(
                standing: .ownersOnly,
                reason: "It receives events about its own entries; those of others need the scope "
                    + "\(type.uid).\(event):any\(self.alternative("\(event)", type, suffix: ":any"))."
            )
        case .everything:
            if audience.ability.isFull {
                return Verdict(standing: .permitted, reason: "It may do everything.")
            }
            let any = type.ownerField == nil ? "" : ", and its scopes reach beyond its own entries"
            return Verdict(
                standing: .permitted,
                reason: "Its scopes allow it: \(scope)\(self.alternative(event, type))\(any)."
            )
        }
    }

    /// ` or <uid>.update` where that scope stands in for the event's own.
    private func alternative(_ event: String, _ type: ContentType, suffix: String = "") -> String {
        guard self.policy.usesAliases, suffix == ":any" || self.policy.receives == .action,
            let alias = Ability.aliases[UTF8Text(event)]
        else { return "" }
        return " or \(type.uid).\(alias)\(suffix)"
    }
}
