import EngineIO
import Logging
import SocketIOServer

/// What became of the clients of this node when a configuration was put into force.
public struct ReloadReport: Sendable, Hashable {
    /// How many sockets were judged.
    public var sockets = 0
    /// How many of them may do something else than before.
    public var changed = 0
    /// How many of them were disconnected, because they may not stay.
    public var disconnected = 0
}

// MARK: - Other rules

extension IO {
    /// Puts another configuration into force, for clients that are connected, too.
    ///
    /// When it returns, every socket of this node may do what it could do if it logged in now. Nothing that is published
    /// from then on reaches a socket that may not have it. A socket leaves the rooms that it may not be in any more, and
    /// joins those that the gateway puts it into. It is told with the event `io:permissions`, `{removed, added, rooms?:
    /// {left, joined}}`, if its scopes or rooms have changed. One that could not log in any more is disconnected, with
    /// the reason in `io:disconnect`: its role or token is gone, the token has another key, its address is refused.
    ///
    /// A client that is logging in meanwhile ends with the new configuration.
    ///
    /// The mode of authentication, the namespaces and the sizes of the gateway's memory (event ids, ids of entities) stay
    /// as they were installed. Keys for JSON Web Tokens are for those who log in: who is connected stays until the token
    /// expires.
    ///
    /// - Returns: What became of this node's clients.
    /// - Throws: ``GatewayError`` with every problem of the new configuration. The old one stays in force then.
    @discardableResult
    public func reload(_ configuration: GatewayConfiguration) async throws -> ReloadReport {
        try await self.changes.run {
            var configuration = configuration
            let installed = self.configuration
            configuration.authentication.mode = installed.authentication.mode
            configuration.namespaces = installed.namespaces
            configuration.nodeName = installed.nodeName
            try configuration.checkRequests(self.context.outgoing)
            let rules = try await Rules(
                configuration,
                hooks: self.context.hooks,
                keySets: self.context.keySets
            )
            let wanting = configuration.problems(
                handlers: self.context.application.handlers,
                canSend: self.context.outgoing != nil
            )
            guard wanting.isEmpty else { throw GatewayError(wanting) }
            self.customEvents.webhooks.reconfigure(configuration.webhooks)
            self.context.server.engine.trust(configuration.security.trustedProxies.compactMap { AddressRange($0) })
            self.gatekeeper.limitFailures(configuration.authentication, before: installed.authentication)
            await self.context.rules.replace(by: rules)
            let tally = await self.gatekeeper.renewSockets()
            self.context.logger.info(
                "Another configuration is in force",
                metadata: [
                    "sockets": "\(tally.sockets)", "changed": "\(tally.changed)",
                    "disconnected": "\(tally.disconnected)",
                ]
            )
            return ReloadReport(
                sockets: tally.sockets,
                changed: tally.changed,
                disconnected: tally.disconnected
            )
        }
    }
}
