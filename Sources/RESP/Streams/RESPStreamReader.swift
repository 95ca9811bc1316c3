import NIOConcurrencyHelpers
public import NIOCore

/// Where to read a stream from.
public enum RESPStreamStart: Sendable, Hashable {
    /// All entries that are added from now on.
    case end
    /// All entries behind that one.
    case after(RESPStreamID)
}

/// What a ``RESPStreamReader`` has to tell, on the client's event loop.
public enum RESPStreamEvent: Sendable {
    /// The connection stands, and reading goes on behind these places.
    ///
    /// ``RESPStreamInfo`` tells whether entries were removed meanwhile.
    case started([RESPStreamPosition])
    /// Entries of one stream, in their order; the buffers are slices of what was read.
    case entries(stream: Int, [RESPStreamEntry])
    /// An entry is longer than the limits allow, so it can't be used; reading goes on behind it.
    case unusable(stream: Int, RESPStreamID, RESPError)
    /// The connection is lost, or Redis refuses; the client tries again, and skips nothing.
    case interrupted(RESPError)
}

/// How far a stream has been read, and what Redis says about it.
public struct RESPStreamPosition: Sendable, Hashable {
    /// The stream's key.
    public var key: String
    /// The last entry that was read, or that was there when reading began.
    public var id: RESPStreamID
    /// `nil` if there is no such stream yet.
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
    /// After a loss the connection comes back like the client's own ones, and reading goes on behind the last entry.
    /// The connection is no part of ``state``: ``RESPStreamEvent/started(_:)`` and ``RESPStreamEvent/interrupted(_:)``
    /// tell of it.
    ///
    /// - Parameters:
    ///   - keys: The streams, at least one. In a Redis Cluster they have to lie in one slot.
    ///   - start: Where to begin, for all of them.
    ///   - count: How many entries to take of each at once.
    ///   - block: How long Redis waits for entries before it answers that there are none. It is at most
    ///     ``RESPConfiguration/keepAliveInterval``, because a Redis that waits does not show that it is alive.
    ///   - handler: Called on ``eventLoop``, so it must not block. While it runs, nothing more is read.
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
