import Gateway
import NIOCore
import RESP
import SocketIOServer

/// A ``SharedLog`` in a stream of a Redis.
///
/// The script that adds entries also sends the signal, so whoever hears it finds them.
final class RedisLog: SharedLog {
    private let client: RESPClient
    private let signals: RedisSignals
    private let topic: SignalTopic
    private let key: String
    private let channel: String

    init(client: RESPClient, signals: RedisSignals, prefix: String, name: String) {
        self.client = client
        self.signals = signals
        self.topic = SignalTopic(name)
        self.key = "\(prefix):\(name)"
        self.channel = RedisSignals.channel(of: self.topic, prefix: prefix)
    }

    private static let field = "entry"

    private static let appending = RedisScript(
        """
        for i = 3, #ARGV do
          redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[1], '*', 'entry', ARGV[i])
        end
        redis.call('PUBLISH', ARGV[2], '')
        return #ARGV - 2
        """
    )

    /// Reads the oldest and the newest entry, and those from a place on, in one step.
    private static let reading = RedisScript(
        """
        return {redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1),
                redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1),
                redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])}
        """
    )

    func append(_ entries: [ByteBuffer], keeping limit: Int) async throws {
        let arguments: [RESPCommand.Argument] = [.int(max(0, limit)), .string(self.channel)]
        try await self.attempt("write an entry of \(self.topic)") {
            _ = try await Self.appending.run(
                on: self.client,
                keys: [self.key],
                arguments + entries.map { .bytes($0) }
            )
        }
    }

    func last(_ count: Int, before id: LogEntryID?) async throws -> [SharedLogEntry] {
        let end: String
        switch id {
        case nil: end = "+"
        case let id? where id.sequence > 0: end = "\(id.milliseconds)-\(id.sequence - 1)"
        case let id? where id.milliseconds > 0: end = "\(id.milliseconds - 1)-\(UInt64.max)"
        case .some: return []
        }
        return try await self.attempt("read \(self.topic)") {
            let reply = try await self.client.send(
                "XREVRANGE",
                .string(self.key),
                .string(end),
                "-",
                "COUNT",
                .int(count)
            )
            return Self.entries(reply).reversed()
        }
    }

    func entries(after id: LogEntryID, count: Int) async throws -> SharedLogPage {
        try await self.attempt("read \(self.topic)") {
            let reply = try await Self.reading.run(
                on: self.client,
                keys: [self.key],
                [.string((id.next ?? id).description), .int(count)]
            )
            guard let parts = reply.arrayValue, parts.count == 3 else {
                throw ClusterError(code: .unreachable, message: "Redis answered something else than entries")
            }
            let (oldest, newest) = (Self.entries(parts[0]).first?.id, Self.entries(parts[1]).last?.id)
            // An id that Redis has not given out yet belongs to another stream, which is gone.
            let isWhole = oldest.map { $0 <= id } ?? false && newest.map { $0 >= id } ?? false
            return SharedLogPage(entries: Self.entries(parts[2]), isWhole: isWhole, newest: newest)
        }
    }

    func onChange(_ handler: @escaping @Sendable () -> Void) -> SignalSubscription {
        self.signals.receive(self.topic) { _ in handler() }
    }

    /// `[[id, [field, value, …]], …]`; what looks different was written by somebody else, and is left out.
    private static func entries(_ reply: RESPValue) -> [SharedLogEntry] {
        (reply.arrayValue ?? []).compactMap { entry in
            guard let parts = entry.arrayValue, parts.count == 2,
                let id = parts[0].stringValue.flatMap({ LogEntryID($0) }),
                let fields = parts[1].arrayValue, fields.count >= 2,
                fields[0].bytes == ByteBuffer(string: Self.field), let bytes = fields[1].bytes
            else { return nil }
            return SharedLogEntry(id: id, bytes: bytes)
        }
    }

    private func attempt<Result>(_ what: String, _ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let error as ClusterError {
            throw error
        } catch let error as RESPError where error.code == .closed {
            throw ClusterError(code: .closed, message: "Could not \(what): the connection to Redis has been closed")
        } catch {
            throw ClusterError(unreachable: error, attempted: what)
        }
    }
}
