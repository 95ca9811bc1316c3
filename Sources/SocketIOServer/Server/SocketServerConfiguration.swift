public import EngineIO
public import NIOCore
public import SocketIOWire

/// What a ``SocketServer`` does and how much of it; the defaults are those of Node's server.
public struct SocketServerConfiguration: Sendable {
    /// The connection's side: path, transports, heartbeat, limits, CORS.
    ///
    /// Its path is `/socket.io`. Who replaces all of it by another `EngineConfiguration` sets the path as well, for there
    /// it is `/engine.io`.
    public var engine: EngineConfiguration
    /// Where ``SocketServer/run()`` listens.
    public var listeners: [Listener]
    /// A connection that has joined no namespace after this time is closed.
    public var connectTimeout: TimeAmount = .seconds(45)
    /// A client that has announced attachments and sends none of them for this long is disconnected.
    public var attachmentTimeout: TimeAmount = .seconds(60)
    /// How long acknowledgements are waited for if an event does not say.
    ///
    /// `nil`: that of one client until it leaves; those of a broadcast not at all, it has to say.
    public var acknowledgementTimeout: TimeAmount?
    /// What a packet from a client may contain.
    public var packetLimits = PacketLimits()
    /// What one client, and one other node, may make the server do and keep.
    public var limits = SocketLimits()
    /// Whether namespaces that exist because a client asked for them go when their last client has gone.
    ///
    /// If not, as in Node, they stay until ``SocketLimits/dynamicNamespaces`` is reached; then empty ones make room.
    public var cleanupEmptyChildNamespaces = false
    /// Lets clients that were away for a moment go on where they were; `nil`: off, as in Node.
    public var connectionStateRecovery: ConnectionStateRecovery?

    /// An address and port to listen on.
    public struct Listener: Sendable, Hashable {
        /// An IP address or a name: `0.0.0.0`, `::`, `127.0.0.1`.
        public var host: String
        /// `0` lets the system choose.
        public var port: Int

        /// An address and a port.
        public init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    /// Node's defaults, listening on one address: that of this machine's loopback interface unless another is given.
    public init(host: String = "127.0.0.1", port: Int = 3000, engine: EngineConfiguration = EngineConfiguration()) {
        self.listeners = [Listener(host: host, port: port)]
        self.engine = engine
        if engine.path == EngineConfiguration().path { self.engine.path = "/socket.io" }
    }
}
