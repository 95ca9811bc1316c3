import OrderedCollections

/// Where a value came from, for messages, `check-config --effective` and `config show --origin`.
enum SettingOrigin: Sendable, Hashable {
    case file(path: String, line: Int, column: Int)
    /// The settings document that all nodes share.
    case document(version: Int)
    case environment(name: String)
    case flag(String)
    case `default`

    /// Stronger origins win: flags over environment over document over file over default.
    var strength: Int {
        switch self {
        case .flag: 4
        case .environment: 3
        case .document: 2
        case .file: 1
        case .default: 0
        }
    }
}

extension SettingOrigin: CustomStringConvertible {
    var description: String {
        switch self {
        case .file(let path, let line, let column): "\(path):\(line):\(column)"
        case .document(let version): "settings document, version \(version)"
        case .environment(let name): "environment \(name)"
        case .flag(let text): "flag \(text)"
        case .default: "default"
        }
    }
}

/// One value of the configuration, checked against its ``SettingKind``, with the place it came from.
struct Setting: Sendable {
    enum Value: Sendable {
        /// Nothing was given and there is no default, or what was given is wrong (and was reported).
        case unset
        case bool(Bool)
        /// Whole numbers; bytes; durations in milliseconds.
        case integer(Int)
        case text(String)
        case list([Setting])
        case members(OrderedDictionary<String, Setting>)
    }

    var path: String
    var origin: SettingOrigin
    var value: Value
}

/// The reader has checked every shape against the table, so a mismatch here is a mistake in this program: the
/// accessors answer `nil` or an empty collection for a value that is unset or was reported as wrong.
extension Setting {
    subscript(name: String) -> Setting {
        guard case .members(let members) = self.value, let member = members[name] else {
            return Setting(path: self.path.isEmpty ? name : "\(self.path).\(name)", origin: .default, value: .unset)
        }
        return member
    }

    var isSet: Bool { if case .unset = self.value { false } else { true } }
    var bool: Bool? { if case .bool(let value) = self.value { value } else { nil } }
    var integer: Int? { if case .integer(let value) = self.value { value } else { nil } }
    var text: String? { if case .text(let value) = self.value { value } else { nil } }
    var list: [Setting] { if case .list(let elements) = self.value { elements } else { [] } }
    var texts: [String] { self.list.compactMap(\.text) }
    var members: OrderedDictionary<String, Setting> {
        if case .members(let members) = self.value { members } else { [:] }
    }
}

/// Something wrong with the configuration: where, what was found, what would be right.
struct ConfigurationProblem: Error, Sendable, Hashable, CustomStringConvertible {
    /// The key, `listen.port`; empty for the file as a whole.
    var path: String
    var origin: SettingOrigin
    /// The value as it was written; `nil` if it is missing, too long to quote, or a secret.
    var value: String?
    /// What is wrong and what would be right.
    var message: String

    var description: String {
        var text = ""
        if self.origin != .default { text += "\(self.origin): " }
        if !self.path.isEmpty { text += "\(self.path): " }
        if let value = self.value { text += "'\(value)' " }
        return text + self.message
    }
}

/// Every problem of a configuration, found in one pass.
struct ConfigurationError: Error, CustomStringConvertible {
    var problems: [ConfigurationProblem]

    var description: String {
        let count = self.problems.count == 1 ? "1 problem" : "\(self.problems.count) problems"
        return "\(count) in the configuration:\n" + self.problems.map { "  \($0)" }.joined(separator: "\n")
    }
}
