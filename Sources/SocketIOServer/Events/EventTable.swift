/// Handlers by the names of their events.
///
/// Most applications know a handful of events: comparing their names one after the other costs less than hashing one,
/// which is done for every event that arrives. More names than that are hashed.
struct EventTable {
    private var names: ContiguousArray<String> = []
    private var handlers: ContiguousArray<[EventHandler]> = []
    /// Where a name's handlers are; empty while there are few names.
    private var places: [String: Int] = [:]

    /// From how many names on they are hashed.
    private static var many: Int { 12 }

    init(_ handlers: [String: [EventHandler]]) {
        for (name, handlers) in handlers {
            for handler in handlers { self.append(handler, for: name) }
        }
    }

    /// The handlers of an event.
    subscript(name: String) -> [EventHandler]? { self.place(of: name).map { self.handlers[$0] } }

    mutating func append(_ handler: EventHandler, for name: String) {
        if let place = self.place(of: name) {
            self.handlers[place].append(handler)
            return
        }
        self.names.append(name)
        self.handlers.append([handler])
        guard self.names.count >= Self.many else { return }
        if self.places.isEmpty {
            for (place, name) in self.names.enumerated() { self.places[name] = place }
        } else {
            self.places[name] = self.names.count - 1
        }
    }

    private func place(of name: String) -> Int? {
        if !self.places.isEmpty { return self.places[name] }
        for place in self.names.indices where self.names[place] == name { return place }
        return nil
    }
}
