import OrderedCollections
import SocketIOWire

/// A key whose values differ between two configurations.
struct SettingDifference: Sendable, Equatable {
    var path: String
    /// The values as they may be shown; `nil`: not set.
    var old: SettingLiteral?
    var new: SettingLiteral?
    /// Whether a running node could take the new value over.
    var change: SettingChange

    /// All differences, in the table's order; of secrets it tells only that they differ.
    ///
    /// An entry of a map that only one of the two has is one difference.
    static func all(from old: Setting, to new: Setting) -> [SettingDifference] {
        let before = SettingLeaves(old).leaves
        let after = SettingLeaves(new).leaves
        var keys = OrderedSet(after.keys)
        keys.append(contentsOf: before.keys)
        let isOneSided = { (entry: SettingLeaves.Key) in (before[entry] == nil) != (after[entry] == nil) }
        return keys.compactMap { key in
            let (old, new) = (before[key], after[key])
            guard old?.value != new?.value, let any = new ?? old, !any.entries.contains(where: isOneSided) else {
                return nil
            }
            return SettingDifference(path: any.path, old: old?.shown, new: new?.shown, change: any.change)
        }
    }
}

extension SettingDifference: CustomStringConvertible {
    /// Such as `listen.port: 3000 -> 4000 (restart)`.
    var description: String {
        let isSecret = self.old == .hidden && self.new == .hidden
        let text = isSecret ? "changed (hidden)" : "\(self.old?.yaml ?? "not set") -> \(self.new?.yaml ?? "not set")"
        return "\(self.path): \(text) (\(self.change.rawValue))"
    }
}

/// What a configuration consists of: values that have no parts of their own, and entries of maps.
struct SettingLeaves {
    /// The names that lead to it, for names may have dots in them.
    typealias Key = [UTF8Text]

    struct Leaf {
        var path: String
        /// The whole value by its bytes, never shown.
        var value: UTF8Text
        var shown: SettingLiteral
        var change: SettingChange
        /// The entries that it is a part of.
        var entries: [Key]
    }

    private(set) var leaves: OrderedDictionary<Key, Leaf> = [:]

    init(_ settings: Setting) {
        for field in SettingTable.root {
            self.collect(settings[field.name], field.kind, at: [UTF8Text(field.name)], field.change, [])
        }
    }

    private mutating func collect(
        _ setting: Setting,
        _ kind: SettingKind,
        at key: Key,
        _ change: SettingChange,
        _ entries: [Key]
    ) {
        switch (kind, setting.value) {
        case (.record(let fields), .members(let members)), (.shorthand(_, let fields), .members(let members)):
            for field in fields {
                guard let member = members[field.name] else { continue }
                self.collect(member, field.kind, at: key + [UTF8Text(field.name)], field.change, entries)
            }
        case (.map(_, let element), .members(let members)):
            for (name, member) in members {
                let memberKey = key + [UTF8Text(name)]
                let shown = member.literal(element, withDefaults: false) ?? .map([:])
                self.add(memberKey, member, value: .map([:]), shown: shown, change, entries)
                self.collect(member, element, at: memberKey, change, entries + [memberKey])
            }
        case (.list(let element), .list(let elements)) where element.hidesValue:
            for (index, member) in elements.enumerated() {
                self.collect(member, element, at: key + [UTF8Text("\(index)")], change, entries)
            }
        case (.secret, .text(let text)):
            self.add(key, setting, value: .text(text), shown: .hidden, change, entries)
        default:
            guard let literal = setting.literal(kind) else { return }
            self.add(key, setting, value: literal, shown: literal, change, entries)
        }
    }

    private mutating func add(
        _ key: Key,
        _ setting: Setting,
        value: SettingLiteral,
        shown: SettingLiteral,
        _ change: SettingChange,
        _ entries: [Key]
    ) {
        let leaf = Leaf(path: setting.path, value: UTF8Text(value.yaml), shown: shown, change: change, entries: entries)
        self.leaves[key] = leaf
    }
}
