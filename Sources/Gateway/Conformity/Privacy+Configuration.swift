import OrderedCollections
import SocketIOWire

/// What a configuration keeps private, and a configuration that keeps private what others do.
extension Privacy {
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
