import DequeModule
import NIOCore
import SocketIOWire

/// The answers to requests, and the end of the connection behind them.
extension HTTPConnection {
    /// Answers the current request.
    ///
    /// Late and repeated answers are dropped.
    func answer(_ exchange: HTTPExchange, _ response: HTTPResponse) {
        assert(self.loop.eventLoop.inEventLoop, "a connection was used on another event loop than its own")
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

    func noteQueuedBytes() {
        self.loop.queued.note(self.heldBytes(of: .queued), of: self, in: &self.queuedHolding)
    }

    func noteRequestBytes() {
        self.loop.requests.note(self.heldBytes(of: .request), of: self, in: &self.requestHolding)
    }

    /// The request is complete and answered.
    func finish(_ exchange: HTTPExchange) {
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

    func writeAndClose(_ status: StaticString) {
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

    var bufferedBytes: Int {
        (try? self.context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }
}
