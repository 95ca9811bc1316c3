import SocketIOWire

/// All that distinguishes what one audience may see of a content type's entries from what another may.
///
/// Audiences with equal projections receive the same bytes, encoded once.
struct Projection: Sendable, Hashable {
    /// A rule for fields, which tells their names apart by their bytes.
    struct Rule: Sendable, Hashable {
        private let allow: Set<UTF8Text>?
        private let deny: Set<UTF8Text>

        init(_ rule: Role.FieldRule) {
            self.allow = rule.allow.map { Set($0.map { UTF8Text($0) }) }
            self.deny = Set(rule.deny.map { UTF8Text($0) })
        }

        func permits(_ field: UTF8Text) -> Bool {
            !self.deny.contains(field) && (self.allow?.contains(field) ?? true)
        }
    }

    /// The types whose entries stay where a relation leads to them.
    let visibleTargets: Set<UTF8Text>
    /// The rules for fields that can apply, by the uid of a type or component.
    let rules: [UTF8Text: Rule]

    init(visibleTargets: Set<String> = [], rules: [String: Role.FieldRule] = [:]) {
        self.visibleTargets = Set(visibleTargets.map { UTF8Text($0) })
        self.rules = Dictionary(uniqueKeysWithValues: rules.map { (UTF8Text($0.key), Rule($0.value)) })
    }

    /// What an audience may see of a type whose entries reach that far.
    init(of audience: Audience, reach: Reach) {
        self.visibleTargets = reach.targets.filter { audience.ability.canFind($0.string) }
        let rules = audience.fields.map { (UTF8Text($0.key), Rule($0.value)) }
        self.rules = Dictionary(uniqueKeysWithValues: rules.filter { reach.shapes.contains($0.0) })
    }
}
