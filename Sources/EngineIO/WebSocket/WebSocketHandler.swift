import NIOCore
import SocketIOWire

/// The only handler of a connection that has become a WebSocket.
///
/// It is `@unchecked Sendable` because sessions reach it through closures on its loop. It is used only on `loop`, and
/// that is asserted.
final class WebSocketHandler: @unchecked Sendable {
    /// How a WebSocket ends.
    enum Ending {
        /// With the closing handshake, which the server begins.
        case handshake(WebSocketCloseCode?)
        /// With the answer to the peer's close frame.
        case answer(WebSocketCloseCode?, reason: String)
        /// At once. What waits to be sent is dropped.
        case cut
        /// Because of the peer's error.
        case failed(WebSocketCloseCode)
        /// It has already ended.
        case gone
    }

    /// Who gets the messages.
    private enum Role {
        case none
        case session(EngineSession)
        case probe(UpgradeProbe)
        case closing(ClosingTimer)
        /// Nobody. Each message comes back; see ``EngineConfiguration/echoesWebSockets``.
        case echo
    }

    // The properties are in an order that leaves few gaps, because every connection has a handler.

    private let loop: EngineLoop
    @exclusivity(unchecked) private var context: ChannelHandlerContext?
    @exclusivity(unchecked) private var decoder = WebSocketDecoder()
    @exclusivity(unchecked) private var role = Role.none
    /// The connection's place in the count of its address.
    private var ticket: ConnectionTicket?
    /// The connection's entry in the budget of received bytes, if bytes wait.
    @exclusivity(unchecked) private var requestHolding: Holding?
    /// Bytes that came while no messages were decoded, or while one was being handled.
    @exclusivity(unchecked) private var undecoded: Undecoded?
    /// How much more may be decoded before the loop's other connections have their turn.
    @exclusivity(unchecked) private var turnBytes = Int32(WebSocketHandler.longestTurn)
    /// The connection's socket, while the channel has it open.
    @exclusivity(unchecked) private var descriptor = SocketDescriptor.none
    /// The answer to the handshake.
    ///
    /// It leaves with the first write.
    @exclusivity(unchecked) private var handshakeAnswer: ByteBuffer?
    /// Whether bytes may wait in the channel.
    @exclusivity(unchecked) private var mayHaveBacklog: Bool
    /// The window for compressed messages to the peer; 0 if there is no compression.
    let windowBits: UInt8
    /// Whether the connection has come from another loop, so that its first byte is read alone.
    var hasMoved = false
    /// Whether the channel takes more bytes.
    @exclusivity(unchecked) private(set) var isWritable = true
    /// Whether messages are decoded.
    ///
    /// If not, the bytes that were read wait in ``undecoded``.
    @exclusivity(unchecked) private var isReading = true
    /// Whether the messages of a read are being handed out.
    @exclusivity(unchecked) private var isDecoding = false
    /// Whether the peer has sent its last byte.
    private var isInputClosed = false

    /// Bytes that wait to be decoded.
    ///
    /// They are in an object of their own, because few connections have any.
    private final class Undecoded {
        var bytes: ByteBuffer
        init(_ bytes: ByteBuffer) { self.bytes = bytes }
    }

    /// This is some reads.
    ///
    /// More can come only from compressed messages, or from bytes that had to wait.
    private static let longestTurn = 4 * EngineLoop.receiveBufferSize
    /// A loop runs everything that is due before it looks at its connections.
    ///
    /// So the next turn must not be due at once.
    private static let pauseBetweenTurns = TimeAmount.microseconds(100)

    init(
        loop: EngineLoop,
        compression: DeflateAgreement?,
        ticket: ConnectionTicket?,
        mayHaveBacklog: Bool,
        descriptor: SocketDescriptor = .none
    ) {
        self.loop = loop
        self.descriptor = descriptor
        self.mayHaveBacklog = mayHaveBacklog
        self.ticket = ticket
        self.windowBits = UInt8(clamping: compression?.windowBits ?? 0)
    }

    func begin(_ session: EngineSession) { self.role = .session(session) }

    func begin(_ probe: UpgradeProbe) { self.role = .probe(probe) }

    func beginEcho() { self.role = .echo }

    // MARK: Writing

    /// Keeps the answer to the handshake, which leaves with the next write.
    func answer(_ bytes: ByteBuffer) {
        guard !self.descriptor.isValid, let context = self.context else {
            self.handshakeAnswer = bytes
            return
        }
        // There is no short cut to the kernel here, so the channel joins the two.
        self.mayHaveBacklog = true
        context.write(self.wrapOutboundOut(bytes), promise: nil)
    }

    /// Writes the answer to the handshake, if it has not left with another write.
    func flushAnswer() {
        if let answer = self.handshakeAnswer.take() {
            self.writeAndFlush(answer)
        } else {
            self.context?.flush()
        }
    }

    /// Gives bytes to the kernel, and gives the channel what the kernel does not take.
    ///
    /// The channel's own way costs as much processor time as the kernel's part of a small write. So only a connection
    /// with waiting bytes takes it. This is called for every packet of a broadcast.
    func writeAndFlush(_ bytes: ByteBuffer) {
        self.assertOnLoop()
        guard let context = self.context else { return }
        var bytes = bytes
        if self.handshakeAnswer != nil, var answer = self.handshakeAnswer.take() {
            answer.writeImmutableBuffer(bytes)
            bytes = answer
        }
        if self.descriptor.isValid, !self.hasBacklog(context) {
            let sent = bytes.withUnsafeReadableBytes { self.descriptor.send($0) }
            if sent == bytes.readableBytes { return }
            bytes.moveReaderIndex(forwardBy: sent)
            self.mayHaveBacklog = true
        }
        context.writeAndFlush(self.wrapOutboundOut(bytes), promise: nil)
    }

    /// The same for bytes whose memory is used again.
    ///
    /// What the kernel does not take is copied.
    func writeAndFlush(_ bytes: borrowing ByteWriter) {
        self.assertOnLoop()
        if self.handshakeAnswer != nil { return self.writeAndFlush(bytes.makeBuffer()) }
        guard let context = self.context else { return }
        var sent = 0
        if self.descriptor.isValid, !self.hasBacklog(context) {
            sent = bytes.withUnsafeBytes { self.descriptor.send($0) }
            if sent == bytes.count { return }
            self.mayHaveBacklog = true
        }
        context.writeAndFlush(self.wrapOutboundOut(bytes.makeBuffer(from: sent)), promise: nil)
    }

    /// Costs nothing in a release build, because packets pass here.
    @inline(__always)
    private func assertOnLoop() {
        assert(self.loop.eventLoop.inEventLoop, "a WebSocket was used on another event loop than its own")
    }

    /// Whether bytes wait in the channel.
    ///
    /// Newer ones must not overtake them.
    private func hasBacklog(_ context: ChannelHandlerContext) -> Bool {
        guard self.mayHaveBacklog else { return false }
        return self.backlogBytes > 0
    }

    /// The bytes that wait in the channel, which is asked only if there may be some.
    @inline(__always)
    var backlogBytes: Int {
        guard self.mayHaveBacklog else { return 0 }
        let count = self.bufferedBytes
        self.mayHaveBacklog = count > 0
        return count
    }

    /// The bytes that wait in the channel.
    var bufferedBytes: Int {
        (try? self.context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// Starts or stops decoding messages.
    ///
    /// While it is stopped, even bytes that have been read are not decoded.
    func setReading(_ isReading: Bool) {
        self.assertOnLoop()
        self.isReading = isReading
        // The end of the stream also waits behind the rest. It is told only once.
        guard isReading, self.undecoded != nil || self.isInputClosed else { return self.setAutoRead(isReading) }
        self.decodeSoon()
    }

    private func setAutoRead(_ isOn: Bool) {
        try? self.context?.channel.syncOptions?.setOption(.autoRead, value: isOn)
    }

    // MARK: Ending

    /// Ends the WebSocket.
    ///
    /// Its session hears nothing more.
    func end(_ ending: Ending) {
        self.assertOnLoop()
        guard let context = self.context else { return }
        if case .closing(let timer) = self.role {
            // The server has already ended it, and only the peer's answer or its disappearance was missing.
            switch ending {
            case .answer, .cut, .gone:
                timer.cancel()
                context.close(promise: nil)
            case .handshake, .failed:
                break
            }
            return
        }
        var frame = ByteBuffer()
        switch ending {
        case .handshake(let code):
            frame.writeWebSocketClose(code)
            self.writeAndFlush(frame)
            self.awaitClose(context)
        case .answer(let code, let reason):
            frame.writeWebSocketClose(code, reason: reason)
            self.role = .none
            self.writeAndFlush(frame)
            context.close(promise: nil)
        case .failed(let code):
            frame.writeWebSocketClose(code)
            self.writeAndFlush(frame)
            self.awaitClose(context)
            // Nothing more can be understood, so no answer either. The peer sees the end of the stream and closes.
            context.close(mode: .output, promise: nil)
        case .cut:
            self.role = .none
            context.close(promise: nil)
        case .gone:
            self.role = .none
        }
    }

    private func awaitClose(_ context: ChannelHandlerContext) {
        self.role = .closing(ClosingTimer(context: context, loop: self.loop, waitingBytes: self.backlogBytes))
        self.setReading(true)
    }

    // MARK: Reading

    /// Takes bytes that were read before this handler was there.
    func received(_ bytes: ByteBuffer) {
        var input = bytes
        self.decode(&input)
    }

    private func decode(_ input: inout ByteBuffer, isNew: Bool = true) {
        // While a message is handled, the channel can hand over more bytes. They wait for their turn.
        guard !self.isDecoding, self.undecoded == nil else {
            if case .session(let session) = self.role { session.received(byteCount: input.readableBytes) }
            return self.keep(input)
        }
        guard case .session(let session) = self.role else {
            return self.decodeMessages(&input, for: nil, isNew: isNew)
        }
        if isNew { session.received(byteCount: input.readableBytes) }
        self.loop.reading = ObjectIdentifier(session)
        self.decodeMessages(&input, for: session, isNew: isNew)
        self.loop.reading = nil
        session.readEnded()
    }

    private func keep(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        // This is a copy, because the loop reads into the same buffer again.
        let undecoded = self.undecoded ?? Undecoded(ByteBuffer())
        undecoded.bytes.writeImmutableBuffer(bytes)
        self.undecoded = undecoded
        self.noteKeptBytes()
    }

    /// Keeps what is left, in front of the bytes that came meanwhile.
    ///
    /// - Parameters:
    ///   - input: What is left of a read, or of bytes that were kept before. The latter are not copied again, because
    ///     they may be megabytes, of which each turn takes some messages.
    ///   - isNew: Whether it comes from a read.
    private func keepRest(of input: inout ByteBuffer, isNew: Bool) {
        let later = self.undecoded.take()
        if isNew {
            self.keep(input)
            input.moveReaderIndex(to: input.writerIndex)
        } else if input.readableBytes > 0 {
            self.undecoded = Undecoded(input)
            input = ByteBuffer()
        }
        if let later { self.keep(later.bytes) }
        guard self.isReading else { return }
        if self.turnBytes > 0 { self.decodeSoon() } else { self.decodeInNextTurn() }
    }

    private func decodeSoon() {
        self.loop.eventLoop.execute { self.decodeRest() }
    }

    /// Continues with what is left when the loop has served its other connections, and reads nothing before that.
    private func decodeInNextTurn() {
        self.setAutoRead(false)
        self.loop.eventLoop.assumeIsolated().scheduleTask(in: Self.pauseBetweenTurns) { self.decodeRest() }
    }

    private func decodeRest() {
        guard self.isReading else { return }
        if let undecoded = self.undecoded.take() {
            var bytes = undecoded.bytes
            undecoded.bytes = ByteBuffer()
            self.decode(&bytes, isNew: false)
        }
        guard self.isReading, self.undecoded == nil else { return }
        self.isInputClosed ? self.context?.close(promise: nil) : self.setAutoRead(true)
    }

    /// Hands out the messages that the input holds.
    ///
    /// Decoder and payload buffer are local while a read is handled, because each use of a class's property costs a
    /// check.
    ///
    /// - Parameters:
    ///   - input: Bytes from the peer. All are taken. Those that are not decoded now are kept.
    ///   - session: The session for the messages, if it is known. It stays the same throughout. A session that has
    ///     ended takes no more.
    ///   - isNew: Whether the input has just been read.
    private func decodeMessages(_ input: inout ByteBuffer, for session: EngineSession?, isNew: Bool) {
        self.isDecoding = true
        var decoder = self.decoder
        var payload = self.loop.takePayloadBuffer()
        var pongs: ByteBuffer?
        var controlFrames = 0
        let rules = self.windowBits == 0 ? self.loop.webSocketRules : self.loop.compressingRules
        self.turnBytes = Int32(Self.longestTurn)
        do throws(WebSocketError) {
            while self.isReading, self.turnBytes > 0,
                let event = try decoder.next(from: &input, payload: &payload, rules: rules)
            {
                if case .ping = event {
                    controlFrames += 1
                    pongs = pongs.take() ?? ByteBuffer()
                    pongs?.writeWebSocketFrame(.pong, payload: payload)
                    continue
                }
                if let frames = pongs.take() { self.send(pongs: frames) }
                self.turnBytes = Int32(clamping: Int(self.turnBytes) - payload.readableBytes)
                switch event {
                case .text:
                    if let session { session.received(text: payload) } else { self.received(text: payload) }
                case .binary: self.received(binary: payload)
                case .compressed(let isText): try self.received(compressed: payload, isText: isText)
                case .ping: break
                case .pong: controlFrames += 1
                case .close(let code): self.received(closeCode: code, reason: String(buffer: payload))
                }
            }
        } catch {
            decoder.stop()
            self.failed(error)
        }
        self.decoder = decoder
        self.isDecoding = false
        self.loop.giveBack(payloadBuffer: payload)
        if input.readableBytes > 0 || self.undecoded != nil { self.keepRest(of: &input, isNew: isNew) }
        self.noteKeptBytes()
        if let pongs { self.send(pongs: pongs) }
        if controlFrames > 0, case .session(let session) = self.role { session.takes(controlPackets: controlFrames) }
    }

    private func received(text: ByteBuffer) {
        switch self.role {
        case .session(let session): session.received(text: text)
        case .probe(let probe): probe.received(EnginePacket(text: text))
        case .none, .closing: break
        case .echo: self.echo(.text, text)
        }
    }

    private func received(binary: ByteBuffer) {
        switch self.role {
        case .session(let session): session.received(binary: binary)
        case .probe(let probe): probe.received(nil)
        case .none, .closing: break
        case .echo: self.echo(.binary, binary)
        }
    }

    private func echo(_ opcode: WebSocketOpcode, _ payload: ByteBuffer) {
        var frame = ByteBuffer()
        if self.windowBits > 0 {
            self.loop.compression.writeFrame(opcode, payload: payload, windowBits: Int(self.windowBits), into: &frame)
        } else {
            frame.writeWebSocketFrame(opcode, payload: payload)
        }
        self.writeAndFlush(frame)
    }

    private func received(compressed bytes: ByteBuffer, isText: Bool) throws(WebSocketError) {
        switch self.role {
        case .session, .probe, .echo: break
        case .none, .closing: return
        }
        let message = try self.loop.compression.inflate(bytes, limit: self.loop.webSocketRules.maximumMessageBytes)
        self.turnBytes = Int32(clamping: Int(self.turnBytes) - message.readableBytes)
        guard isText else { return self.received(binary: message) }
        guard message.isValidUTF8 else { throw .invalidUTF8 }
        self.received(text: message)
    }

    /// Answers several pings with one write, if the peer reads at all.
    private func send(pongs frames: ByteBuffer) {
        switch self.role {
        case .session(let session): session.flushBeforeControlFrame()
        case .probe, .echo: break
        case .none, .closing: return
        }
        guard self.isWritable else { return }
        self.writeAndFlush(frames)
    }

    private func received(closeCode code: WebSocketCloseCode?, reason: String) {
        switch self.role {
        case .session(let session): session.peerClosed(.answer(code, reason: reason))
        case .probe(let probe): probe.closed(.answer(code, reason: reason))
        case .none, .closing, .echo: self.end(.answer(code, reason: reason))
        }
    }

    private func failed(_ error: WebSocketError) {
        switch self.role {
        case .session(let session):
            session.failed(error)
        case .probe(let probe):
            self.loop.metrics.malformedInput(.webSocketFrame)
            probe.closed(.failed(error.closeCode))
        case .echo:
            self.end(.failed(error.closeCode))
        case .none, .closing:
            self.context?.close(promise: nil)
        }
    }
}

extension WebSocketHandler: ByteHolder {
    func heldBytes(of kind: ByteBudget.Kind) -> Int {
        kind == .request ? self.decoder.keptBytes + (self.undecoded?.bytes.readableBytes ?? 0) : 0
    }

    @inline(__always)
    private func noteKeptBytes() {
        self.loop.requests.note(self.heldBytes(of: .request), of: self, in: &self.requestHolding)
    }

    private func forgetInput() {
        self.undecoded = nil
        guard self.decoder.isWithinMessage || self.requestHolding != nil else { return }
        self.decoder.stop()
        self.noteKeptBytes()
    }

    func giveUp(_ kind: ByteBudget.Kind) {
        self.forgetInput()
        switch self.role {
        case .session(let session): session.giveUp(.request)
        case .probe(let probe): probe.closed(.failed(.tryAgainLater))
        case .none, .closing, .echo: self.context?.close(promise: nil)
        }
    }
}

extension WebSocketHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if !self.descriptor.isValid { self.descriptor = SocketDescriptor(of: context.channel) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.descriptor = .none
        self.disappeared()
        self.ticket = nil
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var input = self.unwrapInboundIn(data)
        self.decode(&input)
        self.loop.giveBack(input)
    }

    func channelInactive(context: ChannelHandlerContext) {
        // The channel closes its socket and tells this in one step. Nothing else runs in between.
        self.descriptor = .none
        self.disappeared()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.isWritable = context.channel.isWritable
        if self.isWritable, case .session(let session) = self.role { session.becameWritable() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return context.fireUserInboundEventTriggered(event) }
        // A peer that has ended its stream has gone, but its waiting messages have their turn first.
        self.isInputClosed = true
        if self.undecoded == nil { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A connection that breaks ends like one that is closed.
        context.close(promise: nil)
    }

    private func disappeared() {
        self.forgetInput()
        switch self.role {
        case .none: break
        case .echo: self.role = .none
        case .session(let session): session.peerClosed(.gone)
        case .probe(let probe): probe.closed(.gone)
        case .closing(let timer):
            timer.cancel()
            self.role = .none
        }
    }
}

/// Closes a connection whose peer does not answer a close frame.
private final class ClosingTimer: TimerTarget {
    var timerLinks = TimerLinks()
    private let context: ChannelHandlerContext
    private let loop: EngineLoop
    /// The connection's entry in the budget.
    private var queuedHolding: Holding?

    init(context: ChannelHandlerContext, loop: EngineLoop, waitingBytes: Int) {
        self.context = context
        self.loop = loop
        loop.timers.schedule(self, in: loop.closeTimeout)
        loop.queued.note(waitingBytes, of: self, in: &self.queuedHolding)
    }

    func cancel() {
        self.loop.timers.cancel(self)
        self.loop.queued.note(0, of: self, in: &self.queuedHolding)
    }

    func timerFired(at now: NIODeadline) { self.context.close(promise: nil) }
}

extension ClosingTimer: ByteHolder {
    func heldBytes(of kind: ByteBudget.Kind) -> Int {
        guard kind == .queued else { return 0 }
        return (try? self.context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    func giveUp(_ kind: ByteBudget.Kind) { self.context.close(promise: nil) }
}
