import NIOCore

/// How far streams have been read, which questions go to Redis, and what its answers mean.
///
/// It is a value, which takes replies and returns what to do.
struct StreamCursor {
    enum Event {
        case entries(stream: Int, [RESPStreamEntry])
        case unusable(stream: Int, RESPStreamID, RESPError)
    }

    let keys: [String]
    /// The last id that was read; `nil` while the end is unknown.
    private var ids: [RESPStreamID?]
    private var infos: [RESPStreamInfo?]
    private let names: [ByteBuffer]
    private let configuredCount: Int
    private let block: TimeAmount
    /// How many entries are asked for; fewer after a reply that was too long.
    private(set) var count: Int

    init(keys: [String], start: RESPStreamStart, count: Int, block: TimeAmount) {
        self.keys = keys
        self.names = keys.map { ByteBuffer(string: $0) }
        let id: RESPStreamID? = if case .after(let id) = start { id } else { nil }
        self.ids = keys.map { _ in id }
        self.infos = keys.map { _ in nil }
        self.configuredCount = count
        self.count = count
        self.block = block
    }

    var positions: [RESPStreamPosition] {
        self.keys.indices.map {
            RESPStreamPosition(key: self.keys[$0], id: self.ids[$0] ?? .zero, info: self.infos[$0])
        }
    }

    var infoCommands: [[String]] { self.keys.map { ["XINFO", "STREAM", $0] } }

    var readCommand: [String] {
        ["XREAD", "COUNT", "\(self.count)", "BLOCK", "\(max(1, self.block.nanoseconds / 1_000_000))", "STREAMS"]
            + self.keys + self.ids.map { ($0 ?? .zero).description }
    }

    /// Takes what Redis says about a stream.
    ///
    /// - Throws: ``RESPError`` if the stream can't be read.
    mutating func received(info reply: RESPValue, of stream: Int) throws(RESPError) {
        if case .error(let error) = reply {
            // The stream will begin with its first entry, which stands behind 0-0.
            guard error.message.utf8.starts(with: "ERR no such key".utf8) else { throw error }
            self.infos[stream] = nil
            self.ids[stream] = self.ids[stream] ?? .zero
            return
        }
        let info = try RESPStreamInfo(reply)
        self.infos[stream] = info
        self.ids[stream] = self.ids[stream] ?? info.lastGeneratedID
    }

    /// Takes Redis's answer to the question for entries.
    ///
    /// - Returns: The entries, in order.
    /// - Throws: ``RESPError`` if that is no such answer.
    mutating func received(_ reply: RESPValue) throws(RESPError) -> [Event] {
        switch reply {
        case .null:
            self.count = self.configuredCount
            return []
        case .error(let error): throw error
        default: break
        }
        var events: [Event] = []
        for (name, entries) in try Self.streams(reply) {
            guard let stream = self.names.firstIndex(of: name) else { throw .violation("entries of an unknown stream") }
            guard let elements = entries.arrayValue else { throw .violation("entries of a stream that are no array") }
            try self.append(elements, of: stream, to: &events)
        }
        self.count = min(self.configuredCount, self.count * 2)
        return events
    }

    private mutating func append(
        _ elements: [RESPValue],
        of stream: Int,
        to events: inout [Event]
    ) throws(RESPError) {
        var entries: [RESPStreamEntry] = []
        entries.reserveCapacity(elements.count)
        for element in elements {
            guard let id = RESPStreamEntry.id(of: element), id > self.ids[stream] ?? .zero else {
                throw .violation("an entry of a stream that is not behind the last one")
            }
            self.ids[stream] = id
            do throws(RESPError) {
                entries.append(try RESPStreamEntry(element))
            } catch {
                if !entries.isEmpty { events.append(.entries(stream: stream, entries)) }
                entries = []
                events.append(.unusable(stream: stream, id, error))
            }
        }
        if !entries.isEmpty { events.append(.entries(stream: stream, entries)) }
    }

    /// Asks for fewer entries at once, because a reply was longer than the limits.
    mutating func replyWasTooLong() { self.count = max(1, self.count / 2) }

    /// RESP3 writes a map, RESP2 an array of pairs.
    private static func streams(_ reply: RESPValue) throws(RESPError) -> [(ByteBuffer, RESPValue)] {
        var streams: [(ByteBuffer, RESPValue)] = []
        switch reply {
        case .map(let entries):
            for entry in entries {
                guard let name = entry.key.bytes else { throw .violation("a stream without a name") }
                streams.append((name, entry.value))
            }
        case .array(let pairs):
            for pair in pairs {
                guard let elements = pair.arrayValue, elements.count == 2, let name = elements[0].bytes else {
                    throw .violation("a stream without a name")
                }
                streams.append((name, elements[1]))
            }
        default: throw .violation("an answer to XREAD that is none")
        }
        return streams
    }
}
