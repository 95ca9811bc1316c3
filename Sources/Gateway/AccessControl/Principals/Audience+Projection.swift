import SocketIOWire

extension Projection {
    /// The projection of somebody who may see these types as related entries, with the rules for fields that apply.
    init(visibleTargets: Set<String> = [], rules: [String: Role.FieldRule] = [:]) {
        self.init(visibleTypes: Set(visibleTargets.map { UTF8Text($0) }), rules: rules)
    }

    /// The projection of an audience for a type whose entries can contain these types.
    init(of audience: Audience, reach: Reach) {
        self.init(
            visibleTypes: reach.targets.filter { audience.ability.canFind($0.string) },
            rules: audience.fields.filter { reach.shapes.contains(UTF8Text($0.key)) }
        )
    }

    private init(visibleTypes: Set<UTF8Text>, rules: [String: Role.FieldRule]) {
        let rules = rules.map { uid, rule in (UTF8Text(uid), Rule(allow: rule.allow, deny: rule.deny)) }
        self.init(visibleTargets: visibleTypes, rules: Dictionary(uniqueKeysWithValues: rules))
    }
}
