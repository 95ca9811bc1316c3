/// One key of the configuration, with its default.
///
/// It is made from a ``SettingDeclaration`` and a value that has the defaults. The reader, the names in the environment,
/// `check-config`, `config` and all generated files come from these fields and nowhere else.
struct SettingField: Sendable {
    var name: String
    var kind: SettingKind
    /// `nil`: the key has no default.
    var `default`: SettingLiteral?
    var isRequired = false
    var change: SettingChange
    /// What the key means.
    var summary: String
    /// A longer YAML value to show as a comment where the default is empty.
    var example: String?

    /// Whether an entry without this very key is wrong; a secret may stand in a file instead.
    var mustStandHere: Bool { self.isRequired && self.fileField == nil }

    /// A secret's second key, which names the file that holds it.
    var fileField: SettingField? {
        guard case .secret = self.kind else { return nil }
        return SettingField(
            name: self.name + "File",
            kind: .text(.nonEmpty),
            change: self.change,
            summary: "A file that holds `\(self.name)`, instead of writing it here."
        )
    }
}
