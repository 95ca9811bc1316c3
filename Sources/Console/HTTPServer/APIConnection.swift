import EngineIO
import NIOCore
import NIOHTTP1

/// One connection of an API.
///
/// The head of a request decides. If the connection refuses a request, it answers before it keeps a byte of the body.
/// Then it reads what the client is still writing, within bounds, and closes.
///
/// It is `@unchecked Sendable` because tasks make the answers and hand them to its event loop. Everything else happens
/// on that loop only, and that is asserted.
final class APIConnection<API: ServedAPI>: @unchecked Sendable {
    /// A request whose body is arriving.
    fileprivate struct Exchange {
        var admitted: API.Request
        var body = ByteBuffer()
    }

    fileprivate enum State {
        /// The connection waits for a request.
        case idle
        case receiving(Exchange)
        /// The head has decided, and only the end of the request is missing.
        case ending(APIAnswer)
        case answering
        /// An answer is being sent.
        case writing
        /// An answer without an end is being sent; the task asks for its parts.
        case streaming(Task<Void, Never>)
        /// A refusal is being sent or was sent. What the client still sends is dropped, up to so many bytes.
        case lingering(bytesLeft: Int, isWritten: Bool, isRead: Bool)
        case closed
    }

    fileprivate let server: APIServer<API>
    fileprivate var state = State.idle
    fileprivate var context: ChannelHandlerContext?
    fileprivate var deadline: Scheduled<Void>?
    /// Requests that the client sent before it had the answer to an earlier one.
    ///
    /// They are few, because the connection reads nothing more meanwhile.
    fileprivate var queue = CircularBuffer<HTTPServerRequestPart>()
    fileprivate var isReadHeld = false
    private let decoder = APIConnection<API>.makeDecoder()
    private let decoderHandler: ByteToMessageHandler<RequestDecoder>
    /// Whether the client may send another request after this one.
    fileprivate var isKeptAlive = true
    fileprivate var isHead = false
    fileprivate var isShuttingDown = false

    init(server: APIServer<API>) {
        self.server = server
        self.decoderHandler = ByteToMessageHandler(self.decoder)
    }

    static func addHandlers(to channel: any Channel, server: APIServer<API>) throws {
        let connection = APIConnection(server: server)
        try channel.pipeline.syncOperations.addHandlers([connection.decoderHandler, connection])
        server.opened(connection, on: channel.eventLoop)
    }

    private static func makeDecoder() -> RequestDecoder {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 16 * 1024
        limits.maxHeaderListSize = 32 * 1024
        limits.maxHeaderFieldCount = 100
        return RequestDecoder(limits: limits)
    }

    /// Closes the connection to make room for others, if no request is under way on it.
    func giveWay() {
        switch self.state {
        case .idle, .lingering:
            self.server.api.gaveWay()
            self.closeNow()
        case .receiving, .ending, .answering, .writing, .streaming, .closed: break
        }
    }

    /// Closes the connection as soon as its request is answered.
    ///
    /// A body that is still arriving has a moment left.
    func shutDown() {
        self.isShuttingDown = true
        self.isKeptAlive = false
        switch self.state {
        case .idle, .lingering, .streaming: self.closeNow()
        case .receiving: self.arm(ServerLimits.farewell) { $0.refuse(.shuttingDown) }
        case .ending, .answering, .writing, .closed: break
        }
    }

    func closeNow() { self.context?.close(promise: nil) }

    private var address: SocketAddress? { self.context?.remoteAddress }
}

// MARK: - Channel events

extension APIConnection: ChannelInboundHandler, ChannelOutboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.arm(self.server.limits.headTimeout) { $0.closeNow() }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.end() }

    func channelInactive(context: ChannelHandlerContext) {
        self.end()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = self.unwrapInboundIn(data)
        switch part {
        case .head(let head): self.decoder.decodedHead(head)
        case .body(let bytes): self.decoder.decodedBody(bytes.readableBytes)
        case .end: self.decoder.decodedEnd()
        }
        if self.queue.isEmpty, self.takesParts { self.process(part) } else { self.queue.append(part) }
    }

    func read(context: ChannelHandlerContext) {
        self.isReadHeld = true
        self.readIfPossible()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed {
            // The client has ended its side, but may still wait for the answer.
            self.isKeptAlive = false
            switch self.state {
            case .idle, .receiving, .lingering, .streaming: self.closeNow()
            case .ending, .answering, .writing, .closed: break
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A client that is gone has broken its request off; nothing is wrong with what it has sent.
        guard let error = error as? HTTPParserError, context.channel.isActive else { return self.closeNow() }
        switch self.state {
        case .idle:
            self.isHead = false
            self.refuse(error == .headerOverflow ? .headTooLarge : .malformed)
        case .receiving: self.refuse(.malformed)
        // The request before it is good, and has perhaps published something, so the client must hear of it.
        case .answering, .writing: self.isKeptAlive = false
        case .ending, .lingering, .streaming, .closed: self.closeNow()
        }
    }

    fileprivate var takesParts: Bool {
        switch self.state {
        case .idle, .receiving, .ending, .lingering: true
        case .answering, .writing, .streaming, .closed: false
        }
    }

    fileprivate func readIfPossible() {
        guard self.isReadHeld, self.takesParts, self.queue.isEmpty, let context = self.context else { return }
        self.isReadHeld = false
        context.read()
    }

    private func end() {
        guard self.context != nil else { return }
        self.deadline?.cancel()
        self.deadline = nil
        // A request that is being answered keeps its place until the answer is made.
        if case .receiving(let exchange) = self.state { self.release(exchange) }
        if case .streaming(let task) = self.state { task.cancel() }
        self.state = .closed
        self.queue = []
        self.context = nil
        self.server.closed(self)
    }

    fileprivate func release(_ exchange: Exchange) {
        self.server.budget.release(exchange.body.readableBytes)
        self.server.api.release(exchange.admitted)
    }

    fileprivate func arm(_ amount: TimeAmount, _ body: @escaping (APIConnection<API>) -> Void) {
        self.deadline?.cancel()
        guard let loop = self.context?.eventLoop else { return }
        self.deadline = loop.assumeIsolated().scheduleTask(in: amount) { [weak self] in
            if let self { body(self) }
        }
    }
}

// MARK: - Requests

extension APIConnection {
    private func process(_ part: HTTPServerRequestPart) {
        switch (self.state, part) {
        case (.idle, .head(let head)): self.begin(RequestHead(head))
        case (.receiving(let exchange), .body(let bytes)): self.take(bytes, exchange)
        case (.receiving(let exchange), .end): self.answer(exchange)
        case (.ending(let answer), .end): self.send(answer)
        case (.lingering(let left, let isWritten, let isRead), .body(let bytes)):
            guard bytes.readableBytes <= left else { return self.closeNow() }
            self.state = .lingering(bytesLeft: left - bytes.readableBytes, isWritten: isWritten, isRead: isRead)
        case (.lingering(let left, let isWritten, _), .end):
            self.state = .lingering(bytesLeft: left, isWritten: isWritten, isRead: true)
            if isWritten { self.closeNow() }
        // Requests behind a refusal get no answer.
        case (.lingering, .head): break
        // The decoder keeps the order of the parts.
        case (.idle, _), (.receiving, .head), (.ending, _), (.answering, _), (.writing, _), (.streaming, _),
            (.closed, _):
            break
        }
    }

    fileprivate func processQueue() {
        while self.takesParts, let part = self.queue.popFirst() { self.process(part) }
        self.readIfPossible()
    }

    private func begin(_ head: RequestHead) {
        self.isHead = head.method == .head
        self.isKeptAlive = head.isKeptAlive && !self.isShuttingDown
        do throws(APIError) {
            switch try self.server.api.admit(head, from: self.address, isShuttingDown: self.isShuttingDown) {
            case .answered(let answer):
                if head.bodyLength == .none { self.state = .ending(answer) } else { self.linger(answer) }
            case .request(let request):
                self.server.becameBusy(self)
                self.state = .receiving(Exchange(admitted: request))
                self.arm(self.server.limits.bodyTimeout) { $0.refuse(.tooSlow) }
                guard head.expectsContinue, head.bodyLength != .none else { return }
                self.write(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n"), promise: nil)
            }
        } catch {
            // Strangers get no second try on the same connection, and neither do clients that are still writing.
            let mayGoOn = error.status != .unauthorized && head.hasValidHost && head.bodyLength == .none
            guard mayGoOn else { return self.refuse(error) }
            self.server.api.refused(error, nil, from: self.address)
            self.state = .ending(APIAnswer(error))
        }
    }

    private func take(_ bytes: ByteBuffer, _ exchange: Exchange) {
        let limit = self.server.limits.maximumBodyBytes
        guard exchange.body.readableBytes + bytes.readableBytes <= limit else { return self.refuse(.tooLarge(limit)) }
        guard self.server.budget.reserve(bytes.readableBytes) else { return self.refuse(.busy) }
        var exchange = exchange
        // If the state also held the body, each piece would copy all of it.
        self.state = .answering
        exchange.body.writeImmutableBuffer(bytes)
        self.state = .receiving(exchange)
    }

    private func answer(_ exchange: Exchange) {
        guard let loop = self.context?.eventLoop else { return }
        self.deadline?.cancel()
        self.state = .answering
        let server = self.server
        let isShort = server.api.isShort(exchange.admitted, bodyBytes: exchange.body.readableBytes)
        // Nobody cancels this task. It ends with the request, whose questions to the cluster have timeouts. A client
        // that leaves does not take back what it has published.
        Task(executorPreference: isShort ? server.executor(on: loop) : globalConcurrentExecutor) {
            let answer = await server.api.answer(exchange.admitted, body: exchange.body)
            loop.execute {
                self.release(exchange)
                if case .answering = self.state { self.send(answer) }
            }
        }
    }
}

// MARK: - Answers

extension APIConnection {
    /// Answers a request that has been read to its end.
    private func send(_ answer: APIAnswer) {
        guard let loop = self.context?.eventLoop else { return }
        loop.assertInEventLoop()
        if let stream = answer.stream, !self.isHead { return self.send(stream, behind: answer) }
        self.state = .writing
        self.arm(self.server.limits.answerTimeout) { $0.closeNow() }
        let promise = loop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { result in
            // A client that asks again keeps its connection.
            guard case .success = result, self.isKeptAlive else { return self.closeNow() }
            self.finish()
        }
        let head = answer.http(isKeptAlive: self.isKeptAlive, now: self.server.now)
        self.write(head, body: answer.body, promise: promise)
    }

    /// Sends an answer without an end, part by part.
    ///
    /// A client that has not taken a part in the time of an answer is given up.
    private func send(_ stream: AnswerStream, behind answer: APIAnswer) {
        guard let loop = self.context?.eventLoop else { return }
        self.isKeptAlive = false
        self.deadline?.cancel()
        self.write(answer.http(isKeptAlive: false, now: self.server.now), promise: nil)
        // It ends with the connection, which cancels it.
        let task = Task { [weak self] in
            while let bytes = await stream.next() {
                guard let connection = self else { return }
                do { try await loop.flatSubmit { connection.sendPart(bytes, on: loop) }.get() } catch { break }
            }
            guard let connection = self else { return }
            loop.execute { connection.closeNow() }
        }
        self.state = .streaming(task)
    }

    private func sendPart(_ bytes: ByteBuffer, on loop: any EventLoop) -> EventLoopFuture<Void> {
        let promise = loop.makePromise(of: Void.self)
        self.arm(self.server.limits.answerTimeout) { $0.closeNow() }
        promise.futureResult.assumeIsolated().whenSuccess { self.deadline?.cancel() }
        self.write(bytes, promise: promise)
        return promise.futureResult
    }

    private func finish() {
        guard case .writing = self.state else { return }
        self.state = .idle
        self.server.becameIdle(self)
        self.arm(self.server.limits.idleTimeout) { $0.closeNow() }
        self.processQueue()
        if self.decoder.isStopped, self.queue.isEmpty { self.restartDecoder() }
    }

    /// Goes on reading behind a request that offered another protocol.
    ///
    /// The server ignores an offer that it does not take.
    private func restartDecoder() {
        guard self.decoder.restart(),
            let context = try? self.context?.pipeline.syncOperations.context(handler: self.decoderHandler)
        else { return }
        // The handler looks at the bytes that it holds only when it is given something.
        self.decoderHandler.channelRead(context: context, data: NIOAny(ByteBuffer()))
        self.readIfPossible()
    }

    /// Answers without reading the request to its end, and closes the connection.
    fileprivate func refuse(_ error: APIError) {
        var admitted: API.Request?
        if case .receiving(let exchange) = self.state {
            admitted = exchange.admitted
            self.release(exchange)
        }
        self.server.api.refused(error, admitted, from: self.address)
        self.linger(APIAnswer(error))
    }

    /// Answers a client that may still be writing.
    ///
    /// To close a connection with unread bytes would reset it, and the client might see the reset before the answer.
    private func linger(_ answer: APIAnswer) {
        guard let loop = self.context?.eventLoop else { return }
        self.isKeptAlive = false
        self.state = .lingering(bytesLeft: ServerLimits.lingeringBytes, isWritten: false, isRead: false)
        self.arm(self.isShuttingDown ? ServerLimits.farewell : ServerLimits.lingeringTime) { $0.closeNow() }
        let promise = loop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in
            guard case .lingering(let left, _, let isRead) = self.state else { return }
            if isRead { return self.closeNow() }
            self.state = .lingering(bytesLeft: left, isWritten: true, isRead: false)
            self.context?.close(mode: .output, promise: nil)
        }
        self.write(answer.http(isKeptAlive: false, now: self.server.now), body: answer.body, promise: promise)
        self.readIfPossible()
    }

    private func write(_ head: ByteBuffer, body: AnswerBody, promise: EventLoopPromise<Void>) {
        guard !self.isHead, body.bytes.readableBytes > 0 else { return self.write(head, promise: promise) }
        self.context?.write(self.wrapOutboundOut(head), promise: nil)
        // The budget gets the body's bytes back when they have been sent.
        promise.futureResult.whenComplete { _ in withExtendedLifetime(body) {} }
        self.write(body.bytes, promise: promise)
    }

    private func write(_ bytes: ByteBuffer, promise: EventLoopPromise<Void>?) {
        guard let context = self.context else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        context.writeAndFlush(self.wrapOutboundOut(bytes), promise: promise)
    }
}
