import DequeModule
import Logging
import Metrics
package import NIOCore
import SocketIOWire

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What one event loop's sessions share: timers, the sessions with something to send, buffers used again and again.
///
/// `@unchecked Sendable` because servers hand it to its loop; apart from its constants it is touched on that loop only,
/// which is asserted.
package final class EngineLoop: @unchecked Sendable {
    package let eventLoop: any EventLoop
    package let timers: TimingWheel
    let metrics: EngineMetrics
    let webSocketRules: WebSocketRules
    /// The rules where compression has been agreed on.
    let compressingRules: WebSocketRules
    let compression: LoopCompression
    /// How long a peer may take to answer a close frame.
    let closeTimeout: TimeAmount
    let maxControlPackets: Int?
    /// From which size on answers to polls may be compressed.
    let compressionThreshold: Int

    /// What payloads are unmasked into, while no read is being handled.
    @exclusivity(unchecked) private var payloadBuffer: ByteBuffer?
    /// What every WebSocket on this loop is read into, while no read is in progress.
    @exclusivity(unchecked) private var receiveBuffer: ByteBuffer?
    static let receiveBufferSize = 65_536
    /// What the packets of one write are put together in, while no session is doing so.
    @exclusivity(unchecked) private var sendBuffer: ByteBuffer?

    /// What answers to requests are written to, while none is.
    private var answerBuffer: ByteWriter?
    /// One long answer must not keep that for ever.
    private static let largestAnswerBuffer = 131_072

    /// What is being written for one client alone.
    let direct = DirectFrames()
    /// The session whose bytes are being handled.
    @exclusivity(unchecked) var reading: ObjectIdentifier?

    var polling = TrafficCounts()
    @exclusivity(unchecked) var webSocket = TrafficCounts()
    /// The bytes that wait to be sent.
    let queued: LoopBudget
    /// The bytes that have come and wait for more, or for a handler.
    let requests: LoopBudget
    /// What the metrics know of them.
    private var reportedQueuedBytes = 0
    private var reportedRequestBytes = 0
    package var timerLinks = TimerLinks()
    private static let reportInterval = TimeAmount.seconds(1)

    private var dirty: [EngineSession] = []
    private var isFlushScheduled = false

    /// The connections that have not become WebSockets.
    var connections: [ObjectIdentifier: HTTPConnection] = [:]
    /// Those of them that there is no room for, the oldest first.
    var turnedAway: Deque<HTTPConnection> = []

    private var dateSecond = -1
    private var dateField = ByteBuffer()

    init(
        eventLoop: any EventLoop,
        metrics: EngineMetrics,
        configuration: EngineConfiguration,
        queued: ByteBudget,
        requests: ByteBudget
    ) {
        self.eventLoop = eventLoop
        self.queued = LoopBudget(queued)
        self.requests = LoopBudget(requests)
        // A ping that comes late makes its timeout late: short ones need finer ticks, long ones need fewer wake-ups.
        let fraction = TimeAmount.nanoseconds(configuration.pingTimeout.nanoseconds / 200)
        let resolution = min(TimeAmount.milliseconds(10), max(TimeAmount.milliseconds(1), fraction))
        self.timers = TimingWheel(eventLoop: eventLoop, resolution: resolution)
        self.metrics = metrics
        var rules = WebSocketRules()
        rules.maximumMessageBytes = configuration.maxHTTPBufferSize
        rules.maximumFragments = configuration.limits.maxFragments
        self.webSocketRules = rules
        rules.allowsCompression = true
        self.compressingRules = rules
        self.compression = LoopCompression(configuration, eventLoop: eventLoop)
        self.closeTimeout = configuration.limits.closeTimeout
        self.compressionThreshold = configuration.httpCompression?.threshold ?? .max
        self.maxControlPackets = configuration.limits.maxControlPacketsPerSecond
    }

    // MARK: The end of the tick

    /// Flushes the session when everything that the loop has at hand is done.
    func flushAtEndOfTick(_ session: EngineSession) {
        self.dirty.append(session)
        guard !self.isFlushScheduled else { return }
        self.isFlushScheduled = true
        self.eventLoop.execute { self.flush() }
    }

    private func flush() {
        self.eventLoop.assertInEventLoop()
        self.isFlushScheduled = false
        var sessions: [EngineSession] = []
        swap(&sessions, &self.dirty)
        for session in sessions { session.tickEnded() }
        self.countsChanged()
        // The array goes round, unless what was flushed sent something.
        sessions.removeAll(keepingCapacity: sessions.count <= 4096)
        if self.dirty.isEmpty { swap(&sessions, &self.dirty) }
    }

    // MARK: Buffers

    /// The buffer to read into; comes back with ``giveBack(_:)``.
    func takeReceiveBuffer() -> ByteBuffer {
        var buffer = self.receiveBuffer.take() ?? ByteBuffer()
        buffer.clear(minimumCapacity: Self.receiveBufferSize)
        return buffer
    }

    func giveBack(_ buffer: ByteBuffer) {
        self.receiveBuffer = buffer
        self.compression.shrink(to: Self.receiveBufferSize)
    }

    /// The buffer to unmask payloads into; comes back with ``giveBack(payloadBuffer:)``.
    func takePayloadBuffer() -> ByteBuffer { self.payloadBuffer.take() ?? ByteBuffer() }

    /// Takes the buffer back, unless a big message has made it so big that it must not be kept for ever.
    func giveBack(payloadBuffer buffer: consuming ByteBuffer) {
        self.payloadBuffer = buffer.capacity > Self.receiveBufferSize ? nil : buffer
    }

    /// The buffer to put a write together in; comes back with ``giveBack(sendBuffer:)``.
    func takeSendBuffer() -> ByteBuffer { self.sendBuffer.take() ?? ByteBuffer() }

    /// Takes the buffer back; if the channel holds it, too, the next use replaces it.
    func giveBack(sendBuffer buffer: ByteBuffer) { self.sendBuffer = buffer }

    /// What to write an answer to; comes back with ``giveBack(answerBuffer:)``.
    func takeAnswerBuffer() -> ByteWriter { self.answerBuffer.take() ?? ByteWriter(capacity: 1024) }

    func giveBack(answerBuffer buffer: consuming ByteWriter) {
        guard buffer.capacity <= Self.largestAnswerBuffer else { return }
        buffer.removeAll()
        self.answerBuffer = .some(buffer)
    }

    // MARK: Metrics

    /// Tells the metrics what was counted, a second from now at the latest.
    func countsChanged() {
        guard !self.timerLinks.isScheduled else { return }
        self.timers.schedule(self, in: Self.reportInterval)
    }

    /// Tells the metrics what was counted since the last time.
    package func reportCounts() {
        self.polling.report(to: self.metrics.polling)
        self.webSocket.report(to: self.metrics.webSocket)
        self.report(self.queued, &self.reportedQueuedBytes, self.metrics.sendQueueBytes)
        self.report(self.requests, &self.reportedRequestBytes, self.metrics.requestBytes)
        // What a channel sends nobody is told, so the next look at it may find less.
        if self.queued.bytes > 0 || self.requests.bytes > 0 { self.countsChanged() }
    }

    private func report(_ budget: LoopBudget, _ reported: inout Int, _ meter: Meter) {
        budget.recount()
        let change = budget.bytes - reported
        reported = budget.bytes
        if change > 0 {
            meter.increment(by: Double(change))
        } else if change < 0 {
            meter.decrement(by: Double(-change))
        }
    }

    /// What is counted of a kind of bytes.
    func budget(_ kind: ByteBudget.Kind) -> LoopBudget {
        switch kind {
        case .queued: self.queued
        case .request: self.requests
        }
    }

    // MARK: The date

    /// `Date: Sat, 21 Nov 2026 05:12:39 GMT` and the line's end, made once a second.
    func currentDateField() -> ByteBuffer {
        let second = time(nil)
        guard second != self.dateSecond else { return self.dateField }
        self.dateSecond = second
        let field = ByteBuffer(string: "Date: \(HTTPDate.string(fromSeconds: Int(second)))\r\n")
        self.dateField = field
        return field
    }
}

extension EngineLoop: TimerTarget {
    package func timerFired(at now: NIODeadline) { self.reportCounts() }
}
