import NIOCore

@testable import RESP
@testable import RedisAdapters

extension InProcessStreams.State {
    typealias Log = ([ByteBuffer]) -> Void

    private static func bulk(_ text: String) -> RESPValue { .bulkString(ByteBuffer(string: text)) }

    mutating func execute(_ name: String, _ words: [ByteBuffer]) -> RESPValue {
        let texts = words.map { String(buffer: $0) }
        switch name {
        case "XADD": return self.append(words, texts)
        case "XRANGE": return self.range(texts)
        case "XINFO":
            guard let stream = self.streams[texts[2]] else { return .error(RESPError(reply: "ERR no such key")) }
            return .array([
                Self.bulk("length"), .integer(stream.entries.count),
                Self.bulk("last-generated-id"), Self.bulk(stream.last.description),
                Self.bulk("max-deleted-entry-id"), Self.bulk(stream.maxDeleted.description),
                Self.bulk("entries-added"), .integer(stream.added),
                Self.bulk("first-entry"), stream.entries.first.map(Self.value) ?? .null,
            ])
        case "XDEL":
            guard let id = RESPStreamID(words[2]) else { return .integer(0) }
            self.streams[texts[1]]?.entries.removeAll { $0.id == id }
            self.streams[texts[1]]?.maxDeleted = id
            return .integer(1)
        case "INFO": return Self.bulk("# Replication\r\nrole:master\r\nmaster_replid:\(self.replicationID)\r\n")
        case "GET": return self.value(texts[1]).map { .bulkString($0) } ?? .null
        case "GETRANGE":
            let bytes = self.value(texts[1])?.readableBytesView.prefix(16) ?? []
            return .bulkString(ByteBuffer(bytes: bytes))
        case "SET":
            let lifetime = texts.count > 4 ? UInt64(texts[4]) ?? 0 : nil
            self.keys[texts[1]] = .init(value: words[2], expiresAt: lifetime.map { self.milliseconds + $0 })
            return .simpleString("OK")
        case "DEL":
            let count = texts.dropFirst().count { self.value($0) != nil }
            for key in texts.dropFirst() {
                self.keys[key] = nil
                self.streams[key] = nil
            }
            return .integer(count)
        case "PEXPIRE":
            guard self.value(texts[1]) != nil else { return .integer(0) }
            self.keys[texts[1]]?.expiresAt = self.milliseconds + (UInt64(texts[2]) ?? 0)
            return .integer(1)
        default: return .error(RESPError(reply: "ERR unknown command"))
        }
    }

    private func value(_ key: String) -> ByteBuffer? {
        guard let key = self.keys[key], key.expiresAt ?? .max > self.milliseconds else { return nil }
        return key.value
    }

    // MARK: Streams

    private mutating func append(_ words: [ByteBuffer], _ texts: [String]) -> RESPValue {
        guard let star = texts.firstIndex(where: { $0 == "*" }) else {
            return .error(RESPError(reply: "ERR The ID specified in XADD must be greater than 0-0"))
        }
        var stream = self.streams[texts[1]] ?? InProcessStreams.Stream()
        var id = RESPStreamID(milliseconds: self.milliseconds, sequence: 0)
        if id <= stream.last { id = stream.last.next ?? id }
        let fields = stride(from: star + 1, to: words.count - 1, by: 2).map {
            RESPStreamEntry.Field(name: words[$0], value: words[$0 + 1])
        }
        stream.entries.append(RESPStreamEntry(id: id, fields: fields))
        stream.last = id
        stream.added += 1
        if star == 5, let length = Int(texts[4]), stream.entries.count > length {
            stream.entries.removeFirst(stream.entries.count - length)
        }
        self.streams[texts[1]] = stream
        return Self.bulk(id.description)
    }

    private static func value(_ entry: RESPStreamEntry) -> RESPValue {
        let words = entry.fields.flatMap { [RESPValue.bulkString($0.name), .bulkString($0.value)] }
        return .array([Self.bulk(entry.id.description), .array(words)])
    }

    private func range(_ texts: [String]) -> RESPValue {
        let start = RESPStreamID(texts[2].utf8) ?? .zero
        let end = RESPStreamID(texts[3].utf8) ?? RESPStreamID(milliseconds: .max, sequence: .max)
        let count = texts.count > 5 ? Int(texts[5]) ?? 0 : .max
        let entries = self.streams[texts[1]]?.entries.filter { $0.id >= start && $0.id <= end } ?? []
        return .array(entries.prefix(count).map(Self.value))
    }

    private func info(_ key: String) -> RESPStreamInfo? {
        var copy = self
        return try? RESPStreamInfo(copy.execute("XINFO", ["XINFO", "STREAM", key].map { ByteBuffer(string: $0) }))
    }

    // MARK: Readers

    mutating func startReader(_ number: Int) -> [RESPStreamPosition]? {
        guard let index = self.readers.firstIndex(where: { $0.number == number }),
            !self.away.contains(self.readers[index].client)
        else { return nil }
        if !self.readers[index].isStarted {
            self.readers[index].isStarted = true
            // `max` stands for the end.
            for (key, name) in self.readers[index].keys.enumerated()
            where self.readers[index].cursor[key] == RESPStreamID(milliseconds: .max, sequence: .max) {
                self.readers[index].cursor[key] = self.streams[name]?.last ?? .zero
            }
        }
        return zip(self.readers[index].keys, self.readers[index].cursor).map { key, id in
            RESPStreamPosition(key: key, id: id, info: self.info(key))
        }
    }

    mutating func read(_ number: Int) -> (InProcessStreams.Reader, Int, [RESPStreamEntry])? {
        guard let index = self.readers.firstIndex(where: { $0.number == number }) else { return nil }
        let reader = self.readers[index]
        guard reader.isStarted, !self.away.contains(reader.client), !self.stopped.contains(reader.client) else {
            return nil
        }
        for (key, name) in reader.keys.enumerated() {
            let entries = self.streams[name]?.entries.filter { $0.id > reader.cursor[key] }.prefix(reader.count) ?? []
            guard let last = entries.last else { continue }
            self.readers[index].cursor[key] = last.id
            return (reader, key, Array(entries))
        }
        return nil
    }

    // MARK: Scripts

    /// What the scripts of ``SessionScript`` do; each command is logged, as `MONITOR` shows it.
    mutating func evaluate(_ words: [ByteBuffer], _ log: Log) -> RESPValue {
        let script = String(buffer: words[1])
        let (own, official) = (words[3], words[4])
        let arguments = Array(words.dropFirst(5))
        func call(_ state: inout Self, _ name: String, _ words: ByteBuffer...) -> RESPValue {
            let command = [ByteBuffer(string: name)] + words
            log(command)
            return state.execute(name, command)
        }
        func lines(_ value: ByteBuffer) -> [String] {
            value.readableBytesView.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
                .prefix(2).map { String(decoding: $0, as: UTF8.self) }
        }
        switch script {
        case SessionScript.keep:
            if arguments[1] == ByteBuffer(string: "0"), call(&self, "GETRANGE", own).bytes != arguments[0] {
                return .integer(0)
            }
            let px = ByteBuffer(string: "PX")
            _ = call(&self, "SET", own, arguments[2], px, arguments[3])
            if arguments[4].readableBytes == 0 {
                _ = call(&self, "DEL", official)
            } else {
                _ = call(&self, "SET", official, arguments[4], px, arguments[3])
            }
            return .integer(1)
        case SessionScript.forget:
            guard let value = call(&self, "GET", own).bytes,
                String(lines(value)[0].dropFirst(17)) == String(buffer: arguments[0])
            else { return .integer(0) }
            return call(&self, "DEL", own, official)
        case SessionScript.take:
            let (kept, form) = (call(&self, "GET", own), call(&self, "GET", official))
            var together = 0
            if let value = kept.bytes {
                let header = lines(value)
                guard header.count == 2, header[1] == String(buffer: arguments[0]) else { return .array([]) }
                let expiries = [own, official].map { self.keys[String(buffer: $0)]?.expiresAt }
                if form != .null, expiries[0] == expiries[1] { together = 1 }
                _ = call(&self, "DEL", own)
            }
            if form != .null { _ = call(&self, "DEL", official) }
            return .array([kept, form, .integer(together)])
        default: return .error(RESPError(reply: "ERR unknown script"))
        }
    }
}
