import NIOCore
import RESP

/// The stream of events to publish, as the one consumer group of all nodes sees it.
struct PublishStreamGroup: Sendable {
    let client: RESPClient
    /// The stream's key.
    let key: String
    /// The name of this node among the consumers.
    let consumer: String
    /// After which time another node's entry counts as left behind, in milliseconds.
    let abandonedAfter: Int

    /// The group of all nodes.
    private static let name = "socketio-node"
    /// How many entries are taken at a time.
    private static let count = 64
    /// How long Redis keeps the question for new entries, in milliseconds.
    ///
    /// It is shorter than the time after which a silent connection counts as lost.
    private static let blocking = 1000
    /// The most rejected entries that are kept, about.
    private static let maximumRejected = 10_000
    /// After which time a consumer that has nothing to do is forgotten, in milliseconds.
    private static let forgottenAfter = 3_600_000

    /// Makes the group if it is not there.
    ///
    /// It begins with the oldest entry, so nothing is lost that was written before
    /// the first node came.
    func prepare() async throws {
        do {
            _ = try await self.send("XGROUP", "CREATE", .string(self.key), .string(Self.name), "0", "MKSTREAM")
        } catch let error as RESPError where error.serverCode == "BUSYGROUP" {
            // Another node has made it.
        }
        try await self.forgetIdleConsumers()
    }

    /// Entries that this node was handed and has not acknowledged.
    func own() async throws -> [RESPStreamEntry] { try await self.read(from: "0", blocking: false) }

    /// New entries, of which no node has any; empty after a second without any.
    func next() async throws -> [RESPStreamEntry] { try await self.read(from: ">", blocking: true) }

    /// Entries that nodes were handed and have left behind.
    func abandoned() async throws -> [RESPStreamEntry] {
        let reply = try await self.send(
            "XAUTOCLAIM",
            .string(self.key),
            .string(Self.name),
            .string(self.consumer),
            .int(self.abandonedAfter),
            "0-0",
            "COUNT",
            .int(Self.count)
        )
        guard let parts = reply.arrayValue, parts.count >= 2 else { return [] }
        return try RESPStreamEntry.entries(parts[1])
    }

    /// An entry is done.
    func acknowledge(_ id: RESPStreamID) async throws {
        _ = try await self.send("XACK", .string(self.key), .string(Self.name), .string(id.description))
    }

    /// Puts an entry, with the reason, where somebody can look at it.
    ///
    /// After that the entry is done.
    func reject(_ entry: RESPStreamEntry, because reason: String) async throws {
        var command = RESPCommand(
            "XADD",
            .string("\(self.key):rejected"),
            "MAXLEN",
            "~",
            .int(Self.maximumRejected),
            "*"
        )
        command.words += ["id", .string(entry.id.description), "reason", .string(reason)]
        if let body = entry["body"] { command.words += ["body", .bytes(body)] }
        _ = try await self.client.send(command)
        try await self.acknowledge(entry.id)
    }

    private func read(from position: String, blocking: Bool) async throws -> [RESPStreamEntry] {
        var command = RESPCommand("XREADGROUP", "GROUP", .string(Self.name), .string(self.consumer))
        command.words += ["COUNT", .int(Self.count)]
        if blocking { command.words += ["BLOCK", .int(Self.blocking)] }
        command.words += ["STREAMS", .string(self.key), .string(position)]
        let reply = try await self.client.send(command, timeout: .milliseconds(Int64(Self.blocking) + 5000))
        switch reply {
        case .map(let streams): return try streams.first.map { try RESPStreamEntry.entries($0.value) } ?? []
        case .array(let streams):
            guard let parts = streams.first?.arrayValue, parts.count == 2 else { return [] }
            return try RESPStreamEntry.entries(parts[1])
        default: return []
        }
    }

    /// Every process is a consumer of its own.
    ///
    /// Those that have ended leave their names behind.
    private func forgetIdleConsumers() async throws {
        let reply = try await self.send("XINFO", "CONSUMERS", .string(self.key), .string(Self.name))
        for consumer in reply.arrayValue ?? [] {
            let fields = Self.fields(consumer)
            guard let name = fields["name"]?.stringValue, fields["pending"]?.integerValue == 0,
                fields["idle"]?.integerValue ?? 0 > Self.forgottenAfter
            else { continue }
            _ = try await self.send("XGROUP", "DELCONSUMER", .string(self.key), .string(Self.name), .string(name))
        }
    }

    /// RESP3 writes a map, RESP2 an array of names and values.
    private static func fields(_ value: RESPValue) -> [String: RESPValue] {
        var fields: [String: RESPValue] = [:]
        if let entries = value.mapValue {
            for entry in entries { if let name = entry.key.stringValue { fields[name] = entry.value } }
        } else if let words = value.arrayValue {
            for index in stride(from: 0, to: words.count - 1, by: 2) {
                if let name = words[index].stringValue { fields[name] = words[index + 1] }
            }
        }
        return fields
    }

    private func send(_ words: RESPCommand.Argument...) async throws -> RESPValue {
        var command = RESPCommand(words: [])
        command.words = words
        return try await self.client.send(command)
    }
}
