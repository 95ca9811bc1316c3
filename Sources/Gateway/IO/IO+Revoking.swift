import NIOCore
import SocketIOServer
import SocketIOWire

/// Tokens that are to be accepted no longer.
public enum RevokedTokens: Sendable {
    /// The JSON Web Token with that `jti`; it expires at that Unix time in seconds, if that is known.
    case token(id: String, expiresAt: Double? = nil)
    /// The JSON Web Tokens of a user that were issued before a Unix time in seconds, by default before now.
    case user(EntityID, issuedBefore: Double? = nil)
    /// All JSON Web Tokens that were issued before a Unix time in seconds.
    case everybody(issuedBefore: Double)
    /// The API token with that id or name.
    case apiToken(String)
}

extension IO {
    /// Revokes tokens for the whole cluster.
    ///
    /// Each node tells the sockets with these tokens why, and disconnects them, within a second. From then on nobody logs
    /// in with them, until the last of them has expired by itself.
    ///
    /// A token is issued before a time if its `iat` says so, and also if it has no `iat`. A second is the smallest
    /// difference: a token that was issued in the second in which its user's tokens are revoked is revoked as well.
    ///
    /// - Parameter tokens: Which tokens.
    /// - Returns: What is kept: until when, and before which time the tokens were issued.
    /// - Throws: ``GatewayError`` for what cannot be revoked. `ClusterError` if it is not known whether the other nodes hear
    ///   of it; on this node the tokens are revoked all the same. Repeat it then.
    @discardableResult
    public func revoke(_ tokens: RevokedTokens) async throws -> Revocation {
        let revocation = try self.revocation(of: tokens)
        try await self.gatekeeper.revocations.add(revocation)
        return revocation
    }

    private func revocation(of tokens: RevokedTokens) throws(GatewayError) -> Revocation {
        let configuration = self.configuration
        let now = self.context.now()
        let leeway = configuration.authentication.jwt?.leeway ?? 0
        let life = Double(configuration.authentication.revocation.longestLife.nanoseconds) / 1e9 + leeway
        switch tokens {
        case .token(let id, let expiresAt):
            let end = try expiresAt.map { time throws(GatewayError) in try Self.checked(time, "expiresAt") + leeway }
            return Revocation(.token(id: try Self.checked(id, "jti")), endsAt: end ?? now + life)
        case .user(let id, let issuedBefore):
            let text = try Self.checked(id.text, "userId")
            let before =
                try issuedBefore.map { time throws(GatewayError) in try Self.checked(time, "issuedBefore") }
                ?? now.rounded(.down) + 1
            return Revocation(.user(id: text), issuedBefore: before, endsAt: before + life)
        case .everybody(let issuedBefore):
            let before = try Self.checked(issuedBefore, "issuedBefore")
            return Revocation(.everybody, issuedBefore: before, endsAt: before + life)
        case .apiToken(let name):
            let wanted = UTF8Text(name)
            let token =
                configuration.apiTokens.first { UTF8Text($0.id) == wanted }
                ?? configuration.apiTokens.first { UTF8Text($0.slug) == UTF8Text(RoomName.slug(name)) }
            guard let token else {
                throw GatewayError(
                    .invalidArguments,
                    "No API token of this configuration has the id or name '\(name.abridged(toBytes: 64))'."
                )
            }
            return Revocation(.apiToken(id: UTF8Text(token.id)), endsAt: token.expiresAt)
        }
    }

    private static func checked(_ id: String, _ name: String) throws(GatewayError) -> UTF8Text {
        guard (1...Revocation.maximumIDBytes).contains(id.utf8.count) else {
            throw GatewayError(
                .invalidArguments,
                "'\(name)' must have 1 to \(Revocation.maximumIDBytes) bytes."
            )
        }
        return UTF8Text(id)
    }

    private static func checked(_ time: Double, _ name: String) throws(GatewayError) -> Double {
        guard time.isFinite, (0...1e11).contains(time) else {
            throw GatewayError(
                .invalidArguments,
                "'\(name)' must be a Unix time in seconds, such as 1767225600."
            )
        }
        return time
    }
}
