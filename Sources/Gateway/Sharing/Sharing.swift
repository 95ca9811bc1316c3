/// What the gateways of one cluster share besides sockets.
///
/// The default is a gateway that is alone. The gateways of several servers in one process are a cluster if they are given
/// the same value; `RedisSharing` of the module `RedisGateway` makes one for nodes that have a Redis in common.
///
/// ```swift
/// import Gateway
/// import SocketIOServer
///
/// func install(on server: SocketServer, _ sharing: Sharing) async throws -> IO {
///     try await IO.install(on: server, configuration: GatewayConfiguration(), sharing: sharing)
/// }
/// ```
public struct Sharing: Sendable {
    /// Tells all gateways of something.
    public var signals: any ClusterSignals
    /// What has happened, for those who operate the cluster.
    public var eventLog: any SharedLog = InMemoryLog()
    /// Who has changed what.
    public var auditLog: any SharedLog = InMemoryLog()
    /// Keeps the last events of rooms and entities.
    public var history: any EventHistory = InMemoryHistory()
    /// What rooms remember, and who holds it.
    package var state: any SharedState = InMemoryState()
    /// Keeps the limits for the whole cluster.
    public var limits: any ClusterLimits = InMemoryLimits()
    /// Which tokens are revoked.
    public var revocations: any RevocationStore
    /// Keeps the settings document.
    public var settings: any SettingsStore

    /// A gateway that is alone, or the parts that gateways of one process have in common.
    public init(
        signals: any ClusterSignals = InMemorySignals(),
        settings: (any SettingsStore)? = nil
    ) {
        self.signals = signals
        self.revocations = InMemoryRevocations(signals: signals)
        self.settings = settings ?? InMemorySettings(signals: signals)
    }
}
