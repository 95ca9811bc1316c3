public import NIOCore
public import SocketIOWire

/// The settings of an ``EngineServer``.
///
/// The defaults are those of the reference implementation.
public struct EngineConfiguration: Sendable {
    /// The path that requests must start with.
    ///
    /// The default is `/engine.io`, and `/socket.io` under Socket.IO.
    public var path = "/engine.io"
    /// Whether ``path`` gets a slash at its end.
    public var addTrailingSlash = true
    /// How long after a pong, or after the session's start, the server sends a ping.
    public var pingInterval = TimeAmount.seconds(25)
    /// How long the pong may take.
    public var pingTimeout = TimeAmount.seconds(20)
    /// How long a probe for an upgrade may take.
    public var upgradeTimeout = TimeAmount.seconds(10)
    /// How often a waiting poll is answered while a probe goes on, so that the client can pause polling.
    var probeCheckInterval = TimeAmount.milliseconds(100)
    /// How long a session that a POST has ended waits for a poll that may be under way.
    var lingeringTime = TimeAmount.milliseconds(500)
    /// The largest message or polling payload that a client may send, in bytes.
    ///
    /// The server announces it as `maxPayload`.
    public var maxHTTPBufferSize = 1_000_000
    /// The transports a client may use.
    public var transports = TransportName.allCases
    /// Whether clients of protocol 3 (Socket.IO 1 and 2) may connect.
    public var allowEIO3 = false
    /// How many packets one answer to a poll may hold.
    ///
    /// `nil` means any number, but 16 for Python's client.
    ///
    /// Python's client drops the connection if there are more than 16 packets. Other clients lose time if packets that
    /// would fit one poll come in several.
    public var maxPacketsPerPoll: Int?
    /// Whether the server offers a polling session the change to WebSocket, and allows it.
    public var allowUpgrades = true
    /// Compression of WebSocket messages, for clients that offer it.
    ///
    /// `nil` means no compression.
    public var perMessageDeflate: PerMessageDeflate?
    /// Compression of answers to polls, for clients that accept it.
    ///
    /// `nil` means no compression.
    public var httpCompression: HTTPCompression? = HTTPCompression()
    /// Cross-origin headers.
    ///
    /// `nil` means no headers.
    public var cors: CORSConfiguration?
    /// Whether the server refuses sessions to pages of foreign origins, with status 403 and over both transports.
    ///
    /// Without it, the server behaves like Node: ``cors`` keeps browsers from reading answers to polls, but any page
    /// may open a WebSocket. With it, the server refuses a request if its `Origin` is neither the server's own (the
    /// host in `Host`) nor allowed by ``cors``. A request without `Origin` passes, because it comes from no page of
    /// another origin.
    public var refusesForeignOrigins = false
    /// The page for browsers that open ``path`` without any parameter.
    ///
    /// `nil` means the protocol's error.
    public var page: HTTPAnswer?
    /// The cookie that a polling handshake sets.
    ///
    /// `nil` means no cookie.
    public var cookie: CookieConfiguration?
    /// A text message that the server sends right after the open packet.
    public var initialPacket: String?
    /// Decides whether the server accepts a handshake.
    ///
    /// It is called once for each session, before the session exists.
    public var allowRequest: (@Sendable (HandshakeRequest) async -> HandshakeDecision)?
    /// Whether the server refuses new sessions for now, with status 503.
    ///
    /// `nil` means that it never does.
    ///
    /// It is asked on the connection's event loop before each session exists, over both transports. Sessions that exist go
    /// on, and may change their transport.
    public var refusesSessions: (@Sendable () -> Bool)?
    /// Makes the ids of sessions.
    ///
    /// `nil` means that the server makes them.
    ///
    /// Ids are secret, because anybody who knows one can take its session over. The server calls this on the
    /// connection's event loop. If it returns the id of an open session, the server refuses the handshake with error 3.
    public var generateID: (@Sendable (HandshakeRequest) -> SessionID)?
    /// Adds headers to the answer of a session's first request.
    public var initialHeaders: HeaderHook?
    /// Adds headers to every polling answer with status 200, and to the answer to every WebSocket handshake.
    public var headers: HeaderHook?
    /// Answers requests outside of ``path``.
    ///
    /// Without it, or if it returns `nil`, the answer is a 404.
    ///
    /// The server calls it on the connection's event loop with the method and the request target.
    public var routes: (@Sendable (_ method: String, _ target: String) -> HTTPAnswer?)?
    /// Hears of every refused request (`connection_error` of the reference implementation), on any event loop.
    public var onHandshakeError: (@Sendable (HandshakeError) -> Void)?
    /// Proxies whose `X-Forwarded-For` or `Forwarded` is believed.
    ///
    /// The client's address decides for the limits for an address. By default there are none, because anybody can
    /// invent these headers.
    public var trustedProxies: [AddressRange] = []
    /// Load balancers that write the PROXY header (version 1 or 2) in front of each connection.
    ///
    /// By default there are none.
    ///
    /// A connection from them has the address in its header. Without a header the server closes it. From all other
    /// addresses, such a header is a malformed request.
    public var proxyProtocolSources: [AddressRange] = []
    /// What a peer may cost.
    public var limits = EngineLimits()

    /// Whether WebSockets carry no Engine.IO.
    ///
    /// Each message comes back, for test suites of WebSocket itself.
    package var echoesWebSockets = false

    /// Adds to the headers of an answer.
    public typealias HeaderHook = @Sendable (_ headers: inout [HTTPField], _ request: HandshakeRequest) -> Void

    /// The reference implementation's defaults.
    public init() {}
}

/// What ``EngineConfiguration/allowRequest`` decides.
public enum HandshakeDecision: Sendable {
    /// The session is created.
    case accept
    /// The client gets error 4 with this message (`nil`: `Forbidden`).
    case refuse(String?)
}

/// Limits on what one connection or session can make the server keep.
public struct EngineLimits: Sendable {
    /// The most bytes that may wait for one session behind the message that is being sent.
    ///
    /// If more wait, the server closes the session as a slow reader.
    ///
    /// The message that is being sent may have any size, over WebSocket and by polling.
    public var maxQueuedBytes = 16 * 1024 * 1024
    /// The most packets that may wait to be sent to one session.
    public var maxQueuedPackets = 65_536
    /// The most bytes that may wait to be sent to all sessions together.
    ///
    /// Bytes in the channels count, too.
    ///
    /// Beyond it the server closes the sessions for which most waits. The bytes of a broadcast count for each client
    /// that has not taken them, though the server keeps them once. The default is a quarter of the memory that the
    /// process may use.
    public var maxTotalQueuedBytes = ProcessMemory.limit / 4
    /// The most bytes of all requests and messages together that have arrived only in part or wait to be handled.
    ///
    /// Beyond it the server refuses the longest and closes their connections. The default is an eighth of the memory
    /// that the process may use.
    public var maxTotalRequestBytes = ProcessMemory.limit / 8
    /// The server drops volatile packets while more than this number of bytes waits to be sent.
    public var volatileThreshold = 16 * 1024
    /// The most bytes of an HTTP request's line and headers.
    public var maxHeaderBytes = 64 * 1024
    /// The most header fields of an HTTP request.
    public var maxHeaderCount = 100
    /// How long the head of an HTTP request may take to arrive, and its body.
    public var requestTimeout = TimeAmount.seconds(30)
    /// How long the server keeps a connection without a request.
    public var keepAliveTimeout = TimeAmount.seconds(75)
    /// The most requests that may wait behind one that is being answered.
    public var maxPipelinedRequests = 16
    /// The most packets in one polling payload.
    public var maxPacketsPerPayload = 100_000
    /// The most fragments of one WebSocket message.
    ///
    /// The server joins them as they arrive, so a fragment costs only time.
    public var maxFragments = 131_072
    /// The most packets without data that a client may send in a second: pings, pongs, empty polls.
    ///
    /// The session of a client that sends more ends. Ordinary clients send one in ``EngineConfiguration/pingInterval``.
    public var maxControlPacketsPerSecond: Int? = 1000
    /// The most connections.
    ///
    /// The server answers further ones with status 503, and these count, too, while they last.
    public var maxConnections: Int?
    /// How many of the process's file descriptors are kept for everything that is no connection.
    ///
    /// 0 means none.
    ///
    /// A process without a free descriptor cannot reach a database or write a log, and may end. When only the kept ones
    /// are left, the server answers further connections with status 503, or lets them wait until others have gone.
    public var reservedDescriptors = 64
    /// The most connections from one IPv4 address, or from one /64 network of IPv6.
    ///
    /// The server answers further ones with status 429.
    ///
    /// Connections of trusted proxies do not count.
    public var maxConnectionsPerAddress: Int?
    /// The most connections from one address that have not sent a complete request yet.
    public var maxHalfOpenPerAddress: Int?
    /// The most sessions.
    ///
    /// The server refuses further handshakes with status 503.
    public var maxSessions: Int?
    /// The most sessions of clients at one address.
    ///
    /// The server refuses further handshakes with status 429.
    public var maxSessionsPerAddress: Int?
    /// How long a closing session may wait for its client.
    public var closeTimeout = TimeAmount.seconds(30)

    /// Limits that suit ordinary clients.
    public init() {}
}

/// A header field.
public struct HTTPField: Hashable, Sendable {
    /// The name, written as it stands here.
    public var name: String
    /// The value.
    public var value: String

    /// A header field.
    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// An answer to an HTTP request that does not belong to Engine.IO.
public struct HTTPAnswer: Sendable {
    /// The status code.
    public var status: Int
    /// The header fields.
    ///
    /// The server adds `Content-Length`, `Date` and `Connection`.
    public var headers: [HTTPField]
    /// The body.
    public var body: ByteBuffer

    /// An answer.
    public init(status: Int, headers: [HTTPField] = [], body: ByteBuffer = ByteBuffer()) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// An answer of plain text.
    public static func text(_ text: String, status: Int = 200) -> Self {
        Self(
            status: status,
            headers: [HTTPField("Content-Type", "text/plain; charset=utf-8")],
            body: ByteBuffer(string: text)
        )
    }

    /// An answer of JSON.
    public static func json(_ body: ByteBuffer, status: Int = 200) -> Self {
        Self(status: status, headers: [HTTPField("Content-Type", "application/json")], body: body)
    }
}
