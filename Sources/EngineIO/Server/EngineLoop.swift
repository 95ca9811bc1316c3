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

/// What the sessions of one event loop share: timers, the list of sessions with something to send, and reusable
/// buffers.
///
/// It is `@unchecked Sendable` because servers hand it to its loop. Except for its constants it is used only on that
/// loop, and that is asserted.
package final class EngineLoop: @unchecked Sendable {
    package let eventLoop: any EventLoop
    package let timers: TimingWheel
    let metrics: EngineMetrics
    let webSocketRules: WebSocketRules
    /// The rules for connections that have agreed on compression.
    let compressingRules: WebSocketRules
    let compression: LoopCompression
    /// How long a peer may take to answer a close frame.
    let closeTimeout: TimeAmount
    let maxControlPackets: Int?
    /// Which pages of other origins may read answers; it may change while the server runs.
    var cors: CORSConfiguration?
    /// The size from which on answers to polls may be compressed.
    let compressionThreshold: Int

    /// The buffer into which payloads are unmasked.
    ///
    /// It is here while no read is being handled.
    @exclusivity(unchecked) private var payloadBuffer: ByteBuffer?
    /// The buffer into which every WebSocket of this loop is read.
    ///
    /// It is here while no read is in progress.
    @exclusivity(unchecked) private var receiveBuffer: ByteBuffer?
    static let receiveBufferSize = 65_536
    /// The buffer in which the packets of one write are joined.
    ///
    /// It is here while no session uses it.
    @exclusivity(unchecked) private var sendBuffer: ByteBuffer?

    /// The buffer for answers to requests.
    ///
    /// It is here while no answer is being written.
    private var answerBuffer: ByteWriter?
    /// A buffer that one long answer has made larger than this is not kept.
    private static let largestAnswerBuffer = 131_072

    /// The frames that are being written for a single client.
    let direct = DirectFrames()
    /// The session whose bytes are being handled.
    @exclusivity(unchecked) var reading: ObjectIdentifier?

    var polling = TrafficCounts()
    @exclusivity(unchecked) var webSocket = TrafficCounts()
    /// The bytes that wait to be sent.
    let queued: LoopBudget
    /// The bytes that have arrived and wait for their rest, or for a handler.
    let requests: LoopBudget
    /// The part of them that the metrics know.
    private var reportedQueuedBytes = 0
    private var reportedRequestBytes = 0
    package var timerLinks = TimerLinks()
    private static let reportInterval = TimeAmount.seconds(1)

    private var dirty: [EngineSession] = []
    private var isFlushScheduled = false

    /// The connections that have not become WebSockets.
    var connections: [ObjectIdentifier: HTTPConnection] = [:]
    /// Those of them for which there is no room, the oldest first.
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
        // A late ping makes its timeout late. So short intervals need finer ticks, and long intervals need fewer
        // wake-ups.
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
        self.cors = configuration.cors
        self.compression = LoopCompression(configuration, eventLoop: eventLoop)
        self.closeTimeout = configuration.limits.closeTimeout
        self.compressionThreshold = configuration.httpCompression?.threshold ?? .max
        self.maxControlPackets = configuration.limits.maxControlPacketsPerSecond
    }

    // MARK: The end of the tick

    /// Flushes the session when the loop has done everything that is due.
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
        // The array is used again, unless a flush has sent something.
        sessions.removeAll(keepingCapacity: sessions.count <= 4096)
        if self.dirty.isEmpty { swap(&sessions, &self.dirty) }
    }

    // MARK: Buffers

    /// The buffer to read into.
    ///
    /// It comes back with ``giveBack(_:)``.
    func takeReceiveBuffer() -> ByteBuffer {
        var buffer = self.receiveBuffer.take() ?? ByteBuffer()
        buffer.clear(minimumCapacity: Self.receiveBufferSize)
        return buffer
    }

    func giveBack(_ buffer: ByteBuffer) {
        self.receiveBuffer = buffer
        self.compression.shrink(to: Self.receiveBufferSize)
    }

    /// The buffer to unmask payloads into.
    ///
    /// It comes back with ``giveBack(payloadBuffer:)``.
    func takePayloadBuffer() -> ByteBuffer { self.payloadBuffer.take() ?? ByteBuffer() }

    /// Takes the buffer back, unless a big message has made it too big to be kept.
    func giveBack(payloadBuffer buffer: consuming ByteBuffer) {
        self.payloadBuffer = buffer.capacity > Self.receiveBufferSize ? nil : buffer
    }

    /// The buffer in which a write is joined.
    ///
    /// It comes back with ``giveBack(sendBuffer:)``.
    func takeSendBuffer() -> ByteBuffer { self.sendBuffer.take() ?? ByteBuffer() }

    /// Takes the buffer back.
    ///
    /// If the channel also holds it, the next use replaces it.
    func giveBack(sendBuffer buffer: ByteBuffer) { self.sendBuffer = buffer }

    /// The buffer to write an answer to.
    ///
    /// It comes back with ``giveBack(answerBuffer:)``.
    func takeAnswerBuffer() -> ByteWriter { self.answerBuffer.take() ?? ByteWriter(capacity: 1024) }

    func giveBack(answerBuffer buffer: consuming ByteWriter) {
        guard buffer.capacity <= Self.largestAnswerBuffer else { return }
        buffer.removeAll()
        self.answerBuffer = .some(buffer)
    }

    // MARK: Metrics

    /// Makes sure that the metrics get the counts within a second.
    func countsChanged() {
        guard !self.timerLinks.isScheduled else { return }
        self.timers.schedule(self, in: Self.reportInterval)
    }

    /// Gives the metrics what was counted since the last time.
    package func reportCounts() {
        self.polling.report(to: self.metrics.polling)
        self.webSocket.report(to: self.metrics.webSocket)
        self.report(self.queued, &self.reportedQueuedBytes, self.metrics.sendQueueBytes)
        self.report(self.requests, &self.reportedRequestBytes, self.metrics.requestBytes)
        // A channel tells nobody what it has sent, so there may be less the next time.
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

    /// The counter of a kind of bytes.
    func budget(_ kind: ByteBudget.Kind) -> LoopBudget {
        switch kind {
        case .queued: self.queued
        case .request: self.requests
        }
    }

    // MARK: The date

    /// The field `Date: Sat, 21 Nov 2026 05:12:39 GMT` with the end of its line, made once a second.
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
