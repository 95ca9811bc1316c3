import Gateway
import NIOCore
import RESP
import SocketIOServer

/// The token buckets of a cluster, in a Redis.
///
/// Each is a hash `<prefix>:limits:<name>` that expires when it is full again: `l` is its level, `t` the time of it in
/// seconds, and `d<node>` what a node has wanted, with the time. The sorted set `<prefix>:limits` has the nodes.
final class RedisLimits: ClusterLimits {
    private let client: RESPClient
    private let prefix: String

    init(client: RESPClient, prefix: String) {
        self.client = client
        self.prefix = "\(prefix):limits"
    }

    func exchange(_ report: LimitReport) async throws -> LimitAnswer {
        let keys = [self.prefix] + report.buckets.map { "\(self.prefix):\($0.name)" }
        var arguments: [RESPCommand.Argument] = [.string(report.node)]
        for bucket in report.buckets {
            let numbers = [bucket.rate.perSecond, bucket.rate.capacity, bucket.spent, bucket.demand]
            arguments += numbers.map { .string("\($0)") }
        }
        do {
            let answer = try await Self.script.run(on: self.client, keys: keys, arguments)
            let numbers = answer.arrayValue?.compactMap { $0.stringValue.flatMap(Double.init) } ?? []
            guard numbers.count == 1 + 2 * report.buckets.count, numbers.allSatisfy(\.isFinite) else {
                throw RESPError(code: .protocolViolation, message: "the script answered \(numbers.count) numbers")
            }
            return LimitAnswer(
                nodes: Int(min(max(numbers[0], 1), 1_000_000)),
                buckets: stride(from: 1, to: numbers.count, by: 2).map { index in
                    LimitAnswer.Bucket(level: numbers[index], weight: numbers[index + 1])
                }
            )
        } catch {
            throw ClusterError(unreachable: error, attempted: "take what was spent out of the cluster's limits")
        }
    }

    /// What `LimitPool` calculates, in one step for all buckets.
    private static let script = RedisScript(
        """
        local time = redis.call('TIME')
        local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
        local node = ARGV[1]
        redis.call('ZADD', KEYS[1], now, node)
        redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 12)
        redis.call('EXPIRE', KEYS[1], 60)
        local nodes = redis.call('ZCARD', KEYS[1])
        local answer = {tostring(nodes)}
        for index = 2, #KEYS do
            local key, first = KEYS[index], 4 * index - 6
            local rate, capacity = tonumber(ARGV[first]), tonumber(ARGV[first + 1])
            local spent, demand = tonumber(ARGV[first + 2]), tonumber(ARGV[first + 3])
            local fields = redis.call('HGETALL', key)
            local level, changed, total, before, old = capacity, now, 0, nil, {}
            for place = 1, #fields, 2 do
                local field, value = fields[place], fields[place + 1]
                if field == 'l' then level = tonumber(value)
                elseif field == 't' then changed = tonumber(value)
                else
                    local wanted, when = string.match(value, '^(%S+) (%S+)$')
                    if wanted == nil or tonumber(when) <= now - 3 then old[#old + 1] = field
                    elseif field == 'd' .. node then before = tonumber(wanted)
                    else total = total + tonumber(wanted) end
                end
            end
            level = math.min(capacity, level + rate * math.max(0, now - changed)) - spent
            level = math.max(level, -capacity - nodes)
            if before ~= nil then demand = (before + demand) / 2 end
            if #old > 0 then redis.call('HDEL', key, unpack(old)) end
            local function text(number) return string.format('%.17g', number) end
            redis.call('HSET', key, 'l', text(level), 't', text(now), 'd' .. node, text(demand) .. ' ' .. text(now))
            redis.call('PEXPIRE', key, string.format('%.0f', (capacity - level) / rate * 1000 + 5000))
            total = total + demand
            answer[#answer + 1] = text(level)
            answer[#answer + 1] = text(total > 0 and demand / total or 1)
        end
        return answer
        """
    )
}
