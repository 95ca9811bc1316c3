import SocketIOWire

/// Handlers by the names of their events, which are told apart by their bytes.
///
/// Most applications know a handful of events: comparing their names one after the other costs less than hashing one,
/// which is done for every event that arrives. More names than that are hashed.
final class EventTable {
    /// An event's name and handlers.
    final class Entry {
        let name: UTF8Text
        fileprivate let shortName: ShortName?
        @exclusivity(unchecked) fileprivate(set) var handlers: [EventHandler] = []
        /// The handler, if there is just one.
        @exclusivity(unchecked) fileprivate(set) var onlyHandler: EventHandler?

        fileprivate init(name: UTF8Text) {
            self.name = name
            self.shortName = ShortName(name.string)
        }
    }

    @exclusivity(unchecked) private var entries: ContiguousArray<Entry> = []
    /// The same by name; empty while there are few.
    private var byName: [UTF8Text: Entry] = [:]
    @exclusivity(unchecked) private var byShortName: [ShortName: Entry] = [:]
    /// What runs for an event that has no handler.
    var unhandled: EventHandler?

    /// From how many names on they are hashed.
    private static var many: Int { 12 }

    init(_ handlers: [UTF8Text: [EventHandler]], unhandled: EventHandler? = nil) {
        self.unhandled = unhandled
        for (name, handlers) in handlers {
            for handler in handlers { self.append(handler, for: name) }
        }
    }

    /// The handlers of an event.
    subscript(name: UTF8Text) -> [EventHandler]? { self.entry(name)?.handlers }

    func append(_ handler: EventHandler, for name: UTF8Text) {
        let entry = self.entry(name) ?? self.addEntry(name)
        entry.handlers.append(handler)
        entry.onlyHandler = entry.handlers.count == 1 ? handler : nil
    }

    private func addEntry(_ name: UTF8Text) -> Entry {
        let entry = Entry(name: name)
        self.entries.append(entry)
        if self.entries.count >= Self.many {
            for entry in self.byName.isEmpty ? self.entries : [entry] {
                self.byName[entry.name] = entry
                if let short = entry.shortName { self.byShortName[short] = entry }
            }
        }
        return entry
    }

    private func entry(_ name: UTF8Text) -> Entry? {
        if !self.byName.isEmpty { return self.byName[name] }
        for entry in self.entries where entry.name == name { return entry }
        return nil
    }

    /// The event of that name, if it has handlers.
    func entry(_ name: ShortName) -> Entry? {
        if !self.byShortName.isEmpty { return self.byShortName[name] }
        for entry in self.entries where entry.shortName == name { return entry }
        return nil
    }
}
