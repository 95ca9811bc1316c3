import NIOCore
import RESP

/// Finds out which rights a Redis user lacks, before anything depends on them.
///
/// `ACL DRYRUN` (Redis 7) tells without doing anything. Where that may not be asked, publishing is tried. Subscribing is not
/// tried: whoever subscribes is counted by the others and asked; there the adapter's own subscription will tell.
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
            // Whoever is told that something is not there, or is wrong, may ask for it.
            return true
        }
    }

    /// - Returns: `nil` if Redis answers with an error: it doesn't know that, or this user may not ask.
    private func reply(words: [String]) async throws -> RESPValue? {
        do {
            return try await self.client.send(RESPCommand(words: words))
        } catch let error as RESPError where error.code == .server {
            return nil
        }
    }

    private func reply(_ words: String...) async throws -> RESPValue? { try await self.reply(words: words) }
}
