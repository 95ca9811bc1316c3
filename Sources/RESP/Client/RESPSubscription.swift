import NIOCore

/// Patterns and channels that a ``RESPClient`` keeps subscribed until ``cancel()``, over every reconnection.
public final class RESPSubscription: Sendable {
    /// The patterns, subscribed with `PSUBSCRIBE`.
    public let patterns: [String]
    /// The channels, subscribed with `SUBSCRIBE`.
    public let channels: [String]
    let confirmation: EventLoopFuture<Void>
    let onCancel: @Sendable () -> EventLoopFuture<Void>

    init(
        patterns: [String],
        channels: [String],
        confirmation: EventLoopFuture<Void>,
        onCancel: @escaping @Sendable () -> EventLoopFuture<Void>
    ) {
        self.patterns = patterns
        self.channels = channels
        self.confirmation = confirmation
        self.onCancel = onCancel
    }

    /// Waits until Redis has confirmed everything for the first time.
    ///
    /// - Throws: ``RESPError`` if Redis refused (the subscription is cancelled then), or if there was no connection or
    ///   it was lost first: in that case the subscription stands, and is made when Redis is back.
    public func confirmed() async throws { try await self.confirmation.get() }

    /// Ends it; returns when the handler will not be called any more.
    public func cancel() async { _ = try? await self.onCancel().get() }
}
