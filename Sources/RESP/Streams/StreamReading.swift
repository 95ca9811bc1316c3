import DequeModule
import Logging
import Metrics
import NIOCore

/// A connection that does nothing but wait for entries of streams; confined to its loop.
///
/// While Redis waits for entries, it answers no question of the keep-alive. It never waits for longer than the interval
/// of the keep-alive, and answers the question after that.
final class StreamReading {
    private enum Expected {
        case info(Int)
        case entries
        case question
    }

    private let eventLoop: any EventLoop
    private let connection: RESPConnection
    private let logger: Logger
    private let metrics: RESPMetrics
    private let handler: @Sendable (RESPStreamEvent) -> Void
    private var cursor: StreamCursor
    private var expected = Deque<Expected>()
    private var question = RoleQuestion()
    private var isClosed = false
    /// Whether the handler knows that nothing is read.
    private var isInterrupted = false

    init(
        cursor: StreamCursor,
        eventLoop: any EventLoop,
        connection: RESPConnection,
        logger: Logger,
        metrics: RESPMetrics,
        handler: @escaping @Sendable (RESPStreamEvent) -> Void
    ) {
        self.cursor = cursor
        self.eventLoop = eventLoop
        self.connection = connection
        self.logger = logger
        self.metrics = metrics
        self.handler = handler
        connection.owner = self
    }

    func start() { self.connection.start() }

    func close() {
        self.isClosed = true
        self.connection.close()
    }

    private func read() {
        self.expected.append(.entries)
        self.connection.write([self.cursor.readCommand])
    }

    private func received(entries reply: RESPValue) {
        do throws(RESPError) {
            for event in try self.cursor.received(reply) {
                // A handler may cancel in the middle.
                guard !self.isClosed else { return }
                switch event {
                case .entries(let stream, let entries): self.handler(.entries(stream: stream, entries))
                case .unusable(let stream, let id, let error):
                    self.metrics.unusableMessages.increment()
                    self.handler(.unusable(stream: stream, id, error))
                }
            }
            if !self.isClosed, self.connection.isReady { self.read() }
        } catch {
            self.connection.fail(error)
        }
    }
}

extension StreamReading: RESPConnectionOwner {
    func connection(_ connection: RESPConnection, restoreWithProtocolVersion version: Int) {
        self.question.connected(protocolVersion: version)
        self.expected.removeAll()
        for stream in self.cursor.keys.indices { self.expected.append(.info(stream)) }
        connection.write(self.cursor.infoCommands)
        if self.expected.isEmpty { connection.restored() }
    }

    func connectionBecameReady(_ connection: RESPConnection) {
        self.isInterrupted = false
        self.handler(.started(self.cursor.positions))
        if !self.isClosed, !self.cursor.keys.isEmpty { self.read() }
    }

    func connection(_ connection: RESPConnection, received value: RESPValue) {
        if case .push = value { return }
        switch self.expected.popFirst() {
        case .info(let stream):
            do throws(RESPError) {
                try self.cursor.received(info: value, of: stream)
                if self.expected.isEmpty { connection.restored() }
            } catch {
                connection.fail(error)
            }
        case .entries: self.received(entries: value)
        case .question:
            if let refusal = self.question.answered(value).refusal { connection.fail(refusal) }
        case nil:
            if case .error(let error) = value { return connection.fail(error) }
            connection.fail(.violation("Redis replied to a command that was not sent"))
        }
    }

    func connectionReadAll(_ connection: RESPConnection) {}

    func keepAliveQuestion(of connection: RESPConnection) -> [String] {
        self.expected.append(.question)
        return self.question.words
    }

    func isExcused(_ connection: RESPConnection, at now: NIODeadline) -> Bool { false }

    func connection(_ connection: RESPConnection, lost error: RESPError, wasReady: Bool, retryIn pause: TimeAmount?) {
        guard !self.isClosed else { return }
        self.expected.removeAll()
        if error.code == .protocolViolation { self.cursor.replyWasTooLong() }
        if wasReady { self.metrics.streamReconnects.increment() }
        self.logger.debug(
            "Reading streams was interrupted",
            metadata: ["redis.connection": "\(connection.role)", "error": "\(error.brief)"]
        )
        guard !self.isInterrupted else { return }
        self.isInterrupted = true
        self.handler(.interrupted(error))
    }

    func wakeAt(of connection: RESPConnection) -> NIODeadline { .distantFuture }

    func connectionTimerFired(_ connection: RESPConnection, at now: NIODeadline) {}
}

/// The readers of streams.
extension ClientCore {
    func addReader(_ id: Int, _ cursor: StreamCursor, handler: @escaping @Sendable (RESPStreamEvent) -> Void) {
        guard !self.isClosed else { return handler(.interrupted(CommandQueue.closedError)) }
        let reading = StreamReading(
            cursor: cursor,
            eventLoop: self.eventLoop,
            connection: self.makeConnection("streams", true, true),
            logger: self.logger,
            metrics: self.metrics,
            handler: handler
        )
        self.readers[id] = reading
        reading.start()
    }

    func removeReader(_ id: Int) {
        self.readers.removeValue(forKey: id)?.close()
    }
}
