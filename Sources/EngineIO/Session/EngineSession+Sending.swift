public import NIOCore
public import SocketIOWire

extension EngineSession {
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
        guard self.state == .open, !(volatile && self.dropsVolatile()) else { return }
        self.enqueue(compress ? packet : packet.uncompressed)
    }

    /// Sends a plain text message.
    public func send(text: ByteBuffer) { self.send(EncodedPacket(.message, data: text)) }

    /// Sends a plain binary message.
    public func send(binary: ByteBuffer) { self.send(EncodedPacket(binary: binary)) }

    /// Sends what only this client gets.
    ///
    /// Over a WebSocket nothing is made of it but its frames, right where the next write begins: no packet, no buffer of
    /// its own. They leave when the read that is being handled has been, or at the end of the tick.
    ///
    /// - Parameters:
    ///   - volatile: Whether it may be dropped because more than ``EngineLimits/volatileThreshold`` waits.
    ///   - append: Appends one packet's frames to the buffer, which it may take meanwhile; called at most once.
    ///   - encode: Makes the same packet, for a connection that cannot take frames; called if `append` is not.
    /// - Throws: What a closure throws; then nothing was sent.
    package func send(
        volatile: Bool = false,
        appending append: (inout ByteWriter?) throws -> Void,
        orEncoding encode: () throws -> EncodedPacket
    ) rethrows {
        guard self.state == .open, !(volatile && self.dropsVolatile()) else { return }
        let direct = self.loop.direct
        // What has begun goes on: whatever ends it takes the frames away.
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

    /// Whether frames can be written for this connection before it is known what else goes with them.
    private var takesFrames: Bool {
        guard case .webSocket(let handler) = self.link else { return false }
        return handler.isWritable && self.takesSharedFrames(handler) && !self.isOverflowing
    }

    /// Counts a volatile packet as dropped if more waits than it may wait behind.
    private func dropsVolatile() -> Bool {
        guard self.isBehind else { return false }
        // What this tick has sent so far shows nothing about the reader.
        if !self.isOverflowing, case .webSocket = self.link {
            self.flush()
            guard self.isBehind else { return false }
        }
        self.server.metrics.slowConsumer(.volatileDropped)
        return true
    }

    private var isBehind: Bool {
        if self.isOverflowing { return true }
        // What waits in the channel is worth asking for only when something does.
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

    /// Writes a packet behind what was written for this client already, or makes a packet of that, to go before it.
    ///
    /// - Returns: Whether the packet has been taken.
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

    /// Makes a packet in the outbox of what was written for this client.
    func sealDirect() {
        guard let frames = self.loop.direct.seal(for: self) else { return }
        self.outbox.append(EncodedPacket(webSocketFrames: frames))
        self.flushAtEndOfTick()
    }

    /// Does something about a long outbox: sends what can be sent, and gives the session up if what is left is too much.
    ///
    /// That many packets in one tick make nobody a slow reader: only what its connection does not take counts.
    private func relieve() {
        if case .webSocket = self.link { self.flush() }
        let limits = self.server.configuration.limits
        if self.bytesBehind > limits.maxQueuedBytes || self.outbox.count > limits.maxQueuedPackets { self.overflow() }
    }

    /// What waits behind the message that is being sent.
    ///
    /// That message may have any size: it is with the channel, or in an answer on its way, or the first that the next
    /// poll gets. A client is no slow reader for what the server has just begun to send.
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
    /// Not at once: whoever sends is in the middle of something, often of a list with this session in it.
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

    /// Tells the loop how much waits, once it is known that it does.
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
            // A close frame would wait behind all that the client does not read.
            let isBehind = self.waitingBytes > 0
            self.terminate(.transportError, "slow reader", webSocket: isBehind ? .cut : .handshake(nil))
            return
        }
        self.flushOrFinish()
    }

    /// What one read has brought has been handled.
    func readEnded() {
        if self.loop.direct.owner === self { self.flush() }
    }

    /// Something else is about to be written: what was sent before it goes first.
    func flushBeforeControlFrame() { self.flush() }

    /// Sends at once what waits, if that can be: what is sent next goes with another write.
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

    /// Hands what waits to the connection, as far as it takes it.
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
            self.handedBytes += frames.count
            handler.writeAndFlush(frames)
            self.loop.direct.giveBack(frames)
        } else if self.outbox.isSingle, self.loop.direct.owner !== self, let packet = self.outbox.first {
            self.outbox.removeFirst()
            let frames = self.frames(of: packet, handler)
            self.handedBytes += frames.readableBytes
            handler.writeAndFlush(frames)
        } else {
            self.flushSeveral(to: handler)
        }
    }

    /// The most bytes copied into one write.
    private static var batchSize: Int { 65_536 }
    /// The most packets that wait for the end of the tick.
    private static var batchCount: Int { 4096 }
    /// From here on a packet is cheaper to write on its own than to copy.
    private static var shareSize: Int { 16_384 }

    private func flushSeveral(to handler: WebSocketHandler) {
        // Writing may make the channel writable, which calls back.
        self.isFlushing = true
        var batch = self.loop.takeSendBuffer()
        while handler.isWritable, let packet = self.outbox.first {
            if packet.frames.readableBytes >= Self.shareSize {
                self.outbox.removeFirst()
                let frames = self.frames(of: packet, handler)
                self.handedBytes += frames.readableBytes
                handler.writeAndFlush(frames)
            } else {
                batch.clear(minimumCapacity: min(self.outbox.bytes, Self.batchSize))
                self.fill(&batch, handler)
                if self.outbox.isEmpty, let frames = self.loop.direct.take(from: self) {
                    frames.withUnsafeBytes { _ = batch.writeBytes($0) }
                    self.loop.direct.giveBack(frames)
                }
                self.handedBytes += batch.readableBytes
                handler.writeAndFlush(batch)
            }
        }
        self.loop.giveBack(sendBuffer: batch)
        self.isFlushing = false
        // Still there if the last packet was a big one, or if the connection does not take more.
        if self.loop.direct.owner === self { self.flush(to: handler) }
    }

    /// Whether the frames that most clients get are what this one gets.
    private func takesSharedFrames(_ handler: WebSocketHandler) -> Bool {
        self.form == .standard && handler.windowBits == 0
    }

    /// A packet's frames as this client gets them.
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
