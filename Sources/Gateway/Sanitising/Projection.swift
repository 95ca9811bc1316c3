/// All that distinguishes what one audience may see of a content type's entries from what another may.
///
/// Audiences with equal projections receive the same bytes, encoded once.
struct Projection: Sendable, Hashable {
    /// The types whose entries stay where a relation leads to them.
    let visibleTargets: Set<String>
    /// The rules for fields that can apply, by the uid of a type or component.
    let rules: [String: Role.FieldRule]

    init(visibleTargets: Set<String> = [], rules: [String: Role.FieldRule] = [:]) {
        self.visibleTargets = visibleTargets
        self.rules = rules
    }

    /// What an audience may see of a type whose entries reach that far.
    init(of audience: Audience, reach: Reach) {
        self.visibleTargets = reach.targets.filter { audience.ability.canFind($0) }
        self.rules = audience.fields.filter { reach.shapes.contains($0.key) }
    }
}
