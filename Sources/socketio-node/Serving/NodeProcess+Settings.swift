import Console
import EngineIO
import Gateway
import Logging
import NIOCore
import RESP
import SocketIOServer

/// Settings that change while the node runs.
extension NodeProcess {
    /// The same node with the settings document, if there is one that is right.
    ///
    /// The file says where the document is, so it is read when Redis is connected. A document that cannot be read, or is
    /// wrong, does not keep the node from starting.
    func withDocument(_ sharing: Sharing) async -> NodeProcess {
        guard self.configuration.redis != nil else { return self }
        let source = NodeSettings(started: self.loaded, load: self.load)
        do {
            guard let document = try await LiveSettings.document(for: source, in: sharing.settings) else { return self }
            var process = self
            process.loaded = try self.load(document)
            self.logger.notice("The settings document is in force", metadata: ["version": "\(document.version)"])
            return process
        } catch {
            self.logger.warning("The settings document could not be read", metadata: ["error": "\(error)"])
            return self
        }
    }

    /// What the settings document means for this node.
    ///
    /// - Parameter made: The gateway with the token that was made for this run, if one was.
    /// - Returns: What the node follows.
    func settings(with made: GatewayConfiguration?) -> NodeSettings {
        NodeSettings(started: self.loaded, load: self.load) { gateway in
            guard let made, gateway.apiTokens.isEmpty else { return }
            gateway.apiTokenSalt = made.apiTokenSalt
            gateway.apiTokens = made.apiTokens
        }
    }

    /// What changes with the settings, besides the gateway's rules.
    func follow(_ settings: NodeSettings, _ server: SocketServer, _ current: CurrentConfiguration) {
        let log = self.log
        settings.onChange { configuration in
            current.replace(by: configuration)
            log.setLevel(configuration.logging.level)
            server.engine.allow(configuration.server.engine.cors)
        }
    }
}
