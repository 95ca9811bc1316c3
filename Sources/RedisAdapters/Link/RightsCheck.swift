import NIOCore
import RESP

/// Finds out which rights a Redis user lacks, before anything depends on them.
///
/// `ACL DRYRUN` (Redis 7) tells without doing anything. If the user may not ask that, publishing is tried. Subscribing
/// is not tried, because other nodes would count this one and ask it. The adapter's own subscription will tell.
struct RightsCheck {
    let client: RESPClient

    func missing(_ rights: [ClusterRight]) async throws -> [ClusterRight] {
        if let missing = try await self.dryRun(rights) { return missing }
        var missing: [ClusterRight] = []
        for right in rights where try await !self.isAllowed(right) { missing.append(right) }
        return missing
    }

    /// - Returns: `nil` if that can't be asked.
    private func dryRun(_ rights: [ClusterRight]) async throws -> [ClusterRight]? {
        guard let user = try await self.reply("ACL", "WHOAMI")?.stringValue else { return nil }
        var missing: [ClusterRight] = []
        for right in rights {
            guard let reply = try await self.reply(words: ["ACL", "DRYRUN", user] + right.words) else { return nil }
            guard let text = reply.bytes else { return nil }
            if !text.readableBytesView.elementsEqual("OK".utf8) { missing.append(right) }
        }
        return missing
    }

    private func isAllowed(_ right: ClusterRight) async throws -> Bool {
        switch right.action {
        case .publish(let message):
            return try await self.isPermitted(RESPCommand("PUBLISH", .string(right.name), .bytes(message)))
        case .publishSharded(let message):
            return try await self.isPermitted(RESPCommand("SPUBLISH", .string(right.name), .bytes(message)))
        case .count, .countSharded, .other:
            return try await self.isPermitted(RESPCommand(words: right.words))
        case .subscribe, .subscribePattern, .subscribeSharded:
            return true
        }
    }

    private func isPermitted(_ command: RESPCommand) async throws -> Bool {
        do {
            _ = try await self.client.send(command)
            return true
        } catch let error as RESPError where error.hasServerCode("NOPERM") {
            return false
        } catch let error as RESPError where error.hasServerCode("ERR") {
            // If Redis answers that something is not there or is wrong, the user has the right.
            return true
        }
    }

    /// - Returns: `nil` if Redis answers with an error, because it doesn't know the command or the user may not use it.
    private func reply(words: [String]) async throws -> RESPValue? {
        do {
            return try await self.client.send(RESPCommand(words: words))
        } catch let error as RESPError where error.code == .server {
            return nil
        }
    }

    private func reply(_ words: String...) async throws -> RESPValue? { try await self.reply(words: words) }
}
