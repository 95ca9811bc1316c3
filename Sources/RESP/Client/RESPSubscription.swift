package import NIOCore

/// Patterns and channels that a ``RESPClient`` keeps subscribed until ``cancel()``, also after it has connected again.
public final class RESPSubscription: Sendable {
    /// The patterns, subscribed with `PSUBSCRIBE`.
    public var patterns: [String] { self.names.pattern }
    /// The channels, subscribed with `SUBSCRIBE`.
    public var channels: [String] { self.names.channel }
    /// The sharded channels, subscribed with `SSUBSCRIBE`.
    public var shardedChannels: [String] { self.names.shardedChannel }
    private let names: PerKind<[String]>
    /// Ends as ``confirmed()`` does.
    package let confirmation: EventLoopFuture<Void>
    let onCancel: @Sendable () -> EventLoopFuture<Void>

    init(
        names: PerKind<[String]>,
        confirmation: EventLoopFuture<Void>,
        onCancel: @escaping @Sendable () -> EventLoopFuture<Void>
    ) {
        self.names = names
        self.confirmation = confirmation
        self.onCancel = onCancel
    }

    /// Waits until Redis has confirmed everything for the first time.
    ///
    /// - Throws: ``RESPError`` if Redis refused. Then the subscription is cancelled. It also throws if there was no
    ///   connection, or the connection was lost first. Then the subscription stays, and takes effect when Redis is
    ///   back.
    public func confirmed() async throws { try await self.confirmation.get() }

    /// Ends the subscription, and returns when the handler will not be called any more.
    public func cancel() async { _ = try? await self.onCancel().get() }
}
