public import Logging
public import Metrics
public import NIOCore

/// An Engine.IO server: HTTP long-polling, WebSocket, and the change from one to the other.
public final class EngineServer: Sendable {
    /// Called on a session's loop when the session opens, before any packet of it is read; what it returns is told
    /// about the session and kept until the session closes.
    public typealias SessionHandler = @Sendable (EngineSession) -> (any EngineSessionDelegate)?

    let configuration: EngineConfiguration
    let logger: Logger
    let onSession: SessionHandler
    /// The loops of the group, in its order.
    package let loops: [EngineLoop]

    /// A server that does not listen yet.
    public init(
        configuration: EngineConfiguration = EngineConfiguration(),
        eventLoopGroup: any EventLoopGroup,
        logger: Logger,
        metricsFactory: any MetricsFactory = MetricsSystem.factory,
        onSession: @escaping SessionHandler
    ) {
        self.configuration = configuration
        self.logger = logger
        self.onSession = onSession
        self.loops = eventLoopGroup.makeIterator().map { EngineLoop(eventLoop: $0) }
    }

    /// Listens on an address; may be called more than once.
    ///
    /// - Parameter port: 0 takes any free one.
    /// - Returns: The address bound.
    public func listen(host: String, port: Int) async throws -> SocketAddress {
        throw ChannelError.operationUnsupported
    }

    /// Accepts no more connections; sessions go on.
    public func stopListening() async {
    }

    /// Stops listening and closes every session at once, reason ``CloseReason/forcedClose``.
    public func close() async {
    }

    /// The number of open sessions.
    public var sessionCount: Int { 0 }
}
