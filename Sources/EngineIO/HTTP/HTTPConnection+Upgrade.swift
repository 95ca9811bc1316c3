import NIOCore
import NIOHTTP1
import SocketIOWire

/// What happens to a request for an upgrade.
extension HTTPConnection {
    func decide(_ request: UpgradeRequest) {
        if self.server.isStopping {
            return self.refuse(UpgradeRequest.Refusal(status: 503, message: "Service Unavailable"))
        }
        let configuration = self.server.configuration
        if configuration.echoesWebSockets { return self.beginEcho(request) }
        let origin = request.fields.origin
        if let cors = self.loop.cors {
            request.corsFields = cors.fields(origin: origin, preflight: (false, nil))
        }
        switch self.server.check(request.query, origin: origin) {
        case .success(let transport): request.transport = transport
        case .failure(let error): return self.refuse(error)
        }
        switch self.server.session(of: request.query) {
        case .success(let session?):
            request.session = session
            return self.upgrade(request)
        case .success(nil):
            let host = request.head.headers.field("host")
            guard configuration.allowsPage(of: origin, host: host, cors: self.loop.cors) else {
                return self.refuse(.foreignOrigin)
            }
        case .failure(let error): return self.refuse(error)
        }
        guard request.head.method == .GET else {
            return self.refuse(
                HandshakeError(.badHandshakeMethod, context: ["method": request.head.method.rawValue])
            )
        }
        guard let allowRequest = configuration.allowRequest else { return self.upgrade(request) }
        let handshake = request.handshake
        // Nobody waits for this task. It ends with the closure, and it is cancelled if the client goes away before.
        request.decision = Task {
            let decision = await allowRequest(handshake)
            self.loop.eventLoop.execute {
                guard case .decidingUpgrade(let current) = self.state else { return }
                current.decision = nil
                switch decision {
                case .accept: self.upgrade(current)
                case .refuse(let message): self.refuse(.forbidden(message))
                }
            }
        }
    }

    private func refuse(_ error: HandshakeError) {
        self.server.refused(error, from: self.peerAddress)
        if error.isTemporary {
            var buffer = ByteBuffer()
            buffer.writeCapacityRefusal(error, isHead: self.isAskedForHead)
            self.write(buffer)
            return self.closeAfterFlush()
        }
        self.refuse(
            UpgradeRequest.Refusal(
                // The reference implementation answers 400 even if a hook forbids something.
                status: error == .foreignOrigin ? error.status : 400,
                contentTypeName: "Content-type",
                message: error.clientMessage
            )
        )
    }

    /// Whether the answer must have no body.
    private var isAskedForHead: Bool {
        guard case .decidingUpgrade(let request) = self.state else { return false }
        return request.head.method == .HEAD
    }

    private func refuse(_ refusal: UpgradeRequest.Refusal) {
        var buffer = ByteBuffer()
        buffer.writeUpgradeRefusal(
            status: refusal.status,
            contentTypeName: refusal.contentTypeName,
            message: refusal.message,
            field: refusal.field,
            isHead: self.isAskedForHead
        )
        self.write(buffer)
        self.closeAfterFlush()
    }

    private func upgrade(_ request: UpgradeRequest) {
        let answer: ByteBuffer
        switch request.accept(self.server.configuration) {
        case .success(let accepted): answer = accepted
        case .failure(let refusal): return self.refuse(refusal)
        }
        // The reference implementation checks this only after its 101, and writes the error onto the WebSocket.
        guard self.server.accepts(request.query) else { return self.refuse(.unsupportedVersion) }
        if let session = request.session, request.transport == .websocket, session.loop !== self.loop {
            self.transfer(to: session, request, answer)
            return
        }
        if request.session == nil, request.transport == .websocket,
            let error = self.server.admission.openSession(request.handshake)
        {
            return self.refuse(error)
        }
        var id: SessionID?
        if request.session == nil, request.transport == .websocket {
            id = self.server.makeID(for: request.handshake)
            if id == nil {
                self.server.admission.closedSession(request.handshake)
                return self.refuse(.idInUse)
            }
        }
        guard let handler = self.becomeWebSocket(compression: request.compression) else {
            if let id {
                self.server.discard(id)
                self.server.admission.closedSession(request.handshake)
            }
            return
        }
        handler.answer(answer)
        guard request.transport == .websocket else {
            handler.end(.handshake(nil))
            return
        }
        let isTextOnly = request.query.isTextOnly
        defer { self.handOver(to: handler) }
        if let session = request.session {
            handler.flushAnswer()
            // The session lives on this loop, so this runs at once.
            session.perform { $0.received(probe: handler, isTextOnly: isTextOnly) }
        } else if let id {
            self.server.openWebSocketSession(
                handler,
                id: id,
                request: request.handshake,
                query: request.query,
                loop: self.loop
            )
        }
    }

    private func beginEcho(_ request: UpgradeRequest) {
        switch request.accept(self.server.configuration) {
        case .success(let answer):
            guard let handler = self.becomeWebSocket(compression: request.compression) else { return }
            handler.beginEcho()
            handler.answer(answer)
            handler.flushAnswer()
            self.handOver(to: handler)
        case .failure(let refusal):
            self.refuse(refusal)
        }
    }

    /// Gives the WebSocket the bytes that came behind the request for it.
    private func handOver(to handler: WebSocketHandler) {
        guard let bytes = self.held.take() else { return }
        handler.received(bytes)
    }

    /// Replaces the HTTP handlers.
    ///
    /// The new handler gets the bytes that came behind the request.
    private func becomeWebSocket(compression: DeflateAgreement?) -> WebSocketHandler? {
        guard let context = self.context else { return nil }
        let handler = WebSocketHandler(
            loop: self.loop,
            compression: compression,
            ticket: self.ticket,
            mayHaveBacklog: self.mayHaveBacklog,
            descriptor: self.descriptor
        )
        do {
            try self.replaceHandlers(with: handler, in: context, promise: nil)
            if self.usesDecoder {
                try context.channel.syncOptions?.setOption(.recvAllocator, value: ReceiveAllocator.shared(self.loop))
            }
            try context.channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
            return handler
        } catch {
            context.close(promise: nil)
            return nil
        }
    }

    private func replaceHandlers(
        with handler: any ChannelHandler,
        in context: ChannelHandlerContext,
        promise: EventLoopPromise<Void>?
    ) throws {
        let pipeline = context.pipeline.syncOperations
        guard let decoderHandler = self.decoderHandler else {
            try pipeline.addHandler(handler)
            self.detach()
            return pipeline.removeHandler(context: context, promise: promise)
        }
        let decoder = try pipeline.context(handler: decoderHandler)
        let adapter = try pipeline.context(handlerType: DecodedRequests.self)
        try pipeline.addHandler(handler)
        self.detach()
        pipeline.removeHandler(context: adapter, promise: nil)
        pipeline.removeHandler(context: context, promise: nil)
        pipeline.removeHandler(context: decoder, promise: promise)
    }

    /// Moves the connection to the event loop of the session that it wants to join.
    ///
    /// A session and its connection are always on the same loop, so that no packet has to change loops. Channels cannot
    /// move, but sockets can: the other loop gets a duplicate of the descriptor, and the bytes that have already been
    /// read.
    private func transfer(to session: SessionReference, _ request: UpgradeRequest, _ answer: ByteBuffer) {
        guard let context = self.context else { return }
        // A peer that reads no answers must not make the collector grow while the answers wait.
        try? context.channel.syncOptions?.setOption(.autoRead, value: false)
        let collector = TransferHandler(timeout: self.limits.requestTimeout)
        let ticket = self.ticket
        if let held = self.held.take() { collector.collect(held) }
        let promise = context.eventLoop.makePromise(of: Void.self)
        do {
            try self.replaceHandlers(with: collector, in: context, promise: promise)
        } catch {
            promise.succeed()
            context.close(promise: nil)
            return
        }
        let isTextOnly = request.query.isTextOnly
        let compression = request.compression
        promise.futureResult.assumeIsolated().whenComplete { _ in
            collector.transfer { socket, leftOver in
                session.loop.adopt(
                    socket,
                    leftOver: leftOver,
                    answer: answer,
                    compression: compression,
                    ticket: ticket,
                    session: session,
                    isTextOnly: isTextOnly
                )
            }
        }
    }
}
