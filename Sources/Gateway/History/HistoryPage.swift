import OrderedCollections
public import SocketIOWire

/// What a program reads of a history.
public struct HistoryPage: Sendable, Hashable {
    /// One event, as the reader may see it.
    public struct Event: Sendable, Hashable {
        /// Its place.
        public var offset: Int
        /// Its name.
        public var event: String
        /// Its argument.
        public var data: JSONValue

        /// `{offset, event, data}`.
        public var value: JSONValue {
            ["offset": .int(self.offset), "event": .string(self.event), "data": self.data]
        }

        /// Whether all parts have the same bytes.
        public static func == (left: Event, right: Event) -> Bool {
            left.offset == right.offset && UTF8Text(left.event) == UTF8Text(right.event) && left.data == right.data
        }

        /// Hashes the place.
        public func hash(into hasher: inout Hasher) { hasher.combine(self.offset) }
    }

    /// From where to read on.
    public var position: HistoryPosition
    /// The events, in order; those that the reader may not see are left out.
    public var events: [Event]
    /// Whether there are more behind ``position``.
    public var hasMore: Bool
    /// Why the events behind the reader's position can't be had; `nil` if ``events`` has them.
    public var loss: HistoryAnswer.Loss?

    /// `{position, recovered, reason?, events, more}`.
    public var value: JSONValue {
        var object: JSONObject = [
            "position": self.position.value, "recovered": .bool(self.loss == nil),
            "events": .array(self.events.map(\.value)), "more": .bool(self.hasMore),
        ]
        object["reason"] = self.loss.map { .string($0.rawValue) }
        return .object(object)
    }
}

/// Who reads a history.
struct HistoryReader: Sendable {
    var principal: Principal
    /// Whether he is known to get what is sent to the room or the entity as it is.
    var seesRaw: Bool
}

extension HistoryView {
    /// The events of an answer that a reader may see; `nil` if one of them can't be read.
    func events(of answer: HistoryAnswer, for reader: HistoryReader) -> [HistoryPage.Event]? {
        var events: [HistoryPage.Event] = []
        for event in answer.events {
            guard let content = try? HistoryContent(event.message) else { return nil }
            guard let seen = self.event(content, for: reader.principal, seesRaw: reader.seesRaw) else { continue }
            events.append(.init(offset: event.offset, event: seen.event, data: seen.argument))
        }
        return events
    }
}
