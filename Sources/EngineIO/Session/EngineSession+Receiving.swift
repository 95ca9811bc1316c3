import NIOCore
import SocketIOWire

extension EngineSession {
    /// Bytes have come over the session's WebSocket.
    func received(byteCount: Int) {
        self.hasReceived = true
        self.loop.webSocket.bytesReceived += byteCount
        self.loop.countsChanged()
    }

    /// A text message came over the session's WebSocket: one packet.
    func received(text: consuming ByteBuffer) {
        guard self.state == .open else { return }
        self.loop.webSocket.packetsReceived += 1
        switch text.readInteger(as: UInt8.self).flatMap(EnginePacketType.init(rawValue:)) {
        case .message: self.delegate?.session(self, didReceiveText: text)
        case .some(let type): self.received(type, dataBytes: text.readableBytes)
        case nil:
            text.moveReaderIndex(to: 0)
            self.received(self.protocolVersion == 3 ? EnginePacket(version3Text: text) : EnginePacket(text: text))
        }
    }

    /// A binary message came over the session's WebSocket.
    func received(binary: ByteBuffer) {
        guard self.state == .open else { return }
        self.loop.webSocket.packetsReceived += 1
        if self.protocolVersion == 3 {
            self.received(EnginePacket(version3Binary: binary))
        } else {
            self.delegate?.session(self, didReceiveBinary: binary)
        }
    }

    /// A packet that is neither plain text nor plain bytes came over the session's WebSocket.
    private func received(_ packet: EnginePacket?) {
        guard let packet else {
            self.server.metrics.malformedInput(.packet)
            self.terminate(.parseError)
            return
        }
        if packet.isBinary {
            self.delegate?.session(self, didReceiveBinary: packet.data)
        } else {
            self.received(packet.type, dataBytes: packet.data.readableBytes)
        }
    }

    /// A packet came that carries no message.
    ///
    /// Nobody needs data in it, so each kilobyte counts as another packet.
    func received(_ type: EnginePacketType, dataBytes: Int) {
        guard self.takes(controlPackets: 1 + dataBytes / 1024) else { return }
        switch type {
        case .ping, .pong:
            guard (type == .ping) == (self.protocolVersion == 3) else {
                return self.terminate(.transportError, "invalid heartbeat direction")
            }
            self.heartbeat.clientAnswered()
            self.hasReceived = false
            self.progress.stopWatching()
            self.awaitNextPing()
            if type == .ping { self.enqueue(.pong) }
        case .close:
            self.terminate(.transportClose, heldPoll: .noop)
        case .open, .upgrade, .noop, .message:
            break
        }
    }

    /// Packets without data have come: those of the protocol, or pings and pongs of the WebSocket.
    ///
    /// - Returns: Whether the session goes on.
    @discardableResult
    func takes(controlPackets count: Int) -> Bool {
        guard let limit = self.loop.maxControlPackets,
            self.controlRate.exceeds(limit, adding: count, at: self.timers.now)
        else { return true }
        self.server.metrics.malformedInput(.flood)
        // It ends at once, because nobody waits for a client that floods.
        self.terminate(.transportError, "too many control packets", webSocket: .answer(.policyViolation, reason: ""))
        return false
    }

    /// The client broke the WebSocket protocol.
    func failed(_ error: WebSocketError) {
        self.server.metrics.malformedInput(error == .messageTooBig ? .tooLarge : .webSocketFrame)
        self.terminate(.transportError, error.description, webSocket: .failed(error.closeCode))
    }

    /// The client has closed the WebSocket.
    ///
    /// `answer` is the answer for it; it is `nil` if the client has gone.
    func peerClosed(_ ending: WebSocketHandler.Ending) {
        self.terminate(.transportClose, webSocket: ending)
    }

    /// Stops reading from the client until ``resumeReading()``.
    ///
    /// If it is called while a message is delivered, that message is the last one. What has been read behind it is
    /// decoded after ``resumeReading()``, in a later tick. While the session polls, the server continues to read the
    /// client's requests. But it answers the next one with messages only after ``resumeReading()``, and a client sends
    /// one at a time.
    public func pauseReading() {
        guard !self.isPaused else { return }
        self.isPaused = true
        if case .webSocket(let handler) = self.link { handler.setReading(false) }
    }

    /// Reads from the client again.
    public func resumeReading() {
        guard self.isPaused else { return }
        self.isPaused = false
        switch self.link {
        case .webSocket(let handler): handler.setReading(true)
        case .polling(let polling):
            // If a delegate calls this while a packet is delivered to it, nothing changes here. The answer comes after
            // the last packet.
            guard !polling.isDelivering else { return }
            if polling.rest == nil {
                polling.answerFinishedPost()
            } else {
                self.awaitNextTurn(of: polling)
            }
        }
    }
}
