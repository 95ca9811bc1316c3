import Gateway
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// Histories in streams of a Redis: one stream for each history, with the history's places as ids.
///
/// An id is `<beginning>-<offset>`: the time in microseconds when the stream began, and the place. So a stream that was
/// lost and begins anew has other ids. The epoch is that time, the replication id of the Redis, and the times of the marks.
final class RedisHistory: EventHistory {
    private let client: RESPClient
    private let prefix: String
    private let signals: RedisSignals
    private static let topic = SignalTopic("history")
    /// How long an addition may take before it counts as failed.
    private static let appendTimeout = TimeAmount.seconds(2)
    /// How long marks live: longer than any position that they make worthless.
    private static let markLifetime = 2 * HistoryRetention(size: 1, ttl: HistoryRetention.maximumTTL).milliseconds

    init(client: RESPClient, prefix: String, signals: RedisSignals) {
        self.client = client
        self.prefix = "\(prefix):history:"
        self.channel = RedisSignals.channel(of: Self.topic, prefix: prefix)
        self.signals = signals
    }

    private let channel: String

    // MARK: Names

    private var markOfAll: String { "\(self.prefix)marks:all" }
    private func key(_ mark: String?) -> String {
        mark.map { "\(self.prefix)mark:\($0)" } ?? self.markOfAll
    }
    private func key(_ stream: HistoryAddition.Stream) -> String { "\(self.prefix)\(stream.name)" }

    // MARK: Adding

    func append(
        _ addition: HistoryAddition,
        completion: @escaping @Sendable (Result<Void, ClusterError>) -> Void
    ) {
        let streams = addition.streams
        var keys = [self.markOfAll] + streams.map(self.key) + streams.map { self.key($0.mark) }
        keys += addition.marks.map { self.key($0) }
        if addition.marksEverything { keys.append(self.markOfAll) }
        var arguments: [RESPCommand.Argument] = [
            .string(self.channel), .bytes(addition.message), .string(addition.id), addition.isRepeated ? "1" : "0",
            addition.isKept ? "1" : "0", .int(streams.count), .int(Self.markLifetime),
        ]
        for stream in streams {
            arguments += [.int(stream.retention.size), .int(stream.retention.milliseconds)]
        }
        Self.append.start(on: self.client, keys: keys, arguments, timeout: Self.appendTimeout) { result in
            completion(
                result.map { _ in }.mapError { ClusterError(unreachable: $0, attempted: "add an event to its history") }
            )
        }
    }

    private static let append = RedisScript(
        """
        local n = tonumber(ARGV[6])
        local time = redis.call('TIME')
        local now = time[1] .. string.format('%06d', tonumber(time[2]))
        local ms = string.format('%.0f', math.floor(tonumber(now) / 1000))
        for i = 2 * n + 2, #KEYS do redis.call('SET', KEYS[i], now, 'PX', ARGV[7]) end
        if n == 0 then return '' end
        if ARGV[5] == '0' then
          for i = 1, n do redis.call('DEL', KEYS[1 + i]) end
          return ''
        end
        if ARGV[4] == '1' then
          for i = 1, n do
            for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1 + i], '+', '-', 'COUNT', 200)) do
              if entry[2][4] == ARGV[3] then return '' end
            end
          end
        end
        local replication = string.sub(string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or '', 1, 16)
        local all = redis.call('GET', KEYS[1]) or '0'
        local places = {}
        for i = 1, n do
          local key = KEYS[1 + i]
          local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
          local beginning, offset = now, 0
          if last then
            beginning, offset = string.match(last[1], '^(%d+)-(%d+)$')
            offset = tonumber(offset)
          end
          offset = string.format('%.0f', offset + 1)
          local size = ARGV[6 + 2 * i]
          local added = redis.pcall('XADD', key, 'MAXLEN', '=', size, beginning .. '-' .. offset,
            't', ms, 'i', ARGV[3], 'm', ARGV[2])
          if type(added) == 'table' and added.err then
            redis.call('DEL', key)
            beginning, offset = now, '1'
            redis.call('XADD', key, beginning .. '-' .. offset, 't', ms, 'i', ARGV[3], 'm', ARGV[2])
          end
          redis.call('PEXPIRE', key, ARGV[7 + 2 * i])
          local mark = all
          if KEYS[1 + n + i] ~= KEYS[1] then mark = redis.call('GET', KEYS[1 + n + i]) or '0' end
          places[#places + 1] = beginning .. '.' .. replication .. '.' .. all .. '.' .. mark .. ' ' .. offset
        end
        redis.call('PUBLISH', ARGV[1], table.concat(places, ' ') .. '\\n' .. ARGV[2])
        return ''
        """
    )

    // MARK: Reading

    func read(_ question: HistoryQuestion) async throws -> HistoryAnswer {
        let stream = question.stream
        do {
            let reply = try await Self.read.run(
                on: self.client,
                keys: [self.markOfAll, self.key(stream), self.key(stream.mark)],
                [
                    .string(question.since.map { String($0.offset) } ?? ""),
                    .string(question.since?.epoch.string ?? ""), .int(question.limit), .int(question.maximumBytes),
                    .int(stream.retention.milliseconds), question.extent == .whole ? "1" : "0",
                ]
            )
            return try Self.answer(reply)
        } catch {
            throw ClusterError(unreachable: error, attempted: "read a history")
        }
    }

    /// Answers `{loss, epoch, offset of the newest, whether there are more, offset, message, …}`.
    private static let read = RedisScript(
        """
        local time = redis.call('TIME')
        local now = time[1] .. string.format('%06d', tonumber(time[2]))
        local ms = math.floor(tonumber(now) / 1000)
        local oldest = ms - tonumber(ARGV[5])
        local key = KEYS[2]
        local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
        local beginning, top = now, 0
        if last then
          beginning, top = string.match(last[1], '^(%d+)-(%d+)$')
          top = tonumber(top)
        else
          local begun = redis.pcall('XADD', key, now .. '-0', 't', string.format('%.0f', ms))
          if type(begun) == 'table' and begun.err then
            redis.call('DEL', key)
            redis.call('XADD', key, now .. '-0', 't', string.format('%.0f', ms))
          end
          redis.call('PEXPIRE', key, ARGV[5])
        end
        local replication = string.sub(string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or '', 1, 16)
        local all = redis.call('GET', KEYS[1]) or '0'
        local mark = all
        if KEYS[3] ~= KEYS[1] then mark = redis.call('GET', KEYS[3]) or '0' end
        local epoch = beginning .. '.' .. replication .. '.' .. all .. '.' .. mark
        local answer = {'', epoch, string.format('%.0f', top), '0'}
        local limit, whole = tonumber(ARGV[3]), ARGV[6] == '1'
        local entries, wanted = {}, 0
        if ARGV[1] == '' then
          if whole then return answer end
          local newest = redis.call('XREVRANGE', key, '+', '-', 'COUNT', limit)
          for i = #newest, 1, -1 do
            if newest[i][2][6] and tonumber(newest[i][2][2]) >= oldest then entries[#entries + 1] = newest[i] end
          end
          wanted = #entries
        else
          local since = tonumber(ARGV[1])
          wanted = top - since
          if ARGV[2] ~= epoch or wanted < 0 then
            answer[1] = 'epoch'
            return answer
          end
          if wanted == 0 then return answer end
          local first = string.format('%.0f', since + 1)
          entries = redis.call('XRANGE', key, beginning .. '-' .. first, '+', 'COUNT', math.min(limit, wanted))
          if #entries ~= math.min(limit, wanted) or entries[1][1] ~= beginning .. '-' .. first
            or tonumber(entries[1][2][2]) < oldest then
            answer[1] = 'trimmed'
            return answer
          end
        end
        local bytes = 0
        for i = 1, #entries do
          local fields = entries[i][2]
          bytes = bytes + #fields[6]
          if bytes > tonumber(ARGV[4]) and i > 1 then break end
          answer[#answer + 1] = string.match(entries[i][1], '-(%d+)$')
          answer[#answer + 1] = fields[6]
        end
        if (#answer - 4) / 2 < wanted then
          if whole then return {'too many', epoch, answer[3], '0'} end
          answer[4] = '1'
        end
        return answer
        """
    )

    private static func answer(_ reply: RESPValue) throws -> HistoryAnswer {
        guard let parts = reply.arrayValue, parts.count >= 4, parts.count.isMultiple(of: 2),
            let loss = parts[0].stringValue, let epoch = parts[1].stringValue, let top = parts[2].integerValue
        else { throw RESPError.violation("a script for histories has answered something else") }
        var answer = HistoryAnswer(position: HistoryPosition(offset: top, epoch: UTF8Text(epoch)))
        if !loss.utf8.isEmpty {
            answer.loss = HistoryAnswer.Loss.allCases.first { UTF8Text($0.rawValue) == UTF8Text(loss) } ?? .epoch
        }
        answer.hasMore = parts[3].integerValue == 1
        for index in stride(from: 4, to: parts.count, by: 2) {
            guard let offset = parts[index].integerValue, let message = parts[index + 1].bytes else {
                throw RESPError.violation("a history has an entry without an event")
            }
            answer.events.append(.init(offset: offset, message: message))
        }
        return answer
    }

    // MARK: Hearing

    func receive(_ handler: @escaping @Sendable (HistorySignal) -> Void) -> SignalSubscription {
        self.signals.receive(Self.topic) { signal in
            switch signal {
            case .gap: handler(.gap)
            case .message(let message):
                // What is no message of ours brings nothing. If it stood for one of ours, its place is missing.
                if let (positions, message) = Self.addition(message) { handler(.added(positions, message)) }
            }
        }
    }

    /// Reads `<epoch> <offset> …\n<message>`.
    static func addition(_ bytes: ByteBuffer) -> ([HistoryPosition], ByteBuffer)? {
        let view = bytes.readableBytesView
        guard let end = view.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let words = view[..<end].split(separator: UInt8(ascii: " "))
        guard !words.isEmpty, words.count.isMultiple(of: 2) else { return nil }
        var positions: [HistoryPosition] = []
        for index in stride(from: 0, to: words.count, by: 2) {
            guard let offset = Int(String(decoding: words[index + 1], as: UTF8.self)) else { return nil }
            positions.append(HistoryPosition(offset: offset, epoch: UTF8Text(decoding: words[index])))
        }
        return (positions, bytes.getSlice(at: end + 1, length: view.endIndex - end - 1) ?? ByteBuffer())
    }
}
