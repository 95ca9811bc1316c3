import DequeModule
import Logging
public import NIOCore
public import SocketIOWire

/// One client's connection, whatever it travels on.
///
/// Confined to its ``eventLoop``: every member but ``id`` and ``eventLoop`` is used there only.
public final class EngineSession {
    /// Where a session is in its life.
    public enum State: Sendable {
        /// Messages travel.
        case open
        /// The server has closed it, and what was queued is on its way.
        case closing
        /// Over.
        case closed
    }

    /// What carries the session's bytes.
    enum Link {
        case polling(PollingLink)
        case webSocket(WebSocketHandler)
    }

    /// The session's id; secret.
    public let id: SessionID
    /// The request that began the session.
    public let request: HandshakeRequest
    package let loop: EngineLoop
    private let server: EngineServer
    private var delegate: (any EngineSessionDelegate)?
    private(set) var link: Link

    package var timerLinks = TimerLinks()

    /// The packets to send, in order: `first`, then `rest`, so that the usual one costs no array.
    private var first: EncodedPacket?
    private var rest = Deque<EncodedPacket>()
    private var outboxBytes = 0 {
        didSet { self.loop.queuedBytes += self.outboxBytes - oldValue }
    }
    /// The bytes handed to the channel, ever.
    private var handedBytes = 0
    /// How many of them the kernel had taken when the last deadline passed, if some were waiting then.
    private var drainedBytes = -1

    /// Where the session is in its life.
    public private(set) var state = State.open
    private var heartbeat = Heartbeat()
    private var isDirty = false
    private var isFlushing = false
    private var isOverflowing = false
    private var isTextOnly: Bool
    /// Whether bytes arrived since the last deadline.
    private var hasReceived = false
    private var isPaused = false

    init(id: SessionID, request: HandshakeRequest, loop: EngineLoop, server: EngineServer, link: Link, isTextOnly: Bool)
    {
        self.id = id
        self.request = request
        self.loop = loop
        self.server = server
        self.link = link
        self.isTextOnly = isTextOnly
    }

    /// The loop that the session lives on.
    public var eventLoop: any EventLoop { self.loop.eventLoop }

    /// The loop's timers.
    package var timers: TimingWheel { self.loop.timers }

    /// How the session's bytes travel now.
    public var transport: TransportName {
        switch self.link {
        case .polling: .polling
        case .webSocket: .websocket
        }
    }

    /// The bytes that wait to be sent: here, and in the channel.
    public var queuedBytes: Int {
        switch self.link {
        case .polling: self.outboxBytes
        case .webSocket(let handler): self.outboxBytes + handler.bufferedBytes
        }
    }

    // MARK: Sending

    /// Sends a packet, at the end of the loop's tick, together with what else is sent by then.
    ///
    /// Nothing happens, and nobody is told, if the session is not open. A session with more than
    /// ``EngineLimits/maxQueuedBytes`` waiting is closed at the end of the tick.
    ///
    /// - Parameters:
    ///   - packet: The packet; shared, not copied, if it is the tick's only one.
    ///   - volatile: Whether it may be dropped because more than ``EngineLimits/volatileThreshold`` waits.
    ///   - compress: Whether it is worth compressing.
    public func send(_ packet: EncodedPacket, volatile: Bool = false, compress: Bool = true) {
        guard self.state == .open else { return }
        if volatile, self.isBehind {
            self.server.metrics.slowConsumer(.volatileDropped)
            return
        }
        self.enqueue(packet)
    }

    /// Sends a plain text message.
    public func send(text: ByteBuffer) { self.send(EncodedPacket(.message, data: text)) }

    /// Sends a plain binary message.
    public func send(binary: ByteBuffer) { self.send(EncodedPacket(binary: binary)) }

    /// Whether more waits than a volatile packet may wait behind.
    private var isBehind: Bool {
        if self.isOverflowing { return true }
        // What waits in the channel is worth asking for only when something does.
        guard self.outboxBytes <= self.server.configuration.limits.volatileThreshold else { return true }
        guard case .webSocket(let handler) = self.link, !handler.isWritable else { return false }
        return self.queuedBytes > self.server.configuration.limits.volatileThreshold
    }

    private func enqueue(_ packet: EncodedPacket) {
        guard !self.isOverflowing else { return }
        let count = packet.frames.readableBytes
        self.outboxBytes += count
        if self.first == nil {
            self.first = packet
        } else {
            self.rest.append(packet)
            let limits = self.server.configuration.limits
            if self.outboxBytes > limits.maxQueuedBytes || self.rest.count >= limits.maxQueuedPackets {
                self.overflow()
            }
        }
        if case .webSocket = self.link {
            self.loop.webSocket.packetsSent += 1
            self.loop.webSocket.bytesSent += count
        } else {
            self.loop.polling.packetsSent += 1
            self.loop.polling.bytesSent += count
        }
        self.flushAtEndOfTick()
    }

    private func flushAtEndOfTick() {
        guard !self.isDirty else { return }
        self.isDirty = true
        self.loop.flushAtEndOfTick(self)
    }

    /// Gives the session up.
    ///
    /// Not at once: whoever sends is in the middle of something, often of a list with this session in it.
    private func overflow() {
        self.isOverflowing = true
        self.discardOutbox()
    }

    private func discardOutbox() {
        self.first = nil
        self.rest = Deque()
        self.outboxBytes = 0
    }

    func tickEnded() {
        self.isDirty = false
        if self.isOverflowing {
            self.server.metrics.slowConsumer(.closed)
            self.terminate(.transportError, "slow reader")
            return
        }
        self.flushOrFinish()
    }

    /// Something else is about to be written: what was sent before it goes first.
    func flushBeforeControlFrame() { self.flush() }

    /// The channel takes bytes again.
    func becameWritable() {
        guard !self.isFlushing else { return }
        self.flushOrFinish()
    }

    private func flushOrFinish() {
        guard self.state != .closed else { return }
        self.flush()
        if self.state == .closing, self.first == nil, case .webSocket = self.link { self.terminate(.forcedClose) }
    }

    private func flush() {
        guard let packet = self.first else { return }
        switch self.link {
        case .webSocket(let handler):
            guard handler.isWritable else { return }
            if self.rest.isEmpty, !self.isTextOnly {
                self.first = nil
                self.outboxBytes = 0
                self.handedBytes += packet.frames.readableBytes
                handler.writeAndFlush(packet.frames)
            } else {
                self.flushSeveral(to: handler)
            }
        case .polling(let polling):
            guard let get = polling.requests.takeGet() else { return }
            self.answer(get, of: polling)
        }
    }

    /// The most bytes copied into one write.
    private static let batchSize = 65_536
    /// From here on a packet is cheaper to write on its own than to copy.
    private static let shareSize = 16_384

    private func flushSeveral(to handler: WebSocketHandler) {
        // Writing may make the channel writable, which calls back.
        self.isFlushing = true
        var batch = self.loop.takeSendBuffer()
        while handler.isWritable, let packet = self.first {
            if packet.frames.readableBytes >= Self.shareSize, !self.isTextOnly {
                self.removeFirst()
                self.handedBytes += packet.frames.readableBytes
                handler.writeAndFlush(packet.frames)
            } else {
                batch.clear(minimumCapacity: min(self.outboxBytes, Self.batchSize))
                self.fill(&batch)
                self.handedBytes += batch.readableBytes
                handler.writeAndFlush(batch)
            }
        }
        self.loop.giveBack(sendBuffer: batch)
        self.isFlushing = false
    }

    /// Moves small packets from the outbox into one write.
    private func fill(_ batch: inout ByteBuffer) {
        while let packet = self.first, packet.frames.readableBytes < Self.shareSize || self.isTextOnly,
            batch.readableBytes == 0 || batch.readableBytes + packet.frames.readableBytes <= Self.batchSize
        {
            if self.isTextOnly {
                packet.writeBase64Frames(into: &batch)
            } else {
                batch.writeImmutableBuffer(packet.frames)
            }
            self.removeFirst()
        }
    }

    private func removeFirst() {
        self.outboxBytes -= self.first?.frames.readableBytes ?? 0
        self.first = self.rest.popFirst()
        if self.first == nil { self.rest = Deque() }
    }

    // MARK: Receiving

    /// Bytes came over the session's WebSocket.
    func received(byteCount: Int) {
        self.hasReceived = true
        self.loop.webSocket.bytesReceived += byteCount
        self.loop.countsChanged()
    }

    /// A text message came over the session's WebSocket: one packet.
    func received(text: ByteBuffer) {
        guard self.state == .open else { return }
        self.loop.webSocket.packetsReceived += 1
        var text = text
        switch text.readInteger(as: UInt8.self).flatMap(EnginePacketType.init(rawValue:)) {
        case .message: self.delegate?.session(self, didReceiveText: text)
        case .some(let type): self.received(type)
        case nil:
            text.moveReaderIndex(to: 0)
            guard let packet = EnginePacket(text: text) else {
                self.server.metrics.malformedInput(.packet)
                self.terminate(.parseError)
                return
            }
            self.delegate?.session(self, didReceiveBinary: packet.data)
        }
    }

    /// A binary message came over the session's WebSocket.
    func received(binary: ByteBuffer) {
        guard self.state == .open else { return }
        self.loop.webSocket.packetsReceived += 1
        self.delegate?.session(self, didReceiveBinary: binary)
    }

    private func received(_ type: EnginePacketType) {
        switch type {
        case .pong:
            self.heartbeat.pongReceived()
            self.hasReceived = false
            self.drainedBytes = -1
            self.timers.schedule(self, in: self.server.configuration.pingInterval)
        case .ping:
            self.terminate(.transportError, "invalid heartbeat direction")
        case .close:
            self.terminate(.transportClose, heldPoll: "6")
        case .open, .upgrade, .noop, .message:
            break
        }
    }

    /// The WebSocket broke its protocol.
    func failed(_ error: WebSocketError) {
        self.server.metrics.malformedInput(error == .messageTooBig ? .tooLarge : .webSocketFrame)
        self.terminate(.transportError, error.description, webSocket: .failed(error.closeCode))
    }

    /// The client closed the WebSocket; `answer` is what it is told, `nil` if it has gone.
    func peerClosed(_ ending: WebSocketHandler.Ending) {
        self.terminate(.transportClose, webSocket: ending)
    }

    /// Stops reading from the client until ``resumeReading()``; messages already read are still delivered.
    ///
    /// While polling, the client's requests are read on, but the next one that brought messages is answered only after
    /// ``resumeReading()``, and a client sends one at a time.
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
        case .polling(let polling): polling.answerFinishedPost()
        }
    }

    // MARK: Beginning

    /// Begins to live, the open packet being on its way.
    func open(_ onSession: EngineServer.SessionHandler) {
        self.timers.schedule(self, in: self.server.configuration.pingInterval)
        self.delegate = onSession(self)
    }

    /// Sends what begins a session: the open packet, and the initial one if there is any.
    func enqueueOpening(_ packets: [EncodedPacket]) {
        for packet in packets { self.enqueue(packet) }
    }

    /// Everything that waits, as the body of an answer to a poll.
    func takePayload() -> ByteBuffer {
        guard let first = self.first else { return ByteBuffer() }
        var length = first.pollingLength
        for packet in self.rest { length += packet.pollingLength }
        var payload = ByteBufferAllocator().buffer(capacity: length)
        payload.writePollingPacket(first)
        for packet in self.rest { payload.writePollingPacket(packet) }
        self.discardOutbox()
        return payload
    }

    // MARK: Ending

    /// Closes the session with reason ``CloseReason/forcedClose``.
    ///
    /// The delegate is told within this call if nothing has to be sent first.
    ///
    /// - Parameter discardingQueue: Whether to close at once, without sending what is queued.
    public func close(discardingQueue: Bool = false) {
        switch self.state {
        case .closed:
            return
        case .closing:
            if discardingQueue { self.terminate(.forcedClose, flushing: false) }
        case .open:
            guard !discardingQueue else { return self.terminate(.forcedClose, flushing: false) }
            self.flush()
            switch self.link {
            case .webSocket:
                if self.first == nil { return self.terminate(.forcedClose) }
            case .polling(let polling):
                if self.first == nil, polling.requests.get != nil { return self.terminate(.forcedClose) }
            }
            self.state = .closing
            self.timers.schedule(self, in: self.server.configuration.limits.closeTimeout)
        }
    }

    /// Ends the session, whatever its state.
    ///
    /// - Parameters:
    ///   - reason: Why, for the delegate and the metrics.
    ///   - description: More, for logs.
    ///   - heldPoll: The packet that a waiting GET gets.
    ///   - ending: How the WebSocket ends.
    ///   - flushing: Whether what this tick sent leaves first.
    private func terminate(
        _ reason: CloseReason,
        _ description: String? = nil,
        heldPoll: StaticString = "1",
        webSocket ending: WebSocketHandler.Ending = .handshake(nil),
        flushing: Bool = true
    ) {
        guard self.state != .closed else { return }
        if flushing { self.flush() }
        self.state = .closed
        self.timers.cancel(self)
        self.discardOutbox()
        switch self.link {
        case .webSocket(let handler):
            handler.end(ending)
        case .polling(let polling):
            if let get = polling.requests.takeGet() {
                get.answer(.payload(ByteBuffer(staticString: heldPoll), callback: polling.callback, cookie: nil))
            }
            polling.requests.takePost()?.destroy()
            polling.answerFinishedPost()
            self.endProbe(of: polling, .failed)
        }
        self.server.sessionClosed(self, reason: reason, description: description)
        let delegate = self.delegate
        self.delegate = nil
        delegate?.sessionDidClose(self, reason: reason, description: description)
    }
}

// MARK: - Heartbeat

extension EngineSession: TimerTarget {
    package func timerFired(at now: NIODeadline) {
        switch self.state {
        case .open:
            switch self.heartbeat.timerFired(isAlive: self.isAlive()) {
            case .sendPing:
                self.markProgress()
                self.enqueue(.ping)
                self.timers.schedule(self, at: now + self.server.configuration.pingTimeout)
            case .waitOn:
                self.markProgress()
                self.timers.schedule(self, at: now + self.server.configuration.pingTimeout)
            case .giveUp:
                self.terminate(.pingTimeout)
            }
        case .closing:
            self.terminate(.forcedClose, flushing: false)
        case .closed:
            break
        }
    }

    /// Whether bytes moved since the last deadline, though no pong came.
    private func isAlive() -> Bool {
        guard self.heartbeat.isAwaitingPong else { return true }
        // The pong cannot be read.
        if self.isPaused { return true }
        switch self.link {
        case .webSocket(let handler):
            // Only what had to wait shows that the peer takes bytes; what fits into the kernel's buffer shows nothing.
            return self.hasReceived
                || (self.drainedBytes >= 0 && self.handedBytes - handler.bufferedBytes > self.drainedBytes)
        case .polling(let polling):
            return polling.hasProgressed()
        }
    }

    private func markProgress() {
        self.hasReceived = false
        guard case .webSocket(let handler) = self.link else { return }
        let buffered = handler.bufferedBytes
        self.drainedBytes = buffered > 0 || self.outboxBytes > 0 ? self.handedBytes - buffered : -1
    }
}

// MARK: - Polling

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
            if self.first != nil {
                self.flush()
            } else if self.state == .closing {
                if let get = polling.requests.takeGet() {
                    get.answer(
                        .payload(ByteBuffer(staticString: "6\u{1E}1"), callback: polling.callback, cookie: nil)
                    )
                }
                self.terminate(.forcedClose)
            }
        }
    }

    private func answer(_ get: HTTPExchange, of polling: PollingLink) {
        let payload = self.takePayload()
        // An answer that takes its time on the line is progress, see ``PollingLink``.
        if payload.readableBytes >= PollingLink.bigAnswer {
            // Said here, because the connection may be on another loop and get to it later.
            get.isBeingSent = true
            polling.lastAnswer = get
        } else {
            polling.lastAnswer = nil
        }
        get.answer(.payload(payload, callback: polling.callback, cookie: nil))
    }

    private func receivedPost(_ exchange: HTTPExchange, _ polling: PollingLink) {
        guard polling.finishedPost == nil else {
            self.terminate(.transportError, "data request overlap from client", flushing: false)
            exchange.answer(.empty(status: 400))
            return
        }
        switch polling.requests.postArrived(exchange, contentType: exchange.contentType) {
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
        self.deliver(polling.callback == nil ? body : FormField.payload(of: body))
        if !self.isPaused || self.state == .closed { polling.answerFinishedPost() }
    }

    private func deliver(_ payload: ByteBuffer) {
        // Other than over WebSocket, bytes that are no UTF-8 are repaired, as the reference implementation does.
        let isText = payload.isValidUTF8
        var reader = PollingPayloadReader(
            isText ? payload : ByteBuffer(string: String(buffer: payload)),
            maximumPackets: self.server.configuration.limits.maxPacketsPerPayload
        )
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

// MARK: - Upgrade

extension EngineSession {
    /// A WebSocket with this session's id opened.
    func received(probe handler: WebSocketHandler, isTextOnly: Bool) {
        guard self.state != .closed, case .polling(let polling) = self.link, polling.probe == nil,
            self.server.configuration.allowUpgrades
        else {
            self.server.metrics.upgradeEnded(.refused)
            handler.end(.handshake(nil))
            return
        }
        let deadline = self.eventLoop.now + self.server.configuration.upgradeTimeout
        let probe = UpgradeProbe(
            session: self,
            handler: handler,
            deadline: deadline,
            checkInterval: self.server.configuration.probeCheckInterval,
            isTextOnly: isTextOnly
        )
        polling.probe = probe
        handler.begin(probe)
        self.timers.schedule(probe, at: deadline)
    }

    /// Answers a waiting poll, so that the client can pause polling.
    func shortenPoll() {
        guard case .polling(let polling) = self.link, self.state == .open, self.first == nil,
            let get = polling.requests.takeGet()
        else { return }
        get.answer(.payload(ByteBuffer(staticString: "6"), callback: polling.callback, cookie: nil))
    }

    /// The probe does not become the session's transport.
    func probeEnded(_ probe: UpgradeProbe, _ result: EngineMetrics.UpgradeResult) {
        guard case .polling(let polling) = self.link, polling.probe === probe else { return }
        self.endProbe(of: polling, result)
    }

    private func endProbe(of polling: PollingLink, _ result: EngineMetrics.UpgradeResult) {
        guard let probe = polling.probe else { return }
        polling.probe = nil
        self.timers.cancel(probe)
        self.server.metrics.upgradeEnded(result)
        if probe.end() { probe.handler.end(.handshake(nil)) }
    }

    /// The probe becomes the session's transport.
    func switchTransport(to probe: UpgradeProbe) {
        guard self.state != .closed, case .polling(let polling) = self.link, polling.probe === probe else { return }
        polling.probe = nil
        self.timers.cancel(probe)
        self.server.metrics.upgradeEnded(.completed)
        // The client has paused polling, as a rule; if not, its poll is over.
        if let get = polling.requests.takeGet() {
            get.answer(.payload(ByteBuffer(staticString: "1"), callback: polling.callback, cookie: nil))
        }
        polling.requests.takePost()?.destroy()
        polling.answerFinishedPost()
        self.isTextOnly = probe.isTextOnly
        self.link = .webSocket(probe.handler)
        probe.handler.begin(self)
        if self.isPaused { probe.handler.setReading(false) }
        if self.state == .open, self.heartbeat.isAwaitingPong {
            // The ping may have gone with the last poll or go over the WebSocket now: its pong gets its full time. (The
            // reference implementation forgets the deadline here, and with it a client that never answers.)
            self.timers.schedule(self, in: self.server.configuration.pingTimeout)
        }
        self.flushOrFinish()
    }
}
