/// A rule for a text, with the words that say what would be right.
struct TextRule: Sendable {
    /// Completes "expected …": `a path that begins with /`.
    var expectation: String
    /// What editors can check of it, as a regular expression of JavaScript: it matches every text that is accepted.
    var pattern: String
    /// A text that is accepted.
    var example: String
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
                ? "a duration with its unit (ms, s, m, h), \(Self.duration(range.lowerBound)) or more"
                : "a duration with its unit (ms, s, m, h) from \(Self.duration(range.lowerBound)) to "
                    + Self.duration(range.upperBound)
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

    /// Whether a wrong value is not to be quoted: it may be a secret that stands one level too high.
    var hidesValue: Bool {
        switch self {
        case .secret: true
        case .text(let rule): rule.hidesValue
        case .list(let element), .map(_, let element): element.hidesValue
        case .record(let fields), .shorthand(_, let fields): fields.contains { $0.kind.hidesValue }
        case .scalarOr(let scalar, let collection): scalar.hidesValue || collection.hidesValue
        case .bool, .integer, .duration, .bytes, .choice, .listOrTree: false
        }
    }

    /// The keys of the entries of a map or list.
    var entryFields: [SettingField]? {
        switch self {
        case .map(_, .record(let fields)), .map(_, .shorthand(_, let fields)), .list(.record(let fields)): fields
        case .bool, .integer, .duration, .bytes, .text, .secret, .choice, .list, .map, .record, .shorthand, .scalarOr,
            .listOrTree:
            nil
        }
    }

    /// Whether an override can be given as bare text, without YAML's punctuation.
    var isScalar: Bool {
        switch self {
        case .bool, .integer, .duration, .bytes, .text, .secret, .choice: true
        case .list, .map, .record, .shorthand, .scalarOr, .listOrTree: false
        }
    }

    private static func duration(_ milliseconds: Int) -> String {
        milliseconds == 0 ? "0ms" : SettingLiteral.duration(milliseconds).yaml
    }
}
