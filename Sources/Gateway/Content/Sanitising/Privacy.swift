import OrderedCollections
import SocketIOWire

/// What a configuration keeps private: fields that it shows nobody.
///
/// Nodes tell each other, so that a field that is private to one of them is private to all.
struct Privacy: Sendable, Hashable {
    /// The private fields of each declared type and component, and those of all other types under `*`.
    ///
    /// A type without private fields is listed, too, because `*` does not hold for it.
    var fields: [UTF8Text: Set<UTF8Text>] = [:]
    /// Names that are private in all types.
    var names: Set<UTF8Text> = []
    /// Patterns of names that are private in all types.
    var patterns: Set<UTF8Text> = []

    /// The most names that a node believes another one.
    private static let maximumNames = 200_000

    init() {}

    /// The private fields of a type or component.
    func fields(of uid: UTF8Text) -> Set<UTF8Text> {
        self.fields[uid] ?? self.fields[UTF8Text(ContentType.wildcardUID)] ?? []
    }

    /// `{fields: {uid: [name]}, names: [name], patterns: [name]}`.
    var value: JSONValue {
        func list(_ names: Set<UTF8Text>) -> JSONValue { .array(names.sorted().map { .string($0.string) }) }
        var fields = JSONObject()
        for uid in self.fields.keys.sorted() { fields[uid] = list(self.fields[uid] ?? []) }
        return ["fields": .object(fields), "names": list(self.names), "patterns": list(self.patterns)]
    }

    /// Reads what another node says; `nil` if it is something else, or too much.
    init?(_ value: JSONValue) {
        guard let fields = value["fields"]?.objectValue, let names = value["names"]?.arrayValue,
            let patterns = value["patterns"]?.arrayValue
        else { return nil }
        let count = fields.reduce(names.count + patterns.count) { $0 + 1 + ($1.value.arrayValue?.count ?? 0) }
        guard count <= Self.maximumNames else { return nil }
        func set(_ list: [JSONValue]) -> Set<UTF8Text> { Set(list.compactMap { $0.stringValue.map { UTF8Text($0) } }) }
        for (uid, list) in fields { self.fields[uid] = set(list.arrayValue ?? []) }
        self.names = set(names)
        self.patterns = set(patterns)
    }
}

extension [Privacy] {
    /// The fields of a type or component that are private to any of them, in order.
    func hiddenFields(of uid: UTF8Text) -> [UTF8Text] {
        self.reduce(into: Set<UTF8Text>()) { $0.formUnion($1.fields(of: uid)) }.sorted()
    }
}
