import NIOCore
import SocketIOWire

extension EngineSession {
    /// A usual request with this session's id has arrived.
    func received(_ exchange: HTTPExchange) {
        // It comes too late even if the loop is later still.
        if self.state == .open { self.timers.wakeIfOverdue(self) }
        guard self.state != .closed else {
            if exchange.method == .get, exchange.transport == .polling, self.answerLastPoll(exchange) { return }
            exchange.refuse(HandshakeError(.sessionUnknown, context: ["sid": self.id.secret]))
            return
        }
        guard case .polling(let polling) = self.link, exchange.transport == .polling else {
            exchange.refuse(
                .transportMismatch(requested: exchange.transport.rawValue, current: self.transport)
            )
            return
        }
        switch exchange.method {
        case .get where self.letsProbeGoFirst(exchange, polling): break
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
        if self.outbox.isSingle, let packet = self.outbox.first, self.isSentAsItIs(packet, get, polling) {
            self.outbox.removeFirst()
            self.noteQueuedBytes()
            return get.answer(.packet(packet))
        }
        let answer = self.takePayload(for: polling)
        // An answer that is still on the line counts as progress; see ``PollingLink``.
        guard answer.body.readableBytes < PollingLink.bigAnswer || polling.begin(get) else {
            self.server.metrics.slowConsumer(.closed)
            self.terminate(.transportError, "slow reader", flushing: false)
            return get.answer(.empty(status: 400))
        }
        get.answer(.payload(answer))
    }

    /// Whether the answer is a single packet.
    ///
    /// This is the usual case, and no body has to be built.
    private func isSentAsItIs(_ packet: EncodedPacket, _ get: HTTPExchange, _ polling: PollingLink) -> Bool {
        guard packet.isPlainText, polling.isPlain else { return false }
        guard packet.textLength >= self.loop.compressionThreshold else { return true }
        return get.acceptedEncodings == nil && packet.textLength < PollingLink.bigAnswer
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
            // The connection collects the body and passes it on as a whole.
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
        let maximum = self.server.configuration.limits.maxPacketsPerPayload
        if exchange.isBinary {
            self.begin(Version3PayloadReader(body, isBinary: true, maximumPackets: maximum), of: polling)
            return
        }
        var text = polling.callback == nil ? body : FormField.payload(of: body)
        // Unlike over WebSocket, bytes that are no UTF-8 are repaired, as in the reference implementation.
        if !text.isValidUTF8 { text = ByteBuffer(string: String(buffer: text)) }
        if self.protocolVersion == 3 {
            self.begin(Version3PayloadReader(text, isBinary: false, maximumPackets: maximum), of: polling)
        } else {
            self.begin(PollingPayloadReader(text, maximumPackets: maximum), of: polling)
        }
    }

    /// Delivers the first part of a body.
    ///
    /// Most bodies have only one.
    private func begin(_ reader: some PayloadReader, of polling: PollingLink) {
        polling.isDelivering = true
        if let rest = self.deliver(reader, false) { polling.rest = rest }
        polling.isDelivering = false
        self.turnEnded(of: polling)
    }

    /// How much of a body is delivered before the loop's other connections have their turn.
    ///
    /// It is as much as one read of a WebSocket brings.
    private static var turnBytes: Int { EngineLoop.receiveBufferSize }
    /// A loop runs everything that is due before it looks at its connections.
    ///
    /// So the next turn must not be due at once.
    private static var pauseBetweenTurns: TimeAmount { .microseconds(100) }

    /// Delivers the next part of a body.
    ///
    /// The POST is answered after the last part.
    private func deliverTurn(of polling: PollingLink) {
        _ = self.deliverRest(of: polling)
        self.turnEnded(of: polling)
    }

    private func turnEnded(of polling: PollingLink) {
        self.notePendingBytes()
        if polling.rest != nil {
            if !self.isPaused { self.awaitNextTurn(of: polling) }
        } else if !self.isPaused || self.state == .closed {
            polling.answerFinishedPost()
        }
    }

    func awaitNextTurn(of polling: PollingLink) {
        guard !polling.isTurnDue else { return }
        polling.isTurnDue = true
        self.eventLoop.assumeIsolated().scheduleTask(in: Self.pauseBetweenTurns) {
            polling.isTurnDue = false
            if polling.rest != nil, !self.isPaused { self.deliverTurn(of: polling) }
        }
    }

    /// Delivers some of what is left of a body.
    ///
    /// - Parameters:
    ///   - polling: The state that holds the body.
    ///   - ignoresPause: Whether to deliver even while reading is paused.
    /// - Returns: Whether there is more.
    func deliverRest(of polling: PollingLink, ignoresPause: Bool = false) -> Bool {
        guard let reader = polling.rest else { return false }
        polling.isDelivering = true
        polling.rest = nil
        polling.rest = self.deliver(reader, ignoresPause)
        polling.isDelivering = false
        return polling.rest != nil
    }

    /// - Returns: The packets that are left; `nil` if there are none.
    private func deliver<Reader: PayloadReader>(_ reader: Reader, _ ignoresPause: Bool) -> Reader? {
        var reader = reader
        var bytes = 0
        do throws(PollingPayloadError) {
            while self.state == .open {
                guard bytes < Self.turnBytes, ignoresPause || !self.isPaused else { return reader }
                guard let packet = try reader.next() else { break }
                bytes += packet.data.readableBytes + 2
                self.loop.polling.packetsReceived += 1
                switch packet.type {
                case .message:
                    if packet.isBinary {
                        self.delegate?.session(self, didReceiveBinary: packet.data)
                    } else {
                        self.delegate?.session(self, didReceiveText: packet.data)
                    }
                case .open, .close, .ping, .pong, .upgrade, .noop:
                    self.received(packet.type, dataBytes: packet.data.readableBytes)
                }
            }
        } catch {
            self.server.metrics.malformedInput(.payload)
            self.terminate(.parseError)
        }
        return nil
    }

    /// A POST was too long, and has been refused.
    func refusedBody(of exchange: HTTPExchange) {
        self.server.metrics.malformedInput(.tooLarge)
        guard case .polling(let polling) = self.link else { return }
        _ = polling.requests.postEnded(exchange)
    }

    /// A request's connection closed before its answer.
    func aborted(_ exchange: HTTPExchange) {
        guard case .polling(let polling) = self.link else { return }
        if polling.delayedGet === exchange {
            polling.delayedGet = nil
            return self.terminate(.transportError, "poll connection closed prematurely", flushing: false)
        }
        switch polling.requests.aborted(exchange) {
        case .pollAborted: self.terminate(.transportError, "poll connection closed prematurely", flushing: false)
        case .dataAborted:
            self.terminate(.transportError, "data request connection closed prematurely", flushing: false)
        case .none: break
        }
    }
}
