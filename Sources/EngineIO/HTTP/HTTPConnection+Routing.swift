import NIOCore
import NIOHTTP1
import SocketIOWire

/// Who answers a request.
extension HTTPConnection {
    /// The answer to a request that does not belong to the engine; `nil` if there is none.
    func route(_ head: HTTPRequestHead) -> HTTPAnswer? {
        self.server.configuration.routes?(head.method.rawValue, head.uri)
    }

    /// The checks of an engine request, in the reference implementation's order.
    func route(_ exchange: HTTPExchange, _ head: HTTPRequestHead, _ fields: RequestFields) {
        let configuration = self.server.configuration
        let origin = fields.origin
        if let cors = self.loop.cors {
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
            let host = head.headers.field("host")
            guard configuration.allowsPage(of: origin, host: host, cors: self.loop.cors) else {
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
