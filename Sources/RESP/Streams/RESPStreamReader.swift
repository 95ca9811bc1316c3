import NIOConcurrencyHelpers
public import NIOCore

/// Where to read a stream from.
public enum RESPStreamStart: Sendable, Hashable {
    /// Whatever is added from now on.
    case end
    /// Whatever comes after an entry.
    case after(RESPStreamID)
}

/// What a ``RESPStreamReader`` has to tell, on the client's event loop.
public enum RESPStreamEvent: Sendable {
    /// The connection stands, and reading goes on behind these places.
    ///
    /// Whoever wants to know whether something in between is lost finds in ``RESPStreamInfo`` what was trimmed.
    case started([RESPStreamPosition])
    /// Entries of one stream, in their order; the buffers are slices of what was read.
    case entries(stream: Int, [RESPStreamEntry])
    /// An entry that can't be used: it is longer than the limits allow. Reading goes on behind it.
    case unusable(stream: Int, RESPStreamID, RESPError)
    /// The connection is lost, or Redis refuses; it is tried again, and nothing is skipped.
    case interrupted(RESPError)
}

/// How far a stream has been read, and what Redis says of it.
public struct RESPStreamPosition: Sendable, Hashable {
    /// The stream's key.
    public var key: String
    /// The last entry that was read, or that was there when reading began.
    public var id: RESPStreamID
    /// `nil` if there is no such stream, which will be made with its first entry.
    public var info: RESPStreamInfo?
}

/// Reads streams on a connection of its own (`XREAD BLOCK`), over every reconnection, until ``cancel()``.
public final class RESPStreamReader: Sendable {
    /// The keys of the streams; events name a stream by its index here.
    public let keys: [String]
    private let onCancel: @Sendable () -> EventLoopFuture<Void>

    init(keys: [String], onCancel: @escaping @Sendable () -> EventLoopFuture<Void>) {
        self.keys = keys
        self.onCancel = onCancel
    }

    /// Ends it; returns when the handler will not be called any more.
    public func cancel() async { _ = try? await self.onCancel().get() }

    func cancelled() -> EventLoopFuture<Void> { self.onCancel() }
}

extension RESPClient {
    /// Reads streams from now on, on a connection of its own.
    ///
    /// The connection comes back after a loss as the client's own do, and goes on behind the last entry. It is no part of
    /// ``state``: ``RESPStreamEvent/started(_:)`` and ``RESPStreamEvent/interrupted(_:)`` tell of it.
    ///
    /// - Parameters:
    ///   - keys: The streams, at least one. In a Redis Cluster they have to lie in one slot.
    ///   - start: Where to begin, for all of them.
    ///   - count: How many entries to take of each at once.
    ///   - block: How long Redis keeps a question for which there is no entry; at most
    ///     ``RESPConfiguration/keepAliveInterval``, for while it waits nothing else shows that it is alive.
    ///   - handler: Called on ``eventLoop``: don't block. While it runs nothing more is read.
    /// - Returns: The reader, in force until it is cancelled or the client closed.
    public func readStreams(
        _ keys: [String],
        from start: RESPStreamStart = .end,
        count: Int = 100,
        block: TimeAmount = .seconds(5),
        handler: @escaping @Sendable (RESPStreamEvent) -> Void
    ) -> RESPStreamReader {
        let id = self.nextID()
        let eventLoop = self.eventLoop
        let core = self.core
        let block = max(.milliseconds(1), min(block, self.configuration.keepAliveInterval))
        eventLoop.execute {
            let cursor = StreamCursor(keys: keys, start: start, count: max(1, count), block: block)
            core.value.addReader(id, cursor, handler: handler)
        }
        return RESPStreamReader(keys: keys) {
            eventLoop.submit { core.value.removeReader(id) }
        }
    }
}
