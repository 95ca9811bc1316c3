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

    init(_ configuration: GatewayConfiguration) {
        for type in configuration.contentTypes {
            self.fields[UTF8Text(type.uid)] = Self.hidden(in: type.fields)
                .union(type.privateAttributes.map { UTF8Text($0) })
        }
        for component in configuration.components {
            self.fields[UTF8Text(component.uid)] = Self.hidden(in: component.fields)
        }
        self.names = Set(
            (configuration.events.sensitiveFields + configuration.events.excludeFields).map { UTF8Text($0) }
        )
        self.patterns = Set(configuration.events.sensitivePatterns.map { UTF8Text($0) })
    }

    private static func hidden(in fields: [String: Field]) -> Set<UTF8Text> {
        Set(fields.filter { $0.value.isPrivate || $0.value.kind == .password }.keys.map { UTF8Text($0) })
    }

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

extension GatewayConfiguration {
    /// The same configuration, in which everything is private that is private to others.
    func hiding(_ others: [Privacy]) -> GatewayConfiguration {
        guard !others.isEmpty else { return self }
        var configuration = self
        for index in configuration.contentTypes.indices {
            let uid = UTF8Text(configuration.contentTypes[index].uid)
            for name in others.hiddenFields(of: uid) {
                configuration.contentTypes[index].privateAttributes.insert(name.string)
            }
        }
        for index in configuration.components.indices {
            let uid = UTF8Text(configuration.components[index].uid)
            for name in others.hiddenFields(of: uid) { configuration.components[index].hide(name.string) }
        }
        configuration.events.sensitiveFields += others.flatMap { $0.names.sorted().map(\.string) }
        configuration.events.sensitivePatterns += others.flatMap { $0.patterns.sorted().map(\.string) }
        return configuration
    }
}

extension [Privacy] {
    /// The fields of a type or component that are private to any of them, in order.
    func hiddenFields(of uid: UTF8Text) -> [UTF8Text] {
        self.reduce(into: Set<UTF8Text>()) { $0.formUnion($1.fields(of: uid)) }.sorted()
    }
}

extension Component {
    /// Makes a field private, whether it is declared or not.
    fileprivate mutating func hide(_ name: String) {
        // To declare a field must not change what happens to those that are not declared.
        if self.unknownFields == nil { self.unknownFields = self.fields.isEmpty ? .keep : .drop }
        var field = self.fields[name] ?? Field(.json)
        field.isPrivate = true
        self.fields[name] = field
    }
}
