import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// Reading the events that a client has missed.
extension StreamsEventLog {
    /// How many entries are read at once: even the longest ones fit into a reply then.
    private static let mostEntries = 128

    func events(after offset: EventOffset, through end: EventOffset, limit: Int) async throws -> EventPage? {
        guard let first = RESPStreamID(offset).next else { return nil }
        let count = max(1, min(limit, Self.mostEntries))
        let stream = RESPCommand.Argument.string(self.dialect.stream)
        // The order matters: if entries were removed meanwhile, the answer to XINFO behind them shows it.
        let replies = try await self.bus.execute(
            [
                RESPCommand(
                    "XRANGE",
                    stream,
                    .string(first.description),
                    .string(end.text),
                    "COUNT",
                    .int(count)
                ),
                RESPCommand("XINFO", "STREAM", stream),
                RESPCommand("INFO", "replication"),
            ],
            timeout: .seconds(5)
        )
        guard replies.count == 3 else { throw RESPError.violation("Redis has answered \(replies.count) of 3 commands") }
        if case .error(let error) = replies[0] { throw error }
        let replicationID = try StreamHistory.replicationID(of: replies[2]).get()
        guard await self.hub.replicationID() == replicationID else {
            self.hub.saw(replicationID)
            return nil
        }
        let info = try StreamAnchor.info(replies[1]).get()
        guard StreamContinuity(of: info, readThrough: RESPStreamID(offset)) == .whole else { return nil }
        let elements = replies[0].arrayValue ?? []
        var page = EventPage(events: [], end: end)
        for element in elements {
            let entry: RESPStreamEntry
            do throws(RESPError) {
                entry = try RESPStreamEntry(element)
            } catch {
                // The entry is too long to be read, so it is unknown whom it is for.
                return nil
            }
            if let event = self.event(entry) { page.events.append(event) }
            if elements.count >= count, let last = EventOffset(entry.id) { page.end = last }
        }
        return page
    }

    /// The event of an entry; `nil` if it has none that clients are sent again.
    private func event(_ entry: RESPStreamEntry) -> EventPage.Event? {
        guard !StreamAnchor.isOne(entry), let offset = EventOffset(entry.id),
            let read = try? StreamEntry(fields: entry.fields.flatMap { [$0.name, $0.value] }),
            read.namespace == UTF8Text(self.dialect.namespace), read.type == .broadcast,
            case .broadcast(let broadcast)? = try? read.content(), broadcast.takesOffset,
            let options = broadcast.options,
            let packet = try? broadcast.payload.packet(for: self.dialect.namespace)
        else { return nil }
        return EventPage.Event(offset: offset, packet: packet, options: options)
    }
}
