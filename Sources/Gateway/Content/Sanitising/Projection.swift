import SocketIOWire

/// Everything that decides what an audience may see of a content type's entries.
///
/// Audiences with equal projections receive the same bytes, which are encoded once.
struct Projection: Sendable, Hashable {
    /// A rule for fields.
    ///
    /// It compares their names by their bytes.
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

    /// The types whose entries the audience may see as related entries.
    let visibleTargets: Set<UTF8Text>
    /// The rules for fields that may apply, by the uid of a type or component.
    let rules: [UTF8Text: Rule]

    init(visibleTargets: Set<String> = [], rules: [String: Role.FieldRule] = [:]) {
        self.visibleTargets = Set(visibleTargets.map { UTF8Text($0) })
        self.rules = Dictionary(uniqueKeysWithValues: rules.map { (UTF8Text($0.key), Rule($0.value)) })
    }

    /// Makes the projection of an audience for a type whose entries can contain these types.
    init(of audience: Audience, reach: Reach) {
        self.visibleTargets = reach.targets.filter { audience.ability.canFind($0.string) }
        let rules = audience.fields.map { (UTF8Text($0.key), Rule($0.value)) }
        self.rules = Dictionary(uniqueKeysWithValues: rules.filter { reach.shapes.contains($0.0) })
    }
}
