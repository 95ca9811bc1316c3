import SocketIOWire

/// The custom events of a configuration, by name.
struct CustomEventTable: Sendable {
    /// Events of clients.
    private let events: [UTF8Text: CustomEvent]
    /// What their arguments must be, for those that have a schema.
    private let schemas: [UTF8Text: JSONSchema]
    /// What is done about clients that come and go.
    let connection: CustomEvent?
    let disconnect: CustomEvent?

    init(_ events: [CustomEvent]) {
        var table = Dictionary(events.map { (UTF8Text($0.name), $0) }) { first, _ in first }
        // A client may send an event named `connection`, but that is none.
        self.connection = table.removeValue(forKey: UTF8Text(CustomEvent.connection))
        self.disconnect = table.removeValue(forKey: UTF8Text(CustomEvent.disconnect))
        self.events = table
        // One that cannot be read was refused with the configuration.
        self.schemas = table.compactMapValues { event in event.schema.flatMap { try? JSONSchema($0) } }
    }

    /// What is wrong with the arguments of an event; empty if nothing is.
    func violations(of name: UTF8Text, _ arguments: [JSONValue]) -> [JSONSchema.Violation] {
        guard let schema = self.schemas[name] else { return [] }
        return schema.validate(arguments.first ?? .null)
    }

    /// Whether the event has a schema.
    func hasSchema(_ name: UTF8Text) -> Bool { self.schemas[name] != nil }

    subscript(name: UTF8Text) -> CustomEvent? { self.events[name] }
}
