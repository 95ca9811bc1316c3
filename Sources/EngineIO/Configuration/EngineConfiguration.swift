public import NIOCore
public import SocketIOWire

/// How an ``EngineServer`` behaves; the defaults are those of the reference implementation.
public struct EngineConfiguration: Sendable {
    /// The path that requests must start with; `/engine.io`, and `/socket.io` under Socket.IO.
    public var path = "/engine.io"
    /// Whether ``path`` is taken with a slash at its end.
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
    /// The largest message or polling payload taken from a client, in bytes; announced as `maxPayload`.
    public var maxHTTPBufferSize = 1_000_000
    /// The transports a client may use.
    public var transports = TransportName.allCases
    /// Whether clients of protocol 3 (Socket.IO 1 and 2) are let in.
    public var allowEIO3 = false
    /// How many packets one answer to a poll may hold; `nil` means any number, but 16 for Python's client.
    ///
    /// Python's client drops the connection over a seventeenth packet. Other clients lose time if packets that could
    /// come in one poll come in several.
    public var maxPacketsPerPoll: Int?
    /// Whether the server offers a polling session the change to WebSocket, and allows it.
    public var allowUpgrades = true
    /// Compression of WebSocket messages, for clients that offer it; `nil` means none.
    public var perMessageDeflate: PerMessageDeflate?
    /// Compression of answers to polls, for clients that accept it; `nil` means none.
    public var httpCompression: HTTPCompression? = HTTPCompression()
    /// Cross-origin headers; `nil` means none.
    public var cors: CORSConfiguration?
    /// Whether pages of foreign origins get no session, over either transport: status 403 before there is one.
    ///
    /// ``cors`` alone, as in Node, keeps browsers from reading answers to polls; a WebSocket any page may open. With this,
    /// a request whose `Origin` is neither this server's own (the host in `Host`) nor allowed by ``cors`` is refused. One
    /// without `Origin` passes: it comes from no page of another origin.
    public var refusesForeignOrigins = false
    /// What browsers are shown that open ``path`` as a page, without any parameter; `nil`: the protocol's error.
    public var page: HTTPAnswer?
    /// The cookie that a polling handshake sets; `nil` means none.
    public var cookie: CookieConfiguration?
    /// A text message sent right after the open packet.
    public var initialPacket: String?
    /// Decides whether the server lets a handshake in; called once for each session, before it exists.
    public var allowRequest: (@Sendable (HandshakeRequest) async -> HandshakeDecision)?
    /// Makes the ids of sessions; `nil` leaves it to the server.
    ///
    /// Ids are secret: whoever knows one can take its session over. The server calls this on the connection's event
    /// loop. It refuses a handshake that gets the id of an open session with error 3.
    public var generateID: (@Sendable (HandshakeRequest) -> SessionID)?
    /// Adds headers to the answer of a session's first request.
    public var initialHeaders: HeaderHook?
    /// Adds headers to every polling answer with status 200 and every WebSocket handshake's answer.
    public var headers: HeaderHook?
    /// Answers requests outside of ``path``; without it, or if it returns `nil`, the answer is a 404.
    ///
    /// The server calls it on the connection's event loop with the method and the request target.
    public var routes: (@Sendable (_ method: String, _ target: String) -> HTTPAnswer?)?
    /// Hears of every refused request (`connection_error` of the reference implementation), on any event loop.
    public var onHandshakeError: (@Sendable (HandshakeError) -> Void)?
    /// Proxies whose `X-Forwarded-For` or `Forwarded` says where a client is, which matters to the limits for an address;
    /// none by default, since from anybody else these headers are an invention.
    public var trustedProxies: [AddressRange] = []
    /// Load balancers that write the PROXY header (version 1 or 2) in front of each connection; none by default.
    ///
    /// Their connections are closed without that header, and have the address that stands in it. From other addresses
    /// such a header is a malformed request.
    public var proxyProtocolSources: [AddressRange] = []
    /// What a peer may cost.
    public var limits = EngineLimits()

    /// Whether WebSockets carry no Engine.IO: each message comes back, for the test suites of WebSocket itself.
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

/// Bounds on what one connection or session can make the server keep.
public struct EngineLimits: Sendable {
    /// The most bytes that may wait to be sent to one session behind the message that is being sent; with more it is
    /// closed as a slow reader.
    ///
    /// The message that is being sent may have any size, over WebSocket and by polling.
    public var maxQueuedBytes = 16 * 1024 * 1024
    /// The most packets that may wait to be sent to one session.
    public var maxQueuedPackets = 65_536
    /// The most bytes that may wait to be sent to all sessions together, with those that the channels hold.
    ///
    /// Beyond it the server closes the sessions for which most waits. A broadcast's bytes count for each client that has
    /// not taken them, though the server keeps them once. By default it is a quarter of the memory that the process may
    /// use.
    public var maxTotalQueuedBytes = ProcessMemory.limit / 4
    /// The most bytes that all requests and messages together may have which have come in part only, or wait to be handled.
    ///
    /// Beyond it the server refuses the longest and closes their connections. By default it is an eighth of the memory that
    /// the process may use.
    public var maxTotalRequestBytes = ProcessMemory.limit / 8
    /// The server drops volatile packets while more than this number of bytes waits to be sent.
    public var volatileThreshold = 16 * 1024
    /// The most bytes of an HTTP request's line and headers.
    public var maxHeaderBytes = 64 * 1024
    /// The most header fields of an HTTP request.
    public var maxHeaderCount = 100
    /// How long the head of an HTTP request may take to arrive, and its body.
    public var requestTimeout = TimeAmount.seconds(30)
    /// How long a connection without a request is kept.
    public var keepAliveTimeout = TimeAmount.seconds(75)
    /// The most requests that may wait behind one that is being answered.
    public var maxPipelinedRequests = 16
    /// The most packets in one polling payload.
    public var maxPacketsPerPayload = 100_000
    /// The most fragments of one WebSocket message.
    ///
    /// The server puts them together as they come, so a fragment costs time only.
    public var maxFragments = 131_072
    /// The most packets without data that a client may send in a second: pings, pongs, empty polls.
    ///
    /// The session of a client that sends more ends. Ordinary clients send one in ``EngineConfiguration/pingInterval``.
    public var maxControlPacketsPerSecond: Int? = 1000
    /// The most connections that the server keeps, those included that it answers with status 503; it answers further
    /// ones so.
    public var maxConnections: Int?
    /// How many of the process's file descriptors connections leave to everything else that needs one; 0: none.
    ///
    /// A process without any left can't reach a database, write a log, or go on at all. When only these are left, the
    /// server answers further connections with status 503, or lets them wait until others have gone.
    public var reservedDescriptors = 64
    /// The most connections from one IPv4 address, or one /64 network of IPv6; the server answers further ones with
    /// status 429.
    ///
    /// Those of trusted proxies do not count.
    public var maxConnectionsPerAddress: Int?
    /// The most connections from one address that have not brought a whole request yet.
    public var maxHalfOpenPerAddress: Int?
    /// The most sessions; the server refuses further handshakes with status 503.
    public var maxSessions: Int?
    /// The most sessions of clients at one address; the server refuses further handshakes with status 429.
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

/// An answer to an HTTP request that is none of Engine.IO's.
public struct HTTPAnswer: Sendable {
    /// The status code.
    public var status: Int
    /// The header fields; the server adds `Content-Length`, `Date` and `Connection`.
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
