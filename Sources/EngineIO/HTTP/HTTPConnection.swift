import DequeModule
import NIOCore
import NIOHTTP1
import SocketIOWire
import Synchronization

/// A connection while it speaks HTTP.
///
/// It handles one request after the other, in order.
///
/// It is `@unchecked Sendable` because answers may come from other loops. It is used only on `loop`.
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
    private static let maxDiscardedBytes = 1_048_576
    /// How many request timeouts a request may take if its bytes keep arriving.
    private static let maxRequestTimeouts = 10

    private static let proxyProtocolName = "PROXY protocol"

    let server: EngineServer
    let loop: EngineLoop
    /// The client's address, if a load balancer has told it in a PROXY header.
    private var proxiedAddress: SocketAddress?
    var timerLinks = TimerLinks()

    var context: ChannelHandlerContext?
    var state = State.idle
    private var queue = Deque<HTTPServerRequestPart>()
    private var queuedRequests = 0
    private var isReadHeld = false
    private var isProcessing = false
    /// NIO's decoder.
    ///
    /// It reads everything from the first request on that ``PlainRequestHead`` does not read.
    private var decoder: RequestDecoder?
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
    private var isNew = true
    /// The connection's socket, from the first read until the channel closes it.
    private(set) var descriptor = SocketDescriptor.none
    /// Whether bytes may wait in the channel.
    private(set) var mayHaveBacklog = false
    private var isWritable = true
    /// How many bytes the current request's body has so far, including bytes that were dropped.
    private var requestBytes = 0
    private var checkedBytes = 0
    private var checks = 0
    /// The connection's place in the count of its address, if that is limited.
    var ticket: ConnectionTicket?
    /// Why there is no room for the connection.
    ///
    /// If this is set, the server closes the connection behind its first answer.
    var refusal: HandshakeError?
    /// The connection's entries in the budgets of bytes, if bytes wait.
    private var queuedHolding: Holding?
    private var requestHolding: Holding?

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

// MARK: - Channel events

extension HTTPConnection: ChannelInboundHandler, ChannelOutboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.loop.connections[ObjectIdentifier(self)] = self
        self.armTimer(self.limits.requestTimeout)
    }

    func channelActive(context: ChannelHandlerContext) {
        let isBalancer = self.isFromBalancer
        if !isBalancer, !self.server.configuration.proxyProtocolSources.isEmpty {
            context.pipeline.syncOperations.removeHandler(name: Self.proxyProtocolName, promise: nil)
        }
        // A balancer's connection belongs to no address before its header has come.
        self.seekAdmission(from: isBalancer ? nil : context.channel.remoteAddress)
        context.fireChannelActive()
    }

    private var isFromBalancer: Bool {
        let sources = self.server.configuration.proxyProtocolSources
        guard !sources.isEmpty, let peer = self.context?.channel.remoteAddress?.ipAddress.flatMap({ IPAddress($0) })
        else { return false }
        return sources.contains { $0.contains(peer) }
    }

    private func seekAdmission(from address: SocketAddress?) {
        let isFull = self.server.acceptState.isFull.load(ordering: .relaxed)
        guard self.server.admission.isLimited || isFull, self.refusal == nil else { return }
        switch self.server.admission.connect(from: address?.ipAddress, isFull: isFull) {
        case .success(let ticket): self.ticket = ticket
        case .failure(let error): self.turnAway(error)
        }
    }

    /// A load balancer has said whose connection it is.
    func isProxied(_ header: ProxyHeader) {
        guard case .client(let address, let port) = header else { return }
        self.proxiedAddress = try? SocketAddress(ipAddress: address.description, port: Int(port))
        self.ticket = nil
        self.seekAdmission(from: self.proxiedAddress)
    }

    /// The address of the connection's other end, if it is known.
    private var remoteAddress: SocketAddress? { self.proxiedAddress ?? self.context?.channel.remoteAddress }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.detach()
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.usesDecoder else { return context.fireChannelRead(data) }
        var bytes = self.unwrapInboundIn(data)
        if self.isNew {
            self.isNew = false
            bytes = self.rest(of: bytes, context)
        }
        var input = bytes
        self.receive(&input)
        input = ByteBuffer()
        if bytes.storageCapacity >= EngineLoop.receiveBufferSize { self.loop.giveBack(bytes) }
    }

    /// Reads what stands behind a new connection's first byte.
    ///
    /// The channel first reads a single byte (see ``ReceiveAllocator``), and would read the rest only in another turn.
    private func rest(of first: ByteBuffer, _ context: ChannelHandlerContext) -> ByteBuffer {
        let descriptor = SocketDescriptor(of: context.channel)
        self.descriptor = descriptor
        guard descriptor.isValid, first.readableBytes == 1 else { return first }
        var bytes = self.loop.takeReceiveBuffer()
        bytes.writeImmutableBuffer(first)
        _ = descriptor.receive(into: &bytes)
        return bytes
    }

    /// The decoder has read a part of a request.
    func received(_ part: HTTPServerRequestPart) {
        switch part {
        case .head(let head):
            self.decoder?.decodedHead(head)
        case .body(let bytes): self.decoder?.decodedBody(bytes.readableBytes)
        case .end: self.decoder?.decodedEnd()
        }
        if self.queue.isEmpty, self.takesParts {
            self.process(part)
            self.processQueue()
            return
        }
        switch self.state {
        case .closing, .detached: return
        case .idle, .receiving, .answering, .draining, .receivingUpgrade, .decidingUpgrade: break
        }
        if case .head = part { self.queuedRequests += 1 }
        self.queue.append(part)
        if self.queuedRequests > self.limits.maxPipelinedRequests { self.closeNow() }
    }

    func read(context: ChannelHandlerContext) {
        // A client that sends requests ahead has to wait when some are queued, or when answers are queued that it does
        // not read. The end of the stream is noticed even so.
        self.isReadHeld = true
        self.readIfPossible()
    }

    private func readIfPossible() {
        guard self.isReadHeld, self.queue.isEmpty, self.isWritable, let context = self.context else { return }
        // Bytes behind a request for an upgrade wait until the server has decided.
        if self.held != nil, case .decidingUpgrade = self.state { return }
        self.isReadHeld = false
        context.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.isWritable = context.channel.isWritable
        self.noteQueuedBytes()
        self.readIfPossible()
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.descriptor = SocketDescriptor.none
        switch self.state {
        case .receiving(let exchange), .answering(let exchange): exchange.aborted()
        case .receivingUpgrade(let request), .decidingUpgrade(let request): request.decision?.cancel()
        case .idle, .draining, .closing, .detached: break
        }
        self.detach()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is HTTPParserError {
            self.server.metrics.malformedInput(.httpRequest)
            switch self.state {
            case .idle, .receiving:
                let isTooBig = error as? HTTPParserError == .headerOverflow
                self.writeAndClose(isTooBig ? "431 Request Header Fields Too Large" : "400 Bad Request")
                return
            case .answering, .draining, .receivingUpgrade, .decidingUpgrade, .closing, .detached:
                break
            }
        }
        self.closeNow()
    }

    func detach() {
        self.state = .detached
        self.mayHaveBacklog = false
        self.noteQueuedBytes()
        self.noteRequestBytes()
        self.descriptor = SocketDescriptor.none
        self.bodyBytesToCome = 0
        if self.isReadHeld {
            // The new owner of the connection knows nothing of a read that was held back here.
            self.isReadHeld = false
            self.context?.read()
        }
        self.queue = []
        self.ticket = nil
        self.forgetRefusal()
        self.loop.timers.cancel(self)
        self.loop.connections[ObjectIdentifier(self)] = nil
    }
}

// MARK: - Requests

extension HTTPConnection {
    private var takesParts: Bool {
        switch self.state {
        case .idle, .receiving, .draining, .receivingUpgrade: true
        case .answering, .decidingUpgrade, .closing, .detached: false
        }
    }

    private func processQueue() {
        guard !self.isProcessing else { return }
        self.isProcessing = true
        while self.takesParts, let part = self.queue.popFirst() {
            if case .head = part { self.queuedRequests -= 1 }
            self.process(part)
        }
        self.isProcessing = false
        self.readIfPossible()
    }

    func process(_ part: HTTPServerRequestPart) {
        switch (self.state, part) {
        case (.idle, .head(let head)):
            self.begin(head)
        case (.receiving(let exchange), .body(let bytes)):
            self.requestBytes += bytes.readableBytes
            self.collect(bytes, for: exchange)
        case (.receiving(let exchange), .end):
            self.ticket?.establish()
            self.loop.timers.cancel(self)
            self.state = .answering(exchange)
            self.noteRequestBytes()
            exchange.completed()
        case (.draining, .body(let bytes)), (.receivingUpgrade, .body(let bytes)):
            self.requestBytes += bytes.readableBytes
            if self.requestBytes > Self.maxDiscardedBytes + self.server.configuration.maxHTTPBufferSize {
                self.closeNow()
            }
        case (.draining(let exchange), .end):
            self.ticket?.establish()
            self.finish(exchange)
        case (.receivingUpgrade(let request), .end):
            self.ticket?.establish()
            self.loop.timers.cancel(self)
            self.state = .decidingUpgrade(request)
            self.decide(request)
        case (.idle, _), (.receiving, .head), (.draining, .head), (.receivingUpgrade, .head), (.answering, _),
            (.decidingUpgrade, _), (.closing, _), (.detached, _):
            // The decoder keeps the order of the parts.
            break
        }
    }

    private func collect(_ bytes: ByteBuffer, for exchange: HTTPExchange) {
        guard exchange.session != nil, exchange.method == .post else {
            if self.requestBytes > Self.maxDiscardedBytes { self.closeNow() }
            return
        }
        guard self.requestBytes <= self.server.configuration.maxHTTPBufferSize else {
            exchange.body = ByteBuffer()
            self.noteRequestBytes()
            exchange.session?.perform { $0.refusedBody(of: exchange) }
            self.answer(exchange, .empty(status: 413))
            return
        }
        exchange.body.writeImmutableBuffer(bytes)
        exchange.receivedBytes = self.requestBytes
        if self.bodyBytesToCome > 0 || self.usesDecoder { self.noteRequestBytes() }
    }

    func beginCounting() {
        self.requestBytes = 0
        self.checks = 0
        self.checkedBytes = 0
    }

    private func begin(_ received: HTTPRequestHead) {
        var head = received
        self.beginCounting()
        self.armTimer(self.limits.requestTimeout)
        let fields = RequestFields(head.headers)
        guard fields.hostCount == 1 || (fields.hostCount == 0 && head.version.minor == 0) else {
            // Nobody can tell for which host the request is. Different servers would choose different ones (RFC 9112,
            // section 3.2).
            self.server.metrics.malformedInput(.httpRequest)
            return self.writeAndClose("400 Bad Request")
        }
        head.normaliseTarget()
        let belongsToEngine = self.server.owns(head.uri)
        if let refusal = self.refusal, belongsToEngine || self.route(head) == nil {
            return self.sayFarewell(refusal, isHead: head.method == .HEAD)
        }
        // A server need not accept offers of other protocols (RFC 9110, section 7.8).
        let takesWebSockets = self.server.configuration.transports.contains(.websocket)
        if belongsToEngine, takesWebSockets, fields.asksForWebSocket {
            let request = UpgradeRequest(head: head, fields: fields, remoteAddress: self.remoteAddress)
            self.state = .receivingUpgrade(request)
            return
        }
        var context = HTTPResponseContext()
        context.isHead = head.method == .HEAD
        context.isKeptAlive = head.isKeepAlive && !self.server.isStopping && self.refusal == nil
        context.keepAliveSeconds = self.keepAliveSeconds
        let exchange = HTTPExchange(connection: self, method: head.method, fields: fields, context: context)
        self.state = .receiving(exchange)
        if head.version == .http1_1, fields.expects {
            self.write(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n"))
        }
        if belongsToEngine {
            self.route(exchange, head, fields)
        } else {
            exchange.answer(self.route(head).map(HTTPResponse.foreign) ?? .empty(status: 404))
        }
    }

    /// The answer to a request that does not belong to the engine; `nil` if there is none.
    private func route(_ head: HTTPRequestHead) -> HTTPAnswer? {
        self.server.configuration.routes?(head.method.rawValue, head.uri)
    }

    /// The checks of an engine request, in the reference implementation's order.
    private func route(_ exchange: HTTPExchange, _ head: HTTPRequestHead, _ fields: RequestFields) {
        let configuration = self.server.configuration
        let origin = fields.origin
        if let cors = configuration.cors {
            let isPreflight = head.method == .OPTIONS
            exchange.context.firstFields =
                cors.fields(origin: origin, preflight: (isPreflight, fields.requestedHeaders))
            if isPreflight, !cors.preflightContinue {
                exchange.answer(.preflight(status: cors.optionsSuccessStatus))
                return
            }
        }
        if let agent = fields.userAgent {
            exchange.context.needsXSSProtectionOff =
                agent.withBytes { $0.contains(";MSIE") || $0.contains("Trident/") }
        }
        let query = EngineQuery(target: head.uri)
        let isRead = head.method == .GET || head.method == .HEAD
        if let page = configuration.page, query.isEmpty, fields.acceptsHTML, isRead {
            return exchange.answer(.foreign(page))
        }
        let transport: TransportName
        switch self.server.check(query, origin: origin) {
        case .success(let allowed): transport = allowed
        case .failure(let error): return exchange.refuse(error)
        }
        func makeRequest() -> HandshakeRequest {
            HandshakeRequest(
                head: head,
                remoteAddress: self.remoteAddress,
                issued: WallClock.milliseconds()
            )
        }
        if configuration.headers != nil { exchange.request = makeRequest() }
        switch self.server.session(of: query, lingering: true) {
        case .success(let session?): return exchange.begin(with: session, transport: transport)
        case .success(nil):
            // A target in absolute form names its host.
            guard configuration.allowsPage(of: origin, host: head.headers.field("host")) else {
                return exchange.refuse(.foreignOrigin)
            }
        case .failure(let error): return exchange.refuse(error)
        }
        guard head.method == .GET else {
            return exchange.refuse(HandshakeError(.badHandshakeMethod, context: ["method": head.method.rawValue]))
        }
        guard transport == .polling else {
            return exchange.refuse(HandshakeError(.badRequest, context: ["name": "TRANSPORT_HANDSHAKE_ERROR"]))
        }
        let request = exchange.request ?? makeRequest()
        exchange.request = request
        exchange.isHandshake = true
        guard let allowRequest = configuration.allowRequest else {
            return self.openSession(exchange, request, query)
        }
        // Nobody waits for this task: it ends with the closure, cancelled if the client goes away before.
        exchange.decision = Task {
            let decision = await allowRequest(request)
            self.loop.eventLoop.execute {
                switch decision {
                case .accept: self.openSession(exchange, request, query)
                case .refuse(let message): exchange.refuse(.forbidden(message))
                }
            }
        }
    }

    private func openSession(_ exchange: HTTPExchange, _ request: HandshakeRequest, _ query: EngineQuery) {
        exchange.decision = nil
        switch self.state {
        case .receiving(let current), .answering(let current):
            guard current === exchange else { return }
        case .idle, .draining, .receivingUpgrade, .decidingUpgrade, .closing, .detached:
            return
        }
        guard self.server.accepts(query) else { return exchange.refuse(.unsupportedVersion) }
        self.server.openPollingSession(exchange, request: request, query: query, loop: self.loop)
    }
}

// MARK: - Answers

extension HTTPConnection {
    /// Answers the current request.
    ///
    /// Late and repeated answers are dropped.
    func answer(_ exchange: HTTPExchange, _ response: HTTPResponse) {
        switch self.state {
        case .receiving(let current) where current === exchange:
            self.state = .draining(exchange)
            self.write(response, for: exchange)
        case .answering(let current) where current === exchange:
            self.write(response, for: exchange)
            self.finish(exchange)
            self.processQueue()
        case .idle, .receiving, .answering, .draining, .receivingUpgrade, .decidingUpgrade, .closing, .detached:
            exchange.isBeingSent = false
        }
    }

    /// Closes the connection if the request is still arriving.
    func destroy(_ exchange: HTTPExchange) {
        guard case .receiving(let current) = self.state, current === exchange else { return }
        self.closeNow()
    }

    private func write(_ response: HTTPResponse, for exchange: HTTPExchange) {
        if response.isPolling, let request = exchange.request {
            if exchange.isHandshake {
                self.server.configuration.initialHeaders?(&exchange.context.lastFields, request)
            }
            self.server.configuration.headers?(&exchange.context.lastFields, request)
        }
        var response = response
        if case .payload(var answer) = response {
            let isCompressing = self.server.configuration.httpCompression != nil
            answer.finish(
                isCompressing ? self.loop.compression : nil,
                acceptedEncodings: exchange.acceptedEncodings
            )
            response = .payload(answer)
        }
        var bytes = self.loop.takeAnswerBuffer()
        bytes.writeHTTPResponse(response, exchange.context, date: self.loop.currentDateField())
        self.send(bytes, for: exchange)
        self.loop.giveBack(answerBuffer: bytes)
    }

    /// Gives an answer to the kernel, and gives the channel what the kernel does not take.
    ///
    /// This is the same short cut as in ``WebSocketHandler/writeAndFlush(_:)``.
    private func send(_ bytes: borrowing ByteWriter, for exchange: HTTPExchange) {
        guard let context = self.context else {
            exchange.isBeingSent = false
            return
        }
        var sent = 0
        if !self.hasBacklog {
            let descriptor = self.descriptor
            sent = descriptor.isValid ? bytes.withUnsafeBytes { descriptor.send($0) } : 0
            guard sent < bytes.count else {
                exchange.isBeingSent = false
                return
            }
        }
        self.mayHaveBacklog = true
        let rest = self.wrapOutboundOut(bytes.makeBuffer(from: sent))
        defer { self.noteQueuedBytes() }
        guard exchange.isBeingSent else { return context.writeAndFlush(rest, promise: nil) }
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { _ in exchange.isBeingSent = false }
        context.writeAndFlush(rest, promise: promise)
    }

    /// Whether bytes wait in the channel.
    ///
    /// Newer ones must not overtake them.
    private var hasBacklog: Bool {
        guard self.mayHaveBacklog else { return false }
        self.mayHaveBacklog = self.bufferedBytes > 0
        return self.mayHaveBacklog
    }

    func write(_ bytes: ByteBuffer) {
        guard let context = self.context else { return }
        self.mayHaveBacklog = true
        context.writeAndFlush(self.wrapOutboundOut(bytes), promise: nil)
    }

    private func noteQueuedBytes() {
        self.loop.queued.note(self.heldBytes(of: .queued), of: self, in: &self.queuedHolding)
    }

    private func noteRequestBytes() {
        self.loop.requests.note(self.heldBytes(of: .request), of: self, in: &self.requestHolding)
    }

    /// The request is complete and answered.
    private func finish(_ exchange: HTTPExchange) {
        guard exchange.context.isKeptAlive else { return self.closeAfterFlush() }
        self.state = .idle
        self.requestBytes = 0
        self.armTimer(self.limits.keepAliveTimeout)
        // If a request is still queued, the decoder has not stopped behind this one.
        if let decoder = self.decoder, decoder.isStopped, self.queue.isEmpty { self.restart(decoder) }
    }

    /// Continues to read behind a request for an upgrade.
    private func restart(_ decoder: RequestDecoder) {
        guard decoder.restart(), let handler = self.decoderHandler,
            let context = try? self.context?.pipeline.syncOperations.context(handler: handler)
        else { return }
        // The handler looks at the bytes that it holds only when it is given something.
        handler.channelRead(context: context, data: NIOAny(ByteBuffer()))
    }

    private func writeAndClose(_ status: StaticString) {
        var buffer = ByteBuffer()
        buffer.writeStaticString("HTTP/1.1 ")
        buffer.writeStaticString(status)
        buffer.writeStaticString("\r\nConnection: close\r\n\r\n")
        self.write(buffer)
        switch self.state {
        case .receiving(let exchange), .answering(let exchange): exchange.aborted()
        case .idle, .draining, .receivingUpgrade, .decidingUpgrade, .closing, .detached: break
        }
        self.closeAfterFlush()
    }

    func closeAfterFlush() {
        guard let context = self.context else { return }
        self.state = .closing
        self.queue = []
        guard self.bufferedBytes > 0 else { return context.close(promise: nil) }
        self.checkedBytes = self.bufferedBytes
        self.armTimer(self.limits.requestTimeout)
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer()), promise: promise)
    }

    func closeNow() {
        self.context?.close(promise: nil)
    }

    private var bufferedBytes: Int {
        (try? self.context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }
}

// MARK: - Bytes that are kept

extension HTTPConnection: ByteHolder {
    func heldBytes(of kind: ByteBudget.Kind) -> Int {
        switch kind {
        case .queued: return self.mayHaveBacklog ? self.bufferedBytes : 0
        case .request:
            guard case .receiving(let exchange) = self.state else { return 0 }
            return exchange.body.readableBytes
        }
    }

    func giveUp(_ kind: ByteBudget.Kind) {
        switch (kind, self.state) {
        case (.request, .receiving(let exchange)):
            exchange.body = ByteBuffer()
            self.writeAndClose("503 Service Unavailable")
        case (.request, _): break
        case (.queued, _): self.closeNow()
        }
    }
}

// MARK: - Timeouts

extension HTTPConnection: TimerTarget {
    func armTimer(_ amount: TimeAmount) {
        self.loop.timers.schedule(self, in: amount)
    }

    func timerFired(at now: NIODeadline) {
        switch self.state {
        case .idle, .closing:
            // The connection stays open while the last answer is still being sent and makes progress.
            let buffered = self.bufferedBytes
            if let refusal = self.refusal { return self.endFarewell(refusal) }
            guard buffered > 0, buffered != self.checkedBytes else { return self.closeNow() }
            self.checkedBytes = buffered
            self.armTimer(self.limits.requestTimeout)
        case .receiving, .draining, .receivingUpgrade:
            self.checks += 1
            guard self.requestBytes > self.checkedBytes, self.checks < Self.maxRequestTimeouts else {
                if case .draining = self.state { return self.closeNow() }
                return self.writeAndClose("408 Request Timeout")
            }
            self.checkedBytes = self.requestBytes
            self.armTimer(self.limits.requestTimeout)
        case .answering, .decidingUpgrade, .detached:
            break
        }
    }
}
