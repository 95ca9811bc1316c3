import NIOCore
import SocketIOWire

extension EngineSession {
    /// A plain request with this session's id arrived.
    func received(_ exchange: HTTPExchange) {
        guard self.state != .closed else {
            exchange.refuse(HandshakeError(.sessionUnknown, context: ["sid": self.id.description]))
            return
        }
        guard case .polling(let polling) = self.link, exchange.transport == .polling else {
            exchange.refuse(
                .transportMismatch(requested: exchange.transport.rawValue, current: self.transport)
            )
            return
        }
        switch exchange.method {
        case .get: self.receivedGet(exchange, polling)
        case .post: self.receivedPost(exchange, polling)
        case .other: exchange.answer(.empty(status: 500))
        }
    }

    private func receivedGet(_ exchange: HTTPExchange, _ polling: PollingLink) {
        switch polling.requests.getArrived(exchange) {
        case .overlap:
            self.terminate(.transportError, "overlap from client", flushing: false)
            exchange.answer(.empty(status: 400))
        case .hold:
            if !self.outbox.isEmpty {
                self.flush()
            } else if self.state == .closing {
                if let get = polling.requests.takeGet() {
                    get.answer(.payload(polling.answer([.noop, .close])))
                }
                self.terminate(.forcedClose)
            }
        }
    }

    func answer(_ get: HTTPExchange, of polling: PollingLink) {
        let answer = self.takePayload(for: polling)
        // An answer that takes its time on the line is progress, see ``PollingLink``.
        if answer.body.readableBytes >= PollingLink.bigAnswer {
            // Said here, because the connection may be on another loop and get to it later.
            get.isBeingSent = true
            polling.lastAnswer = get
        } else {
            polling.lastAnswer = nil
        }
        get.answer(.payload(answer))
    }

    private func receivedPost(_ exchange: HTTPExchange, _ polling: PollingLink) {
        guard polling.finishedPost == nil else {
            self.terminate(.transportError, "data request overlap from client", flushing: false)
            exchange.answer(.empty(status: 400))
            return
        }
        // In protocol 4 there are no binary bodies.
        let isAllowed = self.protocolVersion == 3 || !exchange.isBinary
        switch polling.requests.postArrived(exchange, isContentAllowed: isAllowed) {
        case .read:
            // The connection collects the body and hands it over as a whole.
            break
        case .overlap:
            self.terminate(.transportError, "data request overlap from client", flushing: false)
            exchange.answer(.empty(status: 400))
        case .invalidContent:
            self.terminate(.transportError, "invalid content")
            exchange.answer(.empty(status: 400))
        }
    }

    /// A POST is complete.
    func received(body: ByteBuffer, of exchange: HTTPExchange) {
        guard case .polling(let polling) = self.link, polling.requests.postEnded(exchange) else { return }
        polling.finishedPost = exchange
        self.loop.polling.bytesReceived += body.readableBytes
        self.loop.countsChanged()
        if exchange.isBinary {
            self.deliver(Version3PayloadReader(body, isBinary: true, maximumPackets: self.maximumPackets))
        } else {
            self.deliver(text: polling.callback == nil ? body : FormField.payload(of: body))
        }
        if !self.isPaused || self.state == .closed { polling.answerFinishedPost() }
    }

    private var maximumPackets: Int { self.server.configuration.limits.maxPacketsPerPayload }

    private func deliver(text: ByteBuffer) {
        // Other than over WebSocket, bytes that are no UTF-8 are repaired, as the reference implementation does.
        let text = text.isValidUTF8 ? text : ByteBuffer(string: String(buffer: text))
        if self.protocolVersion == 3 {
            self.deliver(Version3PayloadReader(text, isBinary: false, maximumPackets: self.maximumPackets))
        } else {
            self.deliver(PollingPayloadReader(text, maximumPackets: self.maximumPackets))
        }
    }

    private func deliver(_ reader: some PayloadReader) {
        var reader = reader
        do throws(PollingPayloadError) {
            while self.state == .open, let packet = try reader.next() {
                self.loop.polling.packetsReceived += 1
                switch packet.type {
                case .message:
                    if packet.isBinary {
                        self.delegate?.session(self, didReceiveBinary: packet.data)
                    } else {
                        self.delegate?.session(self, didReceiveText: packet.data)
                    }
                case .open, .close, .ping, .pong, .upgrade, .noop:
                    self.received(packet.type)
                }
            }
        } catch {
            self.server.metrics.malformedInput(.payload)
            self.terminate(.parseError)
        }
    }

    /// A POST was longer than allowed, and has been refused.
    func refusedBody(of exchange: HTTPExchange) {
        self.server.metrics.malformedInput(.tooLarge)
        guard case .polling(let polling) = self.link else { return }
        _ = polling.requests.postEnded(exchange)
    }

    /// A request's connection closed before its answer.
    func aborted(_ exchange: HTTPExchange) {
        guard case .polling(let polling) = self.link else { return }
        switch polling.requests.aborted(exchange) {
        case .pollAborted: self.terminate(.transportError, "poll connection closed prematurely", flushing: false)
        case .dataAborted:
            self.terminate(.transportError, "data request connection closed prematurely", flushing: false)
        case .none: break
        }
    }
}
