import NIOCore

/// A property that a setting sets.
typealias SettingProperty<Root, Value> = WritableKeyPath<Root, Value> & Sendable

extension SettingDeclaration {
    static func bool(
        _ name: String,
        _ property: any SettingProperty<Root, Bool>,
        _ change: SettingChange,
        _ summary: String
    ) -> Self {
        .value(name, .bool, property, change, summary, literal: { .bool($0) }, value: { $0.bool })
    }

    static func integer(
        _ name: String,
        _ property: any SettingProperty<Root, Int>,
        _ range: ClosedRange<Int>,
        _ change: SettingChange,
        _ summary: String
    ) -> Self {
        .value(name, .integer(range), property, change, summary, literal: { .number($0) }, value: { $0.integer })
    }

    /// A number that may be missing.
    static func optionalInteger(
        _ name: String,
        _ property: any SettingProperty<Root, Int?>,
        _ range: ClosedRange<Int>,
        _ change: SettingChange,
        _ summary: String
    ) -> Self {
        .value(
            name,
            .integer(range),
            property,
            change,
            summary,
            literal: { $0.map { .number($0) } },
            value: { $0.integer.map { .some($0) } }
        )
    }

    /// A number of which 0 stands for no limit.
    static func limit(
        _ name: String,
        _ property: any SettingProperty<Root, Int?>,
        _ range: ClosedRange<Int>,
        _ change: SettingChange,
        _ summary: String
    ) -> Self {
        .value(
            name,
            .integer(range),
            property,
            change,
            summary,
            literal: { .number($0 ?? 0) },
            value: { $0.integer.map { $0 == 0 ? nil : $0 } }
        )
    }

    /// A duration with bounds in milliseconds.
    static func duration(
        _ name: String,
        _ property: any SettingProperty<Root, TimeAmount>,
        _ range: ClosedRange<Int>,
        _ change: SettingChange,
        _ summary: String
    ) -> Self {
        .value(
            name,
            .duration(range),
            property,
            change,
            summary,
            literal: { .duration(Int($0.nanoseconds / 1_000_000)) },
            value: { $0.time }
        )
    }

    static func bytes(
        _ name: String,
        _ property: any SettingProperty<Root, Int>,
        _ range: ClosedRange<Int>,
        _ change: SettingChange,
        _ summary: String
    ) -> Self {
        .value(name, .bytes(range), property, change, summary, literal: { .bytes($0) }, value: { $0.integer })
    }

    static func text(
        _ name: String,
        _ property: any SettingProperty<Root, String>,
        _ rule: TextRule,
        _ change: SettingChange,
        _ summary: String
    ) -> Self {
        .value(name, .text(rule), property, change, summary, literal: { .text($0) }, value: { $0.text })
    }

    /// A text that may be missing.
    static func optionalText(
        _ name: String,
        _ property: any SettingProperty<Root, String?>,
        _ rule: TextRule,
        _ change: SettingChange,
        _ summary: String,
        example: String? = nil
    ) -> Self {
        .value(
            name,
            .text(rule),
            property,
            change,
            summary,
            example: example,
            literal: { $0.map { .text($0) } },
            value: { $0.text.map { .some($0) } }
        )
    }

    /// A text that no output shows, and that can be read from a file.
    static func secret(
        _ name: String,
        _ property: any SettingProperty<Root, String?>,
        _ rule: TextRule,
        _ change: SettingChange,
        _ summary: String,
        example: String? = nil
    ) -> Self {
        .value(
            name,
            .secret(rule),
            property,
            change,
            summary,
            example: example,
            literal: { _ in nil },
            value: { $0.text.map { .some($0) } }
        )
    }

    static func choice<Choice: RawRepresentable<String> & CaseIterable & SendableMetatype>(
        _ name: String,
        _ property: any SettingProperty<Root, Choice>,
        _ change: SettingChange,
        _ summary: String
    ) -> Self {
        .value(
            name,
            .choice(Choice.allCases.map(\.rawValue)),
            property,
            change,
            summary,
            literal: { .text($0.rawValue) },
            value: { $0.text.flatMap { Choice(rawValue: $0) } }
        )
    }

    /// A choice that may be missing, which has a name as well.
    static func choice<Choice: RawRepresentable<String> & CaseIterable & SendableMetatype>(
        _ name: String,
        _ property: any SettingProperty<Root, Choice?>,
        orNone none: String,
        _ change: SettingChange,
        _ summary: String
    ) -> Self {
        .value(
            name,
            .choice([none] + Choice.allCases.map(\.rawValue)),
            property,
            change,
            summary,
            literal: { .text($0?.rawValue ?? none) },
            value: { $0.text.map { Choice(rawValue: $0) } }
        )
    }

    /// A setting of any kind.
    ///
    /// `literal` writes a value, or answers `nil` if it is to be told as missing. `value` reads a checked setting, or
    /// answers `nil` if it changes nothing.
    static func value<Value>(
        _ name: String,
        _ kind: SettingKind,
        _ property: any SettingProperty<Root, Value>,
        _ change: SettingChange,
        _ summary: String,
        example: String? = nil,
        literal: @escaping @Sendable (Value) -> SettingLiteral?,
        value: @escaping @Sendable (Setting) -> Value?
    ) -> Self {
        Self(
            name: name,
            change: change,
            summary: summary,
            example: example,
            kind: { _ in kind },
            literal: { root in literal(root[keyPath: property]) },
            store: { setting, root in
                if let value = value(setting) { root[keyPath: property] = value }
            }
        )
    }

    /// The same setting, without which an entry is wrong.
    var required: Self {
        var declaration = self
        declaration.isRequired = true
        return declaration
    }
}
