import Gateway
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// The revocations of a cluster, in a Redis.
///
/// A sorted set holds when each ends, and a hash before which time its tokens were issued. What has ended is removed with
/// the next addition, and both keys expire with their last revocation. The version counts additions, and never expires, so
/// that it is not seen twice.
final class RedisRevocations: RevocationStore {
    /// The most revocations that are kept.
    static let capacity = 100_000
    /// How many are read at a time.
    static let page = 1000

    private let client: RESPClient
    private let keys: [String]
    private let channel: String

    init(client: RESPClient, prefix: String) {
        self.client = client
        // The braces keep the keys in one slot of a Redis Cluster.
        self.keys = ["ends", "marks", "version"].map { "\(prefix):{revocations}:\($0)" }
        self.channel = RedisSignals.channel(of: .revocations, prefix: prefix)
    }

    /// Arguments: name, the time before which tokens are meant, the end in milliseconds or `inf`, the most revocations, the
    /// channel.
    ///
    /// Times are compared as numbers and kept as texts, which lose nothing.
    private static let adding = RedisScript(
        """
        local time=redis.call('TIME')
        local now=time[1]*1000+math.floor(time[2]/1000)
        local gone=redis.call('ZRANGEBYSCORE',KEYS[1],'-inf','('..string.format('%.0f',now),'LIMIT',0,1000)
        for _,name in ipairs(gone) do
        redis.call('ZREM',KEYS[1],name)
        redis.call('HDEL',KEYS[2],name)
        end
        local name,mark,ends=ARGV[1],ARGV[2],ARGV[3]
        local known=redis.call('ZSCORE',KEYS[1],name)
        if known then
        if known=='inf' or (ends~='inf' and tonumber(known)>tonumber(ends)) then ends=known end
        local other=redis.call('HGET',KEYS[2],name)
        if other and tonumber(other)>tonumber(mark) then mark=other end
        elseif redis.call('ZCARD',KEYS[1])>=tonumber(ARGV[4]) then
        return -1
        end
        redis.call('ZADD',KEYS[1],ends,name)
        redis.call('HSET',KEYS[2],name,mark)
        local last=redis.call('ZREVRANGE',KEYS[1],0,0,'WITHSCORES')[2]
        for index=1,2 do
        if last=='inf' then redis.call('PERSIST',KEYS[index])
        else redis.call('PEXPIREAT',KEYS[index],string.format('%.0f',tonumber(last)+1000)) end
        end
        local version=redis.call('INCR',KEYS[3])
        local seconds=ends
        if ends~='inf' then seconds=string.format('%.3f',tonumber(ends)/1000) end
        redis.call('PUBLISH',ARGV[5],version..' '..mark..' '..seconds..' '..name)
        return version
        """
    )

    /// Arguments: how many to skip, how many to read.
    ///
    /// It reads from the last end down. So what ends or is added meanwhile may come twice, and nothing that stays is
    /// skipped, but for what is added again; the signal tells of that.
    private static let reading = RedisScript(
        """
        local time=redis.call('TIME')
        local now=time[1]*1000+math.floor(time[2]/1000)
        local found=redis.call('ZREVRANGEBYSCORE',KEYS[1],'+inf',string.format('%.0f',now),
        'WITHSCORES','LIMIT',ARGV[1],ARGV[2])
        local result={}
        for index=1,#found,2 do
        local ends=found[index+1]
        if ends~='inf' then ends=string.format('%.3f',tonumber(ends)/1000) end
        result[#result+1]=found[index]
        result[#result+1]=redis.call('HGET',KEYS[2],found[index]) or '0'
        result[#result+1]=ends
        end
        return result
        """
    )

    func add(_ revocation: Revocation) async throws {
        let ends = revocation.endsAt.map { "\(Int(min(max($0, 0), 1e13) * 1000))" } ?? "inf"
        let version = try await self.run(
            Self.adding,
            [
                .string(revocation.name.string), .string("\(revocation.issuedBefore)"), .string(ends),
                .int(Self.capacity), .string(self.channel),
            ],
            attempted: "keep a revocation"
        )
        if version == .integer(-1) { throw ClusterError(code: .refused, tooManyRevocations: Self.capacity) }
    }

    func all() async throws -> [Revocation] {
        var revocations: [Revocation] = []
        while revocations.count < 2 * Self.capacity {
            let reply = try await self.run(
                Self.reading,
                [.int(revocations.count), .int(Self.page)],
                attempted: "read the revocations"
            )
            guard case .array(let parts) = reply else { throw Self.unexpected(reply) }
            for index in stride(from: 0, to: parts.count - 2, by: 3) {
                guard let name = parts[index].bytes, let mark = parts[index + 1].bytes,
                    let ends = parts[index + 2].bytes,
                    let revocation = Revocation(
                        name: name.readableBytesView,
                        issuedBefore: mark.readableBytesView,
                        endsAt: ends.readableBytesView
                    )
                else { throw Self.unexpected(reply) }
                revocations.append(revocation)
            }
            if parts.count < 3 * Self.page { break }
        }
        return revocations
    }

    func version() async throws -> Int {
        do {
            let reply = try await self.client.send("GET", .string(self.keys[2]))
            guard let bytes = reply.bytes else { return 0 }
            return Int(String(buffer: bytes)) ?? 0
        } catch {
            throw Self.failure(error, "ask for revocations")
        }
    }

    private func run(
        _ script: RedisScript,
        _ arguments: [RESPCommand.Argument],
        attempted what: String
    ) async throws -> RESPValue {
        do {
            return try await script.run(on: self.client, keys: self.keys, arguments)
        } catch {
            throw Self.failure(error, what)
        }
    }

    private static func failure(_ error: any Error, _ what: String) -> ClusterError {
        guard let error = error as? RESPError, error.code == .closed else {
            return ClusterError(unreachable: error, attempted: what)
        }
        return ClusterError(code: .closed, message: "Could not \(what): the connection to Redis is closed for good")
    }

    private static func unexpected(_ reply: RESPValue) -> ClusterError {
        ClusterError(code: .unreachable, message: "Redis holds revocations that this version cannot read")
    }
}

extension RESPValue {
    /// The bytes of a text.
    fileprivate var bytes: ByteBuffer? {
        switch self {
        case .bulkString(let bytes), .verbatimString(let bytes): bytes
        case .simpleString(let text): ByteBuffer(string: text)
        default: nil
        }
    }
}
