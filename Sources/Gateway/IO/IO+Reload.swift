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
        try await self.reload(configuration, others: "")
    }

    /// Puts another configuration into force; `others` is what else the digest is made of.
    func reload(_ configuration: GatewayConfiguration, others: String) async throws -> ReloadReport {
        try await self.changes.run {
            let configuration = self.withInstalledParts(configuration)
            let before = self.configuration.authentication
            try configuration.checkRequests(self.context.outgoing)
            let rules = try await Rules(
                configuration,
                hooks: self.context.hooks,
                keySets: self.context.keySets,
                others: self.watch.others
            )
            let wanting = configuration.problems(
                handlers: self.context.application.handlers,
                canSend: self.context.outgoing != nil
            )
            guard wanting.isEmpty else { throw GatewayError(wanting) }
            self.customEvents.webhooks.reconfigure(configuration.webhooks)
            self.context.server.engine.trust(configuration.security.trustedProxies.compactMap { AddressRange($0) })
            self.gatekeeper.limitFailures(configuration.authentication, before: before)
            await self.context.rules.replace(by: rules)
            let digest = self.watch.own.digest
            self.watch.changed(configuration, others)
            let tally = await self.gatekeeper.renewSockets()
            self.context.logger.log(
                level: self.watch.own.digest == digest ? .debug : .info,
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

    /// Finds everything that is wrong with a configuration, and changes nothing.
    func check(_ configuration: GatewayConfiguration) async throws {
        _ = try await Rules(self.withInstalledParts(configuration), hooks: self.context.hooks)
    }

    /// What stays as it was installed.
    private func withInstalledParts(_ configuration: GatewayConfiguration) -> GatewayConfiguration {
        var configuration = configuration
        let installed = self.configuration
        configuration.authentication.mode = installed.authentication.mode
        configuration.namespaces = installed.namespaces
        configuration.nodeName = installed.nodeName
        return configuration
    }

    /// Listens to what other nodes say about their configurations.
    func watchConfigurations() {
        self.watch.start(
            ConfigurationWatch.Listener(
                privacyChanged: { [weak self] in
                    // Nobody waits for this task. It ends when the rules are replaced.
                    Task { [weak self] in await self?.hideWhatOthersHide() }
                },
                settingsMessage: { [weak self] in self?.settings?.heard($0) },
                gap: { [weak self] in self?.settings?.look() }
            )
        )
    }

    /// Keeps private here what is private to any other live node.
    private func hideWhatOthersHide() async {
        await self.changes.run {
            let others = self.watch.others
            // The configuration is in force, so there is nothing wrong with it.
            guard
                let rules = try? await Rules(self.configuration, hooks: self.context.hooks, others: others)
            else { return }
            await self.context.rules.replace(by: rules)
            self.context.logger.notice(
                others.isEmpty
                    ? "All nodes keep the same fields private"
                    : "Other nodes have other configurations; what is private to one of them is private here",
                metadata: ["configurations": "\(others.count)"]
            )
        }
    }
}
