public import EngineIO
public import NIOCore
public import SocketIOWire

/// What a ``SocketServer`` does and how much of it; the defaults are those of Node's server.
public struct SocketServerConfiguration: Sendable {
    /// The connection's side: path, transports, heartbeat, limits, CORS.
    public var engine: EngineConfiguration
    /// Where ``SocketServer/run()`` listens.
    public var listeners: [Listener]
    /// A connection that has joined no namespace after this time is closed.
    public var connectTimeout: TimeAmount = .seconds(45)
    /// A client that has announced attachments and sends none of them for this long is disconnected.
    public var attachmentTimeout: TimeAmount = .seconds(60)
    /// How long events sent to one client wait for its acknowledgement if they don't say; `nil`: until it leaves.
    public var acknowledgementTimeout: TimeAmount?
    /// What a packet from a client may contain.
    public var packetLimits = PacketLimits()
    /// How many events of one client may wait for its asynchronous handlers before the server stops reading from it.
    public var mailboxLimit = 128
    /// How many namespaces one connection may join.
    public var maximumNamespacesPerConnection = 100

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

    /// Node's defaults, listening on one address.
    public init(host: String = "127.0.0.1", port: Int = 3000, engine: EngineConfiguration = EngineConfiguration()) {
        self.listeners = [Listener(host: host, port: port)]
        self.engine = engine
        if engine.path == EngineConfiguration().path { self.engine.path = "/socket.io" }
    }
}
