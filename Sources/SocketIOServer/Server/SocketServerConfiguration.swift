public import EngineIO
public import NIOCore
public import SocketIOWire

/// What a ``SocketServer`` does and how much of it; the defaults are those of Node's server.
public struct SocketServerConfiguration: Sendable {
    /// The connection's side: path, transports, heartbeat, limits, CORS.
    ///
    /// Its path is `/socket.io`. A new `EngineConfiguration` has the path `/engine.io`, so set the path if you replace
    /// all of it.
    public var engine: EngineConfiguration
    /// Where ``SocketServer/run()`` listens.
    public var listeners: [Listener]
    /// The server closes a connection that has joined no namespace after this time.
    public var connectTimeout: TimeAmount = .seconds(45)
    /// The server disconnects a client that has announced attachments and sends none of them for this long.
    public var attachmentTimeout: TimeAmount = .seconds(60)
    /// How long the server waits for acknowledgements if an event does not say.
    ///
    /// `nil`: for one client it waits until that client leaves; a broadcast has to say how long.
    public var acknowledgementTimeout: TimeAmount?
    /// What a packet from a client may contain.
    public var packetLimits = PacketLimits()
    /// What one client, and one other node, may make the server do and keep.
    public var limits = SocketLimits()
    /// Whether a namespace that exists because a client asked for it goes when its last client has gone.
    ///
    /// If not, as in Node, it stays until there are ``SocketLimits/dynamicNamespaces``; then empty ones make room.
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
