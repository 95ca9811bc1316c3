/// A rule for a text, with the words that say what would be right.
struct TextRule: Sendable {
    /// Completes "expected …": `a path that begins with /`.
    var expectation: String
    /// Whether what is wrong may be a secret that was put in the wrong place, and must not be quoted.
    var hidesValue = false
    var accepts: @Sendable (String) -> Bool
}

/// The shape of a setting: what the reader accepts, and what it says when it doesn't.
indirect enum SettingKind: Sendable {
    case bool
    case integer(ClosedRange<Int>)
    /// A number with its unit (`300ms`, `25s`, `2m`, `1h`), kept in milliseconds.
    case duration(ClosedRange<Int>)
    /// A number of bytes, optionally with a unit (`1MB`, `64KiB`).
    case bytes(ClosedRange<Int>)
    case text(TextRule)
    /// A text that never appears in output. Its key has a sibling `…File` that names a file to read it from.
    case secret(TextRule)
    case choice([String])
    case list(SettingKind)
    /// Free names, each checked by the rule, all with values of one kind.
    case map(TextRule, SettingKind)
    case record([SettingField])
    /// A record of which a lone text gives this member: `title: string` for `title: {type: string}`.
    case shorthand(member: String, [SettingField])
    /// Either of two shapes, told apart by whether a scalar or a collection was written.
    case scalarOr(SettingKind, SettingKind)
    /// A list of texts, or a map of free names to `true` or to nested values of this kind.
    case listOrTree
}

/// One key of the configuration: the parser, the environment's names, `check-config` and `config/node.yaml` come from
/// these entries and nowhere else.
struct SettingField: Sendable {
    var name: String
    var kind: SettingKind
    /// The default as it is written in YAML; `nil`: none.
    var `default`: String?
    var isRequired = false
    /// What the key means, for `config/node.yaml`.
    var summary: String
    /// A longer YAML value to show as a comment where the default is empty.
    var example: String?

    init(
        _ name: String,
        _ kind: SettingKind,
        default: String? = nil,
        required: Bool = false,
        _ summary: String,
        example: String? = nil
    ) {
        self.name = name
        self.kind = kind
        self.default = `default`
        self.isRequired = required
        self.summary = summary
        self.example = example
    }

    /// A secret's second key, which names the file that holds it.
    var fileField: SettingField? {
        guard case .secret = self.kind else { return nil }
        return SettingField(
            self.name + "File",
            .text(.nonEmpty),
            "A file that holds `\(self.name)`, instead of writing it here."
        )
    }
}

extension SettingKind {
    /// Completes "expected …".
    var expectation: String {
        switch self {
        case .bool: "true or false"
        case .integer(let range):
            range.upperBound == Int.max
                ? "a whole number, \(range.lowerBound) or more"
                : "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .duration(let range):
            range.upperBound == Int.max
                ? "a duration with its unit (ms, s, m, h), \(Duration.text(range.lowerBound)) or more"
                : "a duration with its unit (ms, s, m, h) from \(Duration.text(range.lowerBound)) to "
                    + Duration.text(range.upperBound)
        case .bytes(let range):
            range.upperBound == Int.max
                ? "a number of bytes (also KB, MB, KiB, MiB), \(range.lowerBound) or more"
                : "a number of bytes (also KB, MB, KiB, MiB) from \(range.lowerBound) to \(range.upperBound)"
        case .text(let rule), .secret(let rule): rule.expectation
        case .choice(let choices): "one of " + choices.joined(separator: ", ")
        case .list: "a list"
        case .map: "a map of names to values"
        case .record(let fields), .shorthand(_, let fields):
            "a map with the keys " + fields.map(\.name).joined(separator: ", ")
        case .scalarOr(let scalar, let collection): scalar.expectation + ", or " + collection.expectation
        case .listOrTree: "a list, or a map of names to true or to maps"
        }
    }

    var isSecret: Bool { if case .secret = self { true } else { false } }

    /// Whether a wrong value is not to be quoted.
    var hidesValue: Bool {
        switch self {
        case .secret: true
        case .text(let rule): rule.hidesValue
        case .bool, .integer, .duration, .bytes, .choice, .list, .map, .record, .shorthand, .scalarOr, .listOrTree:
            false
        }
    }

    /// Whether an override can be given as bare text, without YAML's punctuation.
    var isScalar: Bool {
        switch self {
        case .bool, .integer, .duration, .bytes, .text, .secret, .choice: true
        case .list, .map, .record, .shorthand, .scalarOr, .listOrTree: false
        }
    }
}

extension Duration {
    /// Milliseconds as a configuration writes them: `25s`, `300ms`.
    fileprivate static func text(_ milliseconds: Int) -> String {
        if milliseconds > 0, milliseconds.isMultiple(of: 3_600_000) { return "\(milliseconds / 3_600_000)h" }
        if milliseconds > 0, milliseconds.isMultiple(of: 60_000) { return "\(milliseconds / 60_000)m" }
        if milliseconds > 0, milliseconds.isMultiple(of: 1000) { return "\(milliseconds / 1000)s" }
        return "\(milliseconds)ms"
    }
}
