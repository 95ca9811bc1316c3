import Gateway
import NIOCore
import RESP
import SocketIOServer

/// The settings document in a Redis: a hash with the fields `settings` (JSON), `version`, `by`, `at` and `note`.
///
/// Somebody may write that by hand: `HSET socket.io-gateway:{settings}:document settings '{…}'`. The former versions are in
/// a list, which survives whatever happens to the document.
struct RedisSettings: SettingsStore {
    private let client: RESPClient
    private let keys: [String]
    private let channel: String

    init(client: RESPClient, prefix: String) {
        self.client = client
        // One slot of a Redis cluster holds both.
        self.keys = ["\(prefix):{settings}:document", "\(prefix):{settings}:history"]
        self.channel = RedisSignals.channel(of: .settings, prefix: prefix)
    }

    /// What both scripts begin with: what is there, and its revision, which is made of all its bytes.
    private static let reading = """
        local t=redis.call('TYPE',KEYS[1]).ok
        local r='0'
        local d={}
        if t=='hash' then
        d=redis.call('HMGET',KEYS[1],'version','by','at','note','settings')
        for i=1,5 do d[i]=d[i] or '' end
        r=redis.sha1hex(d[1]..'\\n'..d[5])
        elseif t~='none' then r='a '..t end

        """

    private static let read = RedisScript(
        Self.reading + """
            if ARGV[1]==r then return {r} end
            return {r,unpack(d)}
            """
    )

    /// Its arguments: the revision to be replaced, the settings, who, when, why, the number of versions to keep, the channel.
    private static let write = RedisScript(
        Self.reading + """
            if ARGV[1]~=r then return {} end
            local h=''
            if redis.call('TYPE',KEYS[2]).ok=='list' then h=redis.call('LINDEX',KEYS[2],0) or '' else redis.call('DEL',KEYS[2]) end
            local v=math.max(tonumber(string.match(h,'^%d+')) or 0,tonumber(string.match(d[1] or '','^%d+$')) or 0)+1
            v=string.format('%.0f',v)
            redis.call('DEL',KEYS[1])
            redis.call('HSET',KEYS[1],'version',v,'by',ARGV[3],'at',ARGV[4],'note',ARGV[5],'settings',ARGV[2])
            redis.call('LPUSH',KEYS[2],v..'\\n'..ARGV[3]..'\\n'..ARGV[4]..'\\n'..ARGV[5]..'\\n'..ARGV[2])
            redis.call('LTRIM',KEYS[2],0,ARGV[6]-1)
            r=redis.sha1hex(v..'\\n'..ARGV[2])
            redis.call('PUBLISH',ARGV[7],'{"changed":"'..r..'"}')
            return {r,v}
            """
    )

    func read(unless revision: String?) async throws -> StoredSettings? {
        let reply = try await self.run(Self.read, [.string(revision ?? "")], "read the settings").arrayValue ?? []
        guard let found = reply.first?.stringValue else { throw Self.unreadable("read the settings") }
        if found == revision { return nil }
        guard found.utf8.first != UInt8(ascii: "a") || found.utf8.dropFirst().first != UInt8(ascii: " ") else {
            return StoredSettings(
                revision: found,
                problem: "the key \(self.keys[0]) is \(found) and not a hash; write it anew, with If-Match: *"
            )
        }
        guard reply.count == 6 else { return StoredSettings(revision: found) }
        let note = reply[4].stringValue ?? ""
        return StoredSettings(
            revision: found,
            document: SettingsDocument(
                version: reply[1].stringValue.flatMap { Int($0) } ?? 0,
                settings: Self.bytes(reply[5]),
                author: reply[2].stringValue ?? "",
                time: reply[3].stringValue.flatMap { Int($0) } ?? 0,
                note: note.isEmpty ? nil : note
            )
        )
    }

    func write(
        _ settings: ByteBuffer,
        by author: String,
        at time: Int,
        note: String?,
        replacing revision: String
    ) async throws -> StoredSettings? {
        let author = Self.oneLine(author)
        let note = note.map(Self.oneLine)
        let reply =
            try await self.run(
                Self.write,
                [
                    .string(revision), .bytes(settings), .string(author), .int(time), .string(note ?? ""),
                    .int(SettingsDocument.keptVersions), .string(self.channel),
                ],
                "write the settings"
            ).arrayValue ?? []
        guard reply.count == 2, let revision = reply[0].stringValue,
            let version = reply[1].stringValue.flatMap({ Int($0) })
        else { return nil }
        return StoredSettings(
            revision: revision,
            document: SettingsDocument(version: version, settings: settings, author: author, time: time, note: note)
        )
    }

    func history() async throws -> [SettingsDocument] {
        do {
            let reply = try await self.client.send(
                "LRANGE",
                .string(self.keys[1]),
                0,
                .int(SettingsDocument.keptVersions - 1)
            )
            return (reply.arrayValue ?? []).compactMap { Self.version(Self.bytes($0)) }
        } catch let error as RESPError where error.serverCode == "WRONGTYPE" {
            return []
        } catch {
            throw ClusterError(unreachable: error, attempted: "read the history of the settings")
        }
    }

    /// Reads `version\nby\nat\nnote\nsettings`; `nil` if it is something else.
    private static func version(_ bytes: ByteBuffer) -> SettingsDocument? {
        let parts = bytes.readableBytesView.split(
            separator: UInt8(ascii: "\n"),
            maxSplits: 4,
            omittingEmptySubsequences: false
        )
        guard parts.count == 5 else { return nil }
        let texts = parts.prefix(4).map { String(decoding: $0, as: UTF8.self) }
        guard let version = Int(texts[0]), let time = Int(texts[2]) else { return nil }
        return SettingsDocument(
            version: version,
            settings: ByteBuffer(parts[4]),
            author: texts[1],
            time: time,
            note: texts[3].isEmpty ? nil : texts[3]
        )
    }

    private static func bytes(_ value: RESPValue) -> ByteBuffer {
        switch value {
        case .bulkString(let bytes), .verbatimString(let bytes): bytes
        default: ByteBuffer(string: value.stringValue ?? "")
        }
    }

    private static func oneLine(_ text: String) -> String {
        String(decoding: text.utf8.map { $0 < 0x20 ? 0x20 : $0 }, as: UTF8.self)
    }

    private static func unreadable(_ what: String) -> ClusterError {
        ClusterError(code: .unreachable, message: "Could not \(what): Redis has answered something else than expected")
    }

    private func run(
        _ script: RedisScript,
        _ arguments: [RESPCommand.Argument],
        _ what: String
    ) async throws -> RESPValue {
        do {
            return try await script.run(on: self.client, keys: self.keys, arguments)
        } catch {
            throw ClusterError(unreachable: error, attempted: what)
        }
    }
}
