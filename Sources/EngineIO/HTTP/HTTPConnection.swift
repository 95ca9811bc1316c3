import DequeModule
import NIOCore
import NIOHTTP1
import SocketIOWire

/// A connection while it speaks HTTP.
///
/// It handles one request after the other, in order.
///
/// It is `@unchecked Sendable` because answers may come from other loops. It is used only on `loop`, and that is
/// asserted.
final class HTTPConnection: @unchecked Sendable {
    enum State {
        /// No request is under way.
        case idle
        /// A request is arriving, and there is no answer yet.
        case receiving(HTTPExchange)
        /// The request is complete, and there is no answer yet.
        case answering(HTTPExchange)
        /// The request is answered, but the rest of its body is still arriving.
        case draining(HTTPExchange)
        /// A request for an upgrade is arriving.
        case receivingUpgrade(UpgradeRequest)
        /// A request for an upgrade is complete, and the server is deciding about it.
        case decidingUpgrade(UpgradeRequest)
        /// The last answer is being sent.
        case closing
        /// The connection no longer belongs to this handler.
        case detached
    }

    /// How much of a refused body the server reads before it closes the connection.
    static let maxDiscardedBytes = 1_048_576
    /// How many request timeouts a request may take if its bytes keep arriving.
    static let maxRequestTimeouts = 10

    static let proxyProtocolName = "PROXY protocol"

    let server: EngineServer
    let loop: EngineLoop
    /// The client's address, if a load balancer has told it in a PROXY header.
    var proxiedAddress: SocketAddress?
    var timerLinks = TimerLinks()

    var context: ChannelHandlerContext?
    var state = State.idle
    var queue = Deque<HTTPServerRequestPart>()
    var queuedRequests = 0
    var isReadHeld = false
    var isProcessing = false
    /// NIO's decoder.
    ///
    /// It reads everything from the first request on that ``PlainRequestHead`` does not read.
    var decoder: RequestDecoder?
    private(set) var decoderHandler: ByteToMessageHandler<RequestDecoder>?
    /// A part of a head, or the bytes behind a request for an upgrade.
    var held: ByteBuffer?
    /// In how many reads that part has come.
    var heldReads = 0
    /// How much of a body is still missing, if the decoder does not read it.
    var bodyBytesToCome = 0
    var isReceiving = false
    /// The bytes that came meanwhile.
    var later: ByteBuffer?
    /// Whether nothing has been read yet.
    var isNew = true
    /// The connection's socket, from the first read until the channel closes it.
    var descriptor = SocketDescriptor.none
    /// Whether bytes may wait in the channel.
    var mayHaveBacklog = false
    var isWritable = true
    /// How many bytes the current request's body has so far, including bytes that were dropped.
    var requestBytes = 0
    var checkedBytes = 0
    var checks = 0
    /// The connection's place in the count of its address, if that is limited.
    var ticket: ConnectionTicket?
    /// Why there is no room for the connection.
    ///
    /// If this is set, the server closes the connection behind its first answer.
    var refusal: HandshakeError?
    /// The connection's entries in the budgets of bytes, if bytes wait.
    var queuedHolding: Holding?
    var requestHolding: Holding?

    init(server: EngineServer, loop: EngineLoop) {
        self.server = server
        self.loop = loop
    }

    var limits: EngineLimits { self.server.configuration.limits }

    var keepAliveSeconds: Int { max(1, Int(self.limits.keepAliveTimeout.nanoseconds / 1_000_000_000)) }

    var usesDecoder: Bool { self.decoder != nil }

    /// The address of the other end, a client or a proxy, for the log.
    var peerAddress: String? { self.remoteAddress?.ipAddress }

    /// The first handlers of a connection.
    static func addHandlers(to channel: any Channel, server: EngineServer, loop: EngineLoop) throws {
        let pipeline = channel.pipeline.syncOperations
        let connection = HTTPConnection(server: server, loop: loop)
        if !server.configuration.proxyProtocolSources.isEmpty {
            try pipeline.addHandler(ProxyProtocolHandler(connection: connection), name: Self.proxyProtocolName)
        }
        try pipeline.addHandler(connection)
    }

    /// Lets NIO's decoder read from here on.
    func useDecoder(in context: ChannelHandlerContext) throws {
        // The decoder keeps what it gets, so this must not be the loop's own buffer.
        try? context.channel.syncOptions?.setOption(.recvAllocator, value: ReceiveAllocator.own(self.loop))
        let decoder = RequestDecoder(limits: self.limits)
        let handler = ByteToMessageHandler(decoder)
        self.decoder = decoder
        self.decoderHandler = handler
        let handlers: [any ChannelHandler] = [handler, DecodedRequests(self)]
        try context.pipeline.syncOperations.addHandlers(handlers, position: .after(self))
    }

    /// Closes the connection as soon as no request is being answered.
    func shutDown() {
        switch self.state {
        case .idle: self.closeAfterFlush()
        case .receiving(let exchange), .answering(let exchange), .draining(let exchange):
            exchange.context.isKeptAlive = false
        case .receivingUpgrade, .decidingUpgrade, .closing, .detached: break
        }
    }
}
