import NIOConcurrencyHelpers
public import NIOCore

/// What may wait for a Redis that is away.
extension RESPClient {
    /// Where a message is when ``publish(channel:message:)`` returns.
    public enum PublishStatus: Sendable, Hashable {
        /// It is on its way to Redis.
        case sent
        /// There is no connection. The client keeps the message, and sends it when Redis is back and the client's own
        /// subscriptions stand.
        case queued
    }

    /// Publishes, and does not wait for Redis.
    ///
    /// The client may take a message and then lose it, because the connection breaks before Redis has confirmed it, or
    /// because Redis refuses it. Then the client counts it in `redis_publishes_dropped_total`, logs it, and tells
    /// ``onPublishesDropped(_:)``. To know about one message, wait for `send("PUBLISH", …)`. To know about all so far,
    /// call ``flush(timeout:)``.
    ///
    /// - Throws: ``RESPError`` with the code `queueFull` or `closed` if the client has not taken the message.
    @discardableResult
    public func publish(channel: String, message: ByteBuffer) throws(RESPError) -> PublishStatus {
        try self.keep { queue throws(RESPError) in
            try queue.publish(channel: channel, message: message, now: self.eventLoop.now)
        }
    }

    /// Publishes to a channel that lives in one slot of a Redis Cluster (`SPUBLISH`, Redis 7 or later), without waiting.
    ///
    /// - Throws: ``RESPError`` `queueFull` or `closed`: it was not taken.
    @discardableResult
    public func publish(shardedChannel channel: String, message: ByteBuffer) throws(RESPError) -> PublishStatus {
        try self.keep { queue throws(RESPError) in
            try queue.publish(channel: channel, message: message, isSharded: true, now: self.eventLoop.now)
        }
    }

    /// Sends a command that may wait for Redis as a publish does, in the order of publishes, and calls back on
    /// ``eventLoop`` exactly once.
    ///
    /// - Parameters:
    ///   - command: Its name and arguments, such as `XADD` or `SET`.
    ///   - resends: What to do when the connection is lost before the reply: whether to send it again, so that it may be
    ///     executed twice, or else to give it up as ``RESPKeptOutcome/unconfirmed(_:)``.
    ///   - completion: What became of it. There is no deadline but the age of what is kept: see
    ///     ``RESPConfiguration/Queue``.
    /// - Returns: Whether it is on its way, or kept.
    /// - Throws: ``RESPError`` `queueFull` or `closed`: it was not taken, and nothing is called.
    @discardableResult
    public func keep(
        _ command: RESPCommand,
        resends: Bool = false,
        completion: @escaping @Sendable (RESPKeptOutcome) -> Void
    ) throws(RESPError) -> PublishStatus {
        let bytes = command.words.reduce(0) { $0 + $1.count }
        return try self.keep { queue throws(RESPError) in
            try queue.keep(.kept(resends: resends, completion), bytes: bytes, now: self.eventLoop.now) {
                $0.writeCommand(command)
            }
        }
    }

    private func keep(
        _ body: (inout CommandQueue) throws(RESPError) -> (isSent: Bool, schedule: Bool)
    ) throws(RESPError) -> PublishStatus {
        do throws(RESPError) {
            let (isSent, schedule) = try self.withQueue(body)
            if schedule { self.drainSoon() }
            return isSent ? .sent : .queued
        } catch {
            if error.code == .queueFull { self.refused(error) }
            throw error
        }
    }

    private func refused(_ error: RESPError) {
        let core = self.core
        self.eventLoop.execute { core.value.refusedPublish(error) }
    }

    /// Publishes all of some messages, or none, and returns when it is known what happens to them.
    ///
    /// - Parameters:
    ///   - messages: Channels and messages, in order.
    ///   - keeps: Whether they may wait for a Redis that is away or executes nothing now.
    ///   - timeout: How long to wait for Redis's replies.
    ///   - isSharded: Whether the channels are sharded ones.
    /// - Returns: The worst of what is known about them.
    package func publish(
        _ messages: [(channel: String, message: ByteBuffer)],
        keeps: Bool,
        timeout: TimeAmount,
        isSharded: Bool = false
    ) async -> RESPPublishOutcome {
        await withCheckedContinuation { continuation in
            self.publish(messages, keeps: keeps, timeout: timeout, isSharded: isSharded) {
                continuation.resume(returning: $0)
            }
        }
    }

    package func publish(
        _ messages: [(channel: String, message: ByteBuffer)],
        keeps: Bool,
        timeout: TimeAmount,
        isSharded: Bool = false,
        completion: @escaping @Sendable (RESPPublishOutcome) -> Void
    ) {
        guard !messages.isEmpty else { return completion(.published) }
        let ticket = PublishTicket(count: messages.count, keeps: keeps, completion: completion)
        do throws(RESPError) {
            let now = self.eventLoop.now
            let (isSent, schedule) = try self.withQueue { queue throws(RESPError) in
                try queue.publish(messages, ticket: ticket, timeout: timeout, isSharded: isSharded, now: now)
            }
            if schedule { self.drainSoon() }
            if !isSent { ticket.settle(.queued, count: messages.count) }
        } catch {
            if error.code == .queueFull { self.refused(error) }
            ticket.settle(.refused(error), count: messages.count)
        }
    }

    /// Waits until Redis has confirmed everything that was published before.
    ///
    /// - Throws: ``RESPError``. The code is `timeout` if that takes longer, for example because Redis is away. Kept
    ///   messages stay kept then. If a message was dropped since the last flush, the error has the reason.
    public func flush(timeout: TimeAmount? = nil) async throws {
        try await self.flushed(timeout: timeout).get()
    }

    func flushed(timeout: TimeAmount?) -> EventLoopFuture<Void> {
        let timeout = timeout ?? self.configuration.commandTimeout
        let promise = self.eventLoop.makePromise(of: Void.self)
        let mark = FlushMark(promise)
        do throws(RESPError) {
            let schedule = try self.withQueue { queue throws(RESPError) in
                try queue.send(RESPCommand("PING"), timeout: timeout, isHeld: true, now: self.eventLoop.now) { result in
                    mark.complete(result.map { _ in })
                }
            }
            if schedule { self.drainSoon() }
        } catch {
            mark.complete(.failure(error))
        }
        let timer = self.eventLoop.scheduleTask(in: timeout) {
            mark.complete(.failure(RESPError(code: .timeout, message: "Redis has not confirmed all publishes in time")))
        }
        return promise.futureResult.flatMapThrowing { [shared] in
            timer.cancel()
            let dropped = shared.withLockedValue { shared in
                defer { shared.droppedPublishes = 0 }
                return shared.droppedPublishes
            }
            guard dropped == 0 else {
                throw RESPError(code: .disconnected, message: "\(dropped) publishes were lost on their way to Redis")
            }
        }
    }

    /// Calls a handler with the number of messages that the client took and then lost, and with the reason.
    ///
    /// There is one handler. A new one replaces it.
    public func onPublishesDropped(_ handler: @escaping @Sendable (Int, RESPError) -> Void) {
        self.shared.withLockedValue { $0.dropHandler = handler }
    }
}

/// Completes a promise once.
///
/// The first caller decides.
private final class FlushMark: Sendable {
    private let promise: NIOLockedValueBox<EventLoopPromise<Void>?>

    init(_ promise: EventLoopPromise<Void>) { self.promise = NIOLockedValueBox(promise) }

    func complete(_ result: Result<Void, RESPError>) {
        let promise = self.promise.withLockedValue { promise in
            defer { promise = nil }
            return promise
        }
        promise?.completeWith(result.mapError { $0 as any Error })
    }
}
