import DequeModule
import NIOCore
import NIOHTTP1
import SocketIOWire

/// The parts of requests, in order.
extension HTTPConnection {
    var takesParts: Bool {
        switch self.state {
        case .idle, .receiving, .draining, .receivingUpgrade: true
        case .answering, .decidingUpgrade, .closing, .detached: false
        }
    }

    func processQueue() {
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
        assert(self.loop.eventLoop.inEventLoop, "a connection was used on another event loop than its own")
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
}
