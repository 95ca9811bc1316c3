/// A setting, declared once: its key, the property of a `Root` that it sets, its kind with its bounds, when a change of it
/// is in force, and what it means in a sentence.
///
/// The functions that make declarations are named after the kinds: ``bool(_:_:_:_:)``, `integer`, `duration` and so on.
/// The default is what the property is in a new `Root`.
struct SettingDeclaration<Root>: Sendable {
    let name: String
    let change: SettingChange
    let summary: String
    var example: String?
    /// Whether an entry without this key is wrong; it has no default then.
    var isRequired = false
    /// The shape; that of a group depends on the defaults of what is in it.
    let kind: @Sendable (Root) -> SettingKind
    /// The value that a `Root` has; `nil` if it is to be told as missing.
    let literal: @Sendable (Root) -> SettingLiteral?
    /// Sets the property; what is missing, or was reported as wrong, changes nothing.
    let store: @Sendable (_ setting: Setting, _ root: inout Root) -> Void

    /// The setting with its default, which the root has.
    func field(of root: Root) -> SettingField {
        SettingField(
            name: self.name,
            kind: self.kind(root),
            default: self.isRequired ? nil : self.literal(root),
            isRequired: self.isRequired,
            change: self.change,
            summary: self.summary,
            example: self.example
        )
    }
}

/// What the entries of a map or list are made of.
struct SettingEntry<Entry>: Sendable {
    /// The key of which a lone text is the value, instead of a map.
    var shorthand: String?
    let declarations: [SettingDeclaration<Entry>]
    /// A new entry with the defaults; an entry of a list has no name.
    let make: @Sendable (_ name: String) -> Entry

    init(
        shorthand: String? = nil,
        _ declarations: [SettingDeclaration<Entry>],
        make: @escaping @Sendable (_ name: String) -> Entry
    ) {
        self.shorthand = shorthand
        self.declarations = declarations
        self.make = make
    }

    var kind: SettingKind {
        let entry = self.make("")
        let fields = self.declarations.map { $0.field(of: entry) }
        return self.shorthand.map { .shorthand(member: $0, fields) } ?? .record(fields)
    }

    func read(_ name: String, _ setting: Setting) -> Entry {
        var entry = self.make(name)
        for declaration in self.declarations { declaration.store(setting[declaration.name], &entry) }
        return entry
    }
}
