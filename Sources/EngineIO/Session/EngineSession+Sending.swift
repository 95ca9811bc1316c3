public import NIOCore
public import SocketIOWire

extension EngineSession {
    /// Sends a packet at the end of the loop's tick, together with everything else that is sent until then.
    ///
    /// If the session is not open, nothing happens, and nobody is told. If more than ``EngineLimits/maxQueuedBytes``
    /// wait, the session is closed at the end of the tick.
    ///
    /// - Parameters:
    ///   - packet: The packet. If it is the only one of the tick, it is shared and not copied.
    ///   - volatile: Whether it may be dropped if more than ``EngineLimits/volatileThreshold`` waits.
    ///   - compress: Whether it is worth compressing.
    public func send(_ packet: EncodedPacket, volatile: Bool = false, compress: Bool = true) {
        guard self.state == .open, !(volatile && self.dropsVolatile()) else { return }
        self.enqueue(compress ? packet : packet.uncompressed)
    }

    /// Sends a plain text message.
    public func send(text: ByteBuffer) { self.send(EncodedPacket(.message, data: text)) }

    /// Sends a plain binary message.
    public func send(binary: ByteBuffer) { self.send(EncodedPacket(binary: binary)) }

    /// Sends a packet that only this client gets.
    ///
    /// Over a WebSocket, only its frames are made, directly in the place of the next write. There is no packet and no
    /// buffer for it. The frames leave when the current read has been handled, or at the end of the tick.
    ///
    /// - Parameters:
    ///   - volatile: Whether it may be dropped if more than ``EngineLimits/volatileThreshold`` waits.
    ///   - append: Appends one packet's frames to the buffer. It is called at most once.
    ///   - encode: Makes the same packet, for a connection that cannot take frames. It is called if `append` is not.
    /// - Throws: What a closure throws. Then nothing was sent.
    package func send(
        volatile: Bool = false,
        appending append: (inout ByteWriter?) throws -> Void,
        orEncoding encode: () throws -> EncodedPacket
    ) rethrows {
        guard self.state == .open, !(volatile && self.dropsVolatile()) else { return }
        let direct = self.loop.direct
        // What has begun continues. Whatever ends it takes the frames away.
        var frames: ByteWriter? = direct.owner === self || self.takesFrames ? direct.begin(for: self) : nil
        guard let start = frames?.count else {
            self.enqueue(try encode())
            return
        }
        do {
            try append(&frames)
        } catch {
            if let interjections = direct.end(frames) { self.enqueue(interjections) }
            throw error
        }
        let end = frames?.count ?? 0
        self.loop.webSocket.packetsSent += 1
        self.loop.webSocket.bytesSent += end - start
        let isLong = end >= Self.batchSize
        if let interjections = direct.end(frames) { self.enqueue(interjections) }
        if isLong {
            self.flush()
        } else if self.loop.reading != ObjectIdentifier(self) {
            self.flushAtEndOfTick()
        }
    }

    private func enqueue(_ packets: [EncodedPacket]) {
        for packet in packets { self.enqueue(packet) }
    }

    /// Whether frames can be written for this connection before it is known what follows them.
    private var takesFrames: Bool {
        guard case .webSocket(let handler) = self.link else { return false }
        return handler.isWritable && self.takesSharedFrames(handler) && !self.isOverflowing
    }

    /// Counts a volatile packet as dropped if too many bytes wait.
    private func dropsVolatile() -> Bool {
        guard self.isBehind else { return false }
        // What this tick has sent so far says nothing about the reader.
        if !self.isOverflowing, case .webSocket = self.link {
            self.flush()
            guard self.isBehind else { return false }
        }
        self.server.metrics.slowConsumer(.volatileDropped)
        return true
    }

    private var isBehind: Bool {
        if self.isOverflowing { return true }
        // It asks the channel only if something may wait there.
        let threshold = self.server.configuration.limits.volatileThreshold
        guard self.outbox.bytes <= threshold else { return true }
        guard case .webSocket(let handler) = self.link, !handler.isWritable else { return false }
        return self.queuedBytes > threshold
    }

    func enqueue(_ packet: EncodedPacket) {
        guard !self.isOverflowing else { return }
        let count = packet.frames.readableBytes
        if case .webSocket = self.link {
            self.loop.webSocket.packetsSent += 1
            self.loop.webSocket.bytesSent += count
            if self.loop.direct.owner === self, self.takesDirectly(packet) { return }
        } else {
            self.loop.polling.packetsSent += 1
            self.loop.polling.bytesSent += count
        }
        self.outbox.append(packet)
        self.flushAtEndOfTick()
        if self.outbox.bytes > Self.batchSize || self.outbox.count > Self.batchCount { self.relieve() }
    }

    /// Writes a packet behind the frames of this client.
    ///
    /// Or it makes a packet of these frames, which goes before the new one.
    ///
    /// - Returns: Whether it has written the packet.
    private func takesDirectly(_ packet: EncodedPacket) -> Bool {
        let direct = self.loop.direct
        guard !direct.isOpen else {
            direct.interject(packet)
            return true
        }
        guard packet.frames.readableBytes < Self.shareSize, var frames = direct.begin(for: self) else {
            self.sealDirect()
            return false
        }
        frames.writeImmutableBuffer(packet.frames)
        let isLong = frames.count >= Self.batchSize
        _ = direct.end(frames)
        self.flushAtEndOfTick()
        if isLong { self.flush() }
        return true
    }

    /// Moves the frames that were written for this client into the outbox, as a packet.
    func sealDirect() {
        guard let frames = self.loop.direct.seal(for: self) else { return }
        self.outbox.append(EncodedPacket(webSocketFrames: frames))
        self.flushAtEndOfTick()
    }

    /// Handles a long outbox: sends what can be sent, and gives the session up if too much is left.
    ///
    /// Many packets in one tick do not make a client a slow reader. Only bytes that its connection does not take count.
    private func relieve() {
        if case .webSocket = self.link { self.flush() }
        let limits = self.server.configuration.limits
        if self.bytesBehind > limits.maxQueuedBytes || self.outbox.count > limits.maxQueuedPackets { self.overflow() }
    }

    /// The bytes behind the message that is being sent.
    ///
    /// That message may have any size. It is in the channel, or in an answer that is being sent, or it is the first one
    /// for the next poll. A client is not a slow reader because of a message that the server has just begun to send.
    private var bytesBehind: Int {
        guard case .polling(let polling) = self.link, !polling.hasAnswersUnderWay else { return self.outbox.bytes }
        return self.outbox.bytes - (self.outbox.first?.frames.readableBytes ?? 0)
    }

    func flushAtEndOfTick() {
        guard !self.isDirty else { return }
        self.isDirty = true
        self.loop.flushAtEndOfTick(self)
    }

    /// Gives the session up.
    ///
    /// This does not happen at once, because the sender is in the middle of something, often of a list with this
    /// session in it.
    private func overflow() {
        self.isOverflowing = true
        self.discardOutbox()
        self.flushAtEndOfTick()
    }

    func discardOutbox() {
        self.loop.direct.discard(for: self)
        self.outbox.removeAll()
        self.noteQueuedBytes()
    }

    /// Tells the loop how much waits, as soon as something waits.
    func noteQueuedBytes() {
        self.loop.queued.note(self.waitingBytes, of: self, in: &self.queuedHolding)
    }

    /// The bytes that wait, here and in the channel.
    var waitingBytes: Int {
        guard self.state != .closed else { return 0 }
        guard case .webSocket(let handler) = self.link else { return self.outbox.bytes }
        return self.outbox.bytes + handler.backlogBytes
    }

    // MARK: Flushing

    func tickEnded() {
        self.isDirty = false
        if self.isOverflowing {
            self.server.metrics.slowConsumer(.closed)
            // A close frame would wait behind everything that the client does not read.
            let isBehind = self.waitingBytes > 0
            self.terminate(.transportError, "slow reader", webSocket: isBehind ? .cut : .handshake(nil))
            return
        }
        self.flushOrFinish()
    }

    /// Everything from one read has been handled.
    func readEnded() {
        if self.loop.direct.owner === self { self.flush() }
    }

    /// Something else will be written, so earlier packets have to go first.
    func flushBeforeControlFrame() { self.flush() }

    /// Sends at once what waits, if possible.
    ///
    /// What is sent next goes with another write.
    package func endWrite() {
        if case .webSocket = self.link, self.state == .open { self.flush() }
    }

    /// The channel takes bytes again.
    func becameWritable() {
        guard !self.isFlushing else { return }
        self.flushOrFinish()
    }

    func flushOrFinish() {
        guard self.state != .closed else { return }
        self.flush()
        if self.state == .closing, self.outbox.isEmpty, case .webSocket = self.link { self.terminate(.forcedClose) }
    }

    /// Gives the connection as much as it takes of what waits.
    func flush() {
        switch self.link {
        case .webSocket(let handler): self.flush(to: handler)
        case .polling(let polling):
            if !self.outbox.isEmpty, let get = polling.requests.takeGet() { self.answer(get, of: polling) }
        }
        self.noteQueuedBytes()
    }

    private func flush(to handler: WebSocketHandler) {
        guard !self.isFlushing else { return }
        guard handler.isWritable else {
            self.sealDirect()
            return
        }
        if self.outbox.isEmpty {
            guard let frames = self.loop.direct.take(from: self) else { return }
            self.progress.handed(frames.count)
            handler.writeAndFlush(frames)
            self.loop.direct.giveBack(frames)
        } else if self.outbox.isSingle, self.loop.direct.owner !== self, let packet = self.outbox.first {
            self.outbox.removeFirst()
            let frames = self.frames(of: packet, handler)
            self.progress.handed(frames.readableBytes)
            handler.writeAndFlush(frames)
        } else {
            self.flushSeveral(to: handler)
        }
    }

    /// The most bytes that are copied into one write.
    private static var batchSize: Int { 65_536 }
    /// The most packets that may wait for the end of the tick.
    private static var batchCount: Int { 4096 }
    /// From this size on it costs less to write a packet by itself than to copy it.
    private static var shareSize: Int { 16_384 }

    private func flushSeveral(to handler: WebSocketHandler) {
        // To write may make the channel writable, and then it calls back.
        self.isFlushing = true
        var batch = self.loop.takeSendBuffer()
        while handler.isWritable, let packet = self.outbox.first {
            if packet.frames.readableBytes >= Self.shareSize {
                self.outbox.removeFirst()
                let frames = self.frames(of: packet, handler)
                self.progress.handed(frames.readableBytes)
                handler.writeAndFlush(frames)
            } else {
                batch.clear(minimumCapacity: min(self.outbox.bytes, Self.batchSize))
                self.fill(&batch, handler)
                if self.outbox.isEmpty, let frames = self.loop.direct.take(from: self) {
                    frames.withUnsafeBytes { _ = batch.writeBytes($0) }
                    self.loop.direct.giveBack(frames)
                }
                self.progress.handed(batch.readableBytes)
                handler.writeAndFlush(batch)
            }
        }
        self.loop.giveBack(sendBuffer: batch)
        self.isFlushing = false
        // Something is left here if the last packet was a big one, or if the connection does not take more.
        if self.loop.direct.owner === self { self.flush(to: handler) }
    }

    /// Whether this client gets the same frames as most clients.
    private func takesSharedFrames(_ handler: WebSocketHandler) -> Bool {
        self.form == .standard && handler.windowBits == 0
    }

    /// A packet's frames in the form for this client.
    private func frames(of packet: EncodedPacket, _ handler: WebSocketHandler) -> ByteBuffer {
        guard !self.takesSharedFrames(handler) else { return packet.frames }
        return self.loop.compression.frames(of: packet, as: self.form, windowBits: Int(handler.windowBits))
    }

    /// Moves small packets from the outbox into one write.
    private func fill(_ batch: inout ByteBuffer, _ handler: WebSocketHandler) {
        while let packet = self.outbox.first, packet.frames.readableBytes < Self.shareSize,
            batch.readableBytes == 0 || batch.readableBytes + packet.frames.readableBytes <= Self.batchSize
        {
            batch.writeImmutableBuffer(self.frames(of: packet, handler))
            self.outbox.removeFirst()
        }
    }
}
