import Console
import EngineIO
import Logging
import SocketIOServer

/// Who gets how many of the process's file descriptors.
///
/// Clients may take all but those that are kept for the connections of the publish API and the console, and for everything
/// else: Redis, the log, the runtime, which ends the process when it gets none.
struct DescriptorPlan: Sendable, Equatable {
    /// How many the process may have; `nil`: as many as it likes.
    let limit: Int?
    /// What the limit was before it was raised, if it was.
    let raisedFrom: Int?
    /// How many connections the publish API may have.
    let publishConnections: Int
    /// How many clients' connections leave free.
    let reserved: Int
    /// How many connections the configuration allows.
    private let configured: Int?

    /// How many are kept for everything that is not a connection of a client or a publisher.
    private static let others = 64

    /// Raises the limit as far as it may be, then plans.
    init(_ configuration: NodeConfiguration) {
        let raisedFrom = FileDescriptors.raiseLimit()
        self.init(configuration, limit: FileDescriptors.limit, raisedFrom: raisedFrom)
    }

    init(_ configuration: NodeConfiguration, limit: Int?, raisedFrom: Int? = nil) {
        self.limit = limit
        self.raisedFrom = raisedFrom
        self.configured = configuration.server.engine.limits.maxConnections
        let wanted = configuration.publish?.api.maximumConnections ?? 0
        // Where there are few, an eighth is for publishers.
        self.publishConnections = limit.map { min(wanted, max(8, $0 / 8)) } ?? wanted
        let console = configuration.console == nil ? 0 : ConsoleAPI.maximumConnections
        self.reserved = self.publishConnections + console + Self.others
    }

    /// Says what the limit is, and what it does not allow.
    func log(to logger: Logger) {
        guard let limit = self.limit else { return }
        let clients = max(limit - self.reserved, limit / 2)
        var metadata: Logger.Metadata = ["limit": "\(limit)", "clients": "\(clients)"]
        if let raisedFrom = self.raisedFrom { metadata["was"] = "\(raisedFrom)" }
        logger.notice(
            self.raisedFrom == nil
                ? "The process may open so many files" : "The limit of open files was raised to what the system allows",
            metadata: metadata
        )
        if let configured = self.configured, configured > clients {
            logger.warning(
                "limits.connections is higher than the limit of open files allows; raise that (ulimit -n, LimitNOFILE)",
                metadata: ["limits.connections": "\(configured)", "clients": "\(clients)"]
            )
        }
    }
}
