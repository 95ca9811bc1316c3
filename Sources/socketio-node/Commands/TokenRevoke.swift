import ArgumentParser
import Foundation
import OrderedCollections
import SocketIOWire

/// Revokes tokens through a running node.
struct TokenRevoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Revoke tokens: clients with them are disconnected, on all nodes, and do not come in again.",
        discussion: """
            Example: socketio-node token revoke --user 7
            Example: socketio-node token revoke --issued-before 2026-01-31T12:00:00Z
            """
    )

    @Option(help: "The `jti` of one JSON Web Token.")
    var jti: String?

    @Option(help: "A user's id: the user's JSON Web Tokens.")
    var user: String?

    @Option(help: "The id or name of an API token.")
    var apiToken: String?

    @Option(help: "A date: only tokens that were issued before; alone: those of everybody.")
    var issuedBefore: String?

    @Option(help: "When the token of --jti expires by itself: a date. From then on it need not be remembered.")
    var expiresAt: String?

    @OptionGroup var options: PublishOptions

    func validate() throws {
        guard [self.jti, self.user, self.apiToken].compactMap(\.self).count <= 1 else {
            throw ValidationError("Only one of --jti, --user and --api-token can be given.")
        }
        guard self.jti != nil || self.user != nil || self.apiToken != nil || self.issuedBefore != nil else {
            throw ValidationError("Say which tokens: --jti, --user, --api-token or --issued-before.")
        }
        if self.issuedBefore != nil, self.jti != nil || self.apiToken != nil {
            throw ValidationError("--issued-before goes with --user, or stands alone.")
        }
        if self.expiresAt != nil, self.jti == nil { throw ValidationError("--expires-at goes with --jti.") }
        for (name, date) in [("issued-before", self.issuedBefore), ("expires-at", self.expiresAt)] {
            if let date, !TextRule.date.accepts(date) {
                throw ValidationError("--\(name) must be \(TextRule.date.expectation).")
            }
        }
    }

    func run() async throws {
        var body: JSONObject = [:]
        body["jti"] = self.jti.map { .string($0) }
        body["userId"] = self.user.map { .string($0) }
        body["apiToken"] = self.apiToken.map { .string($0) }
        for (name, text) in [("issuedBefore", self.issuedBefore), ("expiresAt", self.expiresAt)] {
            if let date = text.flatMap(TextRule.parseDate) { body[name] = .double(date.timeIntervalSince1970) }
        }
        try await self.options.post("/io/tokens/revoke", .object(body))
    }
}
