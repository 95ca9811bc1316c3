import Gateway
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// Room state in a Redis.
struct RedisState: SharedState {
    private static let topic = SignalTopic("state")

    private let client: RESPClient
    private let signals: RedisSignals
    /// What names of keys begin with: `socket.io-gateway:state:`.
    private let prefix: String
    private let channel: String

    init(client: RESPClient, signals: RedisSignals, prefix: String) {
        self.client = client
        self.signals = signals
        self.prefix = "\(prefix):state:"
        self.channel = RedisSignals.channel(of: Self.topic, prefix: prefix)
    }

    func receive(_ handler: @escaping @Sendable (Signal) -> Void) -> SignalSubscription {
        self.signals.receive(Self.topic, handler)
    }

    func apply(_ operations: [StateOperation], of node: UTF8Text) async throws -> [StateOutcome] {
        var arguments: [RESPCommand.Argument] = [.string(self.prefix), .string(self.channel), .string(node.string)]
        arguments.reserveCapacity(3 + 9 * operations.count)
        for operation in operations { Self.write(operation, to: &arguments) }
        let reply = try await self.run(StateScript.apply, arguments, "change the state of a room")
        let outcomes = (reply.arrayValue ?? []).compactMap { $0.bytes.flatMap(Self.outcome) }
        guard outcomes.count == operations.count else { throw Self.unexpected(reply) }
        return outcomes
    }

    private static func write(_ operation: StateOperation, to arguments: inout [RESPCommand.Argument]) {
        var value: JSONValue?
        var lifetime = 0
        let letter: String
        switch operation.action {
        case .set(let new, let milliseconds):
            letter = "S"
            value = new
            lifetime = milliseconds ?? 0
        case .acquire(let new):
            letter = "A"
            value = new
        case .release: letter = "F"
        case .remove: letter = "R"
        case .detach: letter = "D"
        }
        let holders = letter == "A" ? max(1, operation.holders) : max(0, operation.holders)
        arguments += [
            .string(operation.room.name), .string(operation.key.string), .string(letter),
            value.map { .bytes(Self.json($0)) } ?? "", .bytes(Self.json(operation.by)), .int(holders), .int(lifetime),
            .int(operation.limits.keys), .int(operation.limits.bytes),
        ]
    }

    private static func json(_ value: JSONValue) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeJSON(value)
        return buffer
    }

    private static func outcome(_ bytes: ByteBuffer) -> StateOutcome? {
        var bytes = bytes
        guard let letter = bytes.readInteger(as: UInt8.self) else { return nil }
        let version = Int(String(buffer: bytes))
        switch (letter, version) {
        case (UInt8(ascii: "C"), let version?): return .changed(version: version)
        case (UInt8(ascii: "U"), let version?): return .unchanged(version: version)
        case (UInt8(ascii: "K"), nil): return .refused(.tooManyKeys)
        case (UInt8(ascii: "B"), nil): return .refused(.tooLarge)
        case (UInt8(ascii: "L"), nil): return .leaseLost
        default: return nil
        }
    }

    func renew(_ node: UTF8Text, lease: TimeAmount, isKnown: Bool) async throws -> StateRenewal {
        let arguments: [RESPCommand.Argument] = [
            .string(self.prefix), .string(self.channel), .string(node.string), .int(Int(lease.nanoseconds / 1_000_000)),
            isKnown ? "1" : "0", .int(stateEntriesClearedAtOnce),
        ]
        let reply = try await self.run(StateScript.renew, arguments, "prolong this node's lease")
        let numbers = (reply.arrayValue ?? []).compactMap(\.integerValue)
        guard numbers.count == 3 else { throw Self.unexpected(reply) }
        let nextEnd = numbers[2] < 0 ? nil : numbers[2]
        return StateRenewal(isLost: numbers[0] == 1, hasMore: numbers[1] == 1, nextEnd: nextEnd)
    }

    // MARK: Reading

    private func name(of room: Room) -> RESPCommand.Argument { .string("\(self.prefix)room:\(room.name)") }

    func snapshot(of room: Room) async throws -> StateSnapshot {
        let reply = try await self.send(RESPCommand("HGETALL", self.name(of: room)), "read the state of a room")
        guard let fields = reply.mapValue else { throw Self.unexpected(reply) }
        var snapshot = StateSnapshot.empty
        for field in fields {
            guard let name = field.key.bytes, let value = field.value.bytes else { throw Self.unexpected(reply) }
            if name.readableBytesView.elementsEqual("v".utf8) {
                snapshot.version = try Self.numbers(value).version
            } else if name.readableBytesView.starts(with: "e:".utf8) {
                let key = UTF8Text(decoding: name.readableBytesView.dropFirst(2))
                snapshot.entries[key] = try Self.entry(value)
            }
        }
        return snapshot
    }

    func entries(_ keys: [StateKey]) async throws -> [StateEntry?] {
        let replies = try await self.send(
            keys.map { RESPCommand("HGET", self.name(of: $0.room), .string("e:\($0.key.string)")) },
            "read entries of rooms"
        )
        return try replies.map { reply in try reply.bytes.map { try Self.entry($0) } }
    }

    func count(of rooms: [Room]) async throws -> Int {
        let replies = try await self.send(rooms.map { RESPCommand("HGET", self.name(of: $0), "v") }, "count entries")
        return try replies.reduce(0) { try $0 + ($1.bytes.map { try Self.numbers($0).count } ?? 0) }
    }

    private static func numbers(_ bytes: ByteBuffer) throws -> (version: Int, count: Int) {
        let numbers = bytes.readableBytesView.split(separator: UInt8(ascii: " ")).map {
            Int(String(decoding: $0, as: UTF8.self))
        }
        guard numbers.count == 3, let version = numbers[0], let count = numbers[1] else {
            throw Self.unexpected(.bulkString(bytes))
        }
        return (version, count)
    }

    /// `<end> <node>=<count>,…`, who wrote it, and the value, each on a line.
    static func entry(_ bytes: ByteBuffer) throws -> StateEntry {
        let lines = bytes.readableBytesView.split(
            separator: UInt8(ascii: "\n"),
            maxSplits: 2,
            omittingEmptySubsequences: false
        )
        guard lines.count == 3 else { throw Self.unexpected(.bulkString(bytes)) }
        let head = lines[0].split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard head.count == 2, let end = Int(String(decoding: head[0], as: UTF8.self)) else {
            throw Self.unexpected(.bulkString(bytes))
        }
        var holders: [UTF8Text: Int] = [:]
        for holder in head[1].split(separator: UInt8(ascii: ",")) {
            let parts = holder.split(separator: UInt8(ascii: "="))
            guard parts.count == 2, let count = Int(String(decoding: parts[1], as: UTF8.self)) else {
                throw Self.unexpected(.bulkString(bytes))
            }
            holders[UTF8Text(decoding: parts[0])] = count
        }
        do {
            return StateEntry(
                value: try JSONValue(parsing: ByteBuffer(lines[2])),
                by: try JSONValue(parsing: ByteBuffer(lines[1])),
                holders: holders,
                expiresAt: end > 0 ? end : nil
            )
        } catch {
            throw Self.unexpected(.bulkString(bytes))
        }
    }

    // MARK: Asking

    private func run(
        _ script: RedisScript,
        _ arguments: [RESPCommand.Argument],
        _ what: String
    ) async throws -> RESPValue {
        do {
            return try await script.run(on: self.client, keys: [], arguments)
        } catch {
            throw ClusterError(unreachable: error, attempted: what)
        }
    }

    private func send(_ command: RESPCommand, _ what: String) async throws -> RESPValue {
        do {
            return try await self.client.send(command)
        } catch {
            throw ClusterError(unreachable: error, attempted: what)
        }
    }

    /// Sends commands together, and waits for all replies.
    private func send(_ commands: [RESPCommand], _ what: String) async throws -> [RESPValue] {
        try await withThrowingTaskGroup(of: (Int, RESPValue).self) { group in
            for (index, command) in commands.enumerated() {
                group.addTask { (index, try await self.send(command, what)) }
            }
            var replies = [RESPValue](repeating: .null, count: commands.count)
            for try await (index, reply) in group { replies[index] = reply }
            return replies
        }
    }

    private static func unexpected(_ reply: RESPValue) -> ClusterError {
        ClusterError(code: .unreachable, message: "Could not read the state of a room: Redis replied \(reply.kind)")
    }
}

extension RESPValue {
    /// What it is, without what is in it, which may be users' data.
    fileprivate var kind: String {
        switch self {
        case .null: "nothing"
        case .error: "an error"
        case .array, .set, .push, .map: "a list of another form"
        case .simpleString, .bulkString, .verbatimString: "a text of another form"
        case .integer, .double, .boolean, .bigNumber: "a number"
        }
    }
}
