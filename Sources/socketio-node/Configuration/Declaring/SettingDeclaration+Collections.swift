import OrderedCollections

extension SettingDeclaration {
    /// A list of texts.
    static func texts(
        _ name: String,
        _ property: any SettingProperty<Root, [String]>,
        _ rule: TextRule,
        _ change: SettingChange,
        _ summary: String,
        example: String? = nil
    ) -> Self {
        .list(name, property, .text(rule), change, summary, example: example, text: { $0 }, element: { $0 })
    }

    /// A list of what texts stand for: `text` writes an element, and `element` reads one.
    static func list<Element>(
        _ name: String,
        _ property: any SettingProperty<Root, [Element]>,
        _ kind: SettingKind,
        _ change: SettingChange,
        _ summary: String,
        example: String? = nil,
        text: @escaping @Sendable (Element) -> String,
        element: @escaping @Sendable (String) -> Element?
    ) -> Self {
        .value(
            name,
            .list(kind),
            property,
            change,
            summary,
            example: example,
            literal: { elements in .list(elements.map { .text(text($0)) }) },
            value: { setting in setting.isSet ? setting.texts.compactMap(element) : nil }
        )
    }

    /// A list of choices.
    static func choices<Choice: RawRepresentable<String> & CaseIterable & SendableMetatype>(
        _ name: String,
        _ property: any SettingProperty<Root, [Choice]>,
        _ change: SettingChange,
        _ summary: String
    ) -> Self {
        .list(
            name,
            property,
            .choice(Choice.allCases.map(\.rawValue)),
            change,
            summary,
            text: { $0.rawValue },
            element: { Choice(rawValue: $0) }
        )
    }

    /// A list of texts in any order.
    static func set(
        _ name: String,
        _ property: any SettingProperty<Root, Set<String>>,
        _ rule: TextRule,
        _ change: SettingChange,
        _ summary: String
    ) -> Self {
        .value(
            name,
            .list(.text(rule)),
            property,
            change,
            summary,
            literal: { texts in .list(texts.sorted().map { .text($0) }) },
            value: { setting in setting.isSet ? Set(setting.texts) : nil }
        )
    }

    /// A list of texts in any order that may be missing.
    static func optionalSet(
        _ name: String,
        _ property: any SettingProperty<Root, Set<String>?>,
        _ kind: SettingKind,
        _ change: SettingChange,
        _ summary: String
    ) -> Self {
        .value(
            name,
            .list(kind),
            property,
            change,
            summary,
            literal: { texts in texts.map { .list($0.sorted().map { .text($0) }) } },
            value: { setting in setting.isSet ? .some(Set(setting.texts)) : nil }
        )
    }

    /// A map of names to entries that know their names.
    static func map<Entry>(
        _ name: String,
        _ property: any SettingProperty<Root, [Entry]>,
        named rule: TextRule,
        _ entry: SettingEntry<Entry>,
        _ change: SettingChange,
        _ summary: String,
        example: String? = nil
    ) -> Self {
        .value(
            name,
            .map(rule, entry.kind),
            property,
            change,
            summary,
            example: example,
            literal: { _ in .map([:]) },
            value: { setting in setting.isSet ? setting.members.map { entry.read($0.key, $0.value) } : nil }
        )
    }

    /// A map of names to entries that do not know their names; `element` makes what the property holds.
    static func dictionary<Entry, Element>(
        _ name: String,
        _ property: any SettingProperty<Root, [String: Element]>,
        named rule: TextRule,
        _ entry: SettingEntry<Entry>,
        _ change: SettingChange,
        _ summary: String,
        element: @escaping @Sendable (Entry) -> Element
    ) -> Self {
        .value(
            name,
            .map(rule, entry.kind),
            property,
            change,
            summary,
            literal: { _ in .map([:]) },
            value: { setting in
                guard setting.isSet else { return nil }
                return setting.members.reduce(into: [:]) { $0[$1.key] = element(entry.read($1.key, $1.value)) }
            }
        )
    }

    /// A list of entries.
    static func entries<Entry>(
        _ name: String,
        _ property: any SettingProperty<Root, [Entry]>,
        _ entry: SettingEntry<Entry>,
        _ change: SettingChange,
        _ summary: String,
        example: String? = nil
    ) -> Self {
        .value(
            name,
            .list(entry.kind),
            property,
            change,
            summary,
            example: example,
            literal: { _ in .list([]) },
            value: { setting in setting.isSet ? setting.list.map { entry.read("", $0) } : nil }
        )
    }

    /// A group of settings that are parts of the same value.
    ///
    /// A change of the group is in force when a change of each of its members would be.
    static func record(_ name: String, _ summary: String, _ members: [SettingDeclaration<Root>]) -> Self {
        Self(
            name: name,
            change: members.contains { $0.change == .restart } ? .restart : .live,
            summary: summary,
            kind: { root in .record(members.map { $0.field(of: root) }) },
            literal: { _ in nil },
            store: { setting, root in
                for member in members { member.store(setting[member.name], &root) }
            }
        )
    }
}
