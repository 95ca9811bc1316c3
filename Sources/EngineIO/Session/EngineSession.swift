public import NIOCore
public import SocketIOWire

/// One client's connection, over any transport.
///
/// It belongs to its ``eventLoop``. Use all members except ``id`` and ``eventLoop`` only there.
public final class EngineSession {
    /// Where a session is in its life.
    public enum State: Sendable {
        /// Messages travel.
        case open
        /// The server has closed the session, and is sending what was queued.
        case closing
        /// The session is over.
        case closed
    }

    /// What carries the session's bytes.
    enum Link {
        case polling(PollingLink)
        case webSocket(WebSocketHandler)
    }

    // The properties are in an order that leaves few gaps, because every connection has a session.

    /// The session's id; secret.
    public let id: SessionID
    /// The request that began the session.
    public let request: HandshakeRequest
    package let loop: EngineLoop
    let server: EngineServer
    @exclusivity(unchecked) var delegate: (any EngineSessionDelegate)?
    @exclusivity(unchecked) var link: Link

    package var timerLinks = TimerLinks()
    /// The bytes of an incomplete message, as the layer above tells them.
    var partialBytes: UInt32 = 0

    /// The packets that wait to be sent.
    ///
    /// Behind them come the frames that ``EngineLoop/direct`` holds for this session.
    @exclusivity(unchecked) var outbox = Outbox()
    /// The session's entry in the budget of bytes to be sent, if bytes wait.
    @exclusivity(unchecked) var queuedHolding: Holding?
    /// The session's entry in the budget of received bytes, if bytes wait.
    var requestHolding: Holding?
    /// How far the kernel is with the session's bytes.
    @exclusivity(unchecked) var progress = SendProgress()
    var controlRate = ControlRate()

    /// Where the session is in its life.
    @exclusivity(unchecked) public private(set) var state = State.open
    var heartbeat: Heartbeat
    @exclusivity(unchecked) var isDirty = false
    @exclusivity(unchecked) var isFlushing = false
    @exclusivity(unchecked) var isOverflowing = false
    /// The form of packets for the session's WebSocket.
    @exclusivity(unchecked) var form: WebSocketForm
    /// Whether bytes arrived since the last deadline.
    @exclusivity(unchecked) var hasReceived = false
    var isPaused = false
    private let version: UInt8

    init(
        id: SessionID,
        request: HandshakeRequest,
        protocolVersion: Int,
        loop: EngineLoop,
        server: EngineServer,
        link: Link,
        isTextOnly: Bool
    ) {
        self.id = id
        self.request = request
        self.version = UInt8(clamping: protocolVersion)
        self.heartbeat = Heartbeat(isClientDriven: protocolVersion == 3)
        self.loop = loop
        self.server = server
        self.link = link
        self.form = WebSocketForm(isVersion3: protocolVersion == 3, isTextOnly: isTextOnly)
    }

    /// The client's version of the protocol: 4, or 3 if ``EngineConfiguration/allowEIO3`` lets such clients in.
    public var protocolVersion: Int { Int(self.version) }

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
        case .polling: self.outbox.bytes
        case .webSocket(let handler): self.outbox.bytes + self.loop.direct.bytes(of: self) + handler.bufferedBytes
        }
    }

    // MARK: Beginning

    /// Begins the session's life.
    ///
    /// The open packet is on its way.
    func open(_ onSession: EngineServer.SessionHandler) {
        self.awaitNextPing()
        self.delegate = onSession(self)
    }

    /// Sends the first packets of a session: the open packet, and the initial one if there is one.
    func enqueueOpening(_ packets: [EncodedPacket]) {
        for packet in packets { self.enqueue(packet) }
    }

    /// Takes as many waiting packets as the client takes at once, as an answer to a poll.
    func takePayload(for polling: PollingLink) -> PollingAnswer {
        let answer = polling.answer(from: &self.outbox)
        self.noteQueuedBytes()
        return answer
    }

    // MARK: Ending

    /// Closes the session with reason ``CloseReason/forcedClose``.
    ///
    /// If nothing has to be sent first, the delegate hears of it within this call.
    ///
    /// - Parameter discardingQueue: Whether to close at once and drop what is queued.
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
                if self.outbox.isEmpty { return self.terminate(.forcedClose) }
            case .polling(let polling):
                if self.outbox.isEmpty, polling.requests.get != nil { return self.terminate(.forcedClose) }
            }
            self.state = .closing
            self.timers.schedule(self, in: self.server.configuration.limits.closeTimeout)
        }
    }

    /// Ends the session in any state.
    ///
    /// - Parameters:
    ///   - reason: Why, for the delegate and the metrics.
    ///   - description: More, for logs.
    ///   - heldPoll: The packet that a waiting GET gets.
    ///   - ending: How the WebSocket ends.
    ///   - flushing: Whether to send first what this tick has sent.
    func terminate(
        _ reason: CloseReason,
        _ description: String? = nil,
        heldPoll: EnginePacketType = .close,
        webSocket ending: WebSocketHandler.Ending = .handshake(nil),
        flushing: Bool = true
    ) {
        guard self.state != .closed else { return }
        let lingers = self.awaitsPoll
        if flushing {
            self.flush()
            // If the connection breaks during a write, it ends its session within that call.
            guard self.state != .closed else { return }
        }
        self.state = .closed
        self.timers.cancel(self)
        self.discardOutbox()
        switch self.link {
        case .webSocket(let handler):
            handler.end(ending)
        case .polling(let polling):
            if let get = polling.requests.takeGet() {
                get.answer(.payload(polling.answer([heldPoll])))
            }
            polling.requests.takePost()?.destroy()
            polling.rest = nil
            if lingers { self.linger(on: polling, lastPacket: heldPoll) } else { polling.answerFinishedPost() }
            self.endProbe(of: polling, .failed)
        }
        self.partialBytes = 0
        self.notePendingBytes()
        self.server.sessionClosed(self, reason: reason, description: description, lingers: lingers)
        let delegate = self.delegate
        self.delegate = nil
        delegate?.sessionDidClose(self, reason: reason, description: description)
    }
}
