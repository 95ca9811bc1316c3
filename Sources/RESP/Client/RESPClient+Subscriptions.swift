import NIOConcurrencyHelpers
import NIOCore

/// Messages.
extension RESPClient {
    /// Subscribes patterns (`PSUBSCRIBE`) and channels (`SUBSCRIBE`, `SSUBSCRIBE`), and returns when Redis has confirmed
    /// all of them.
    ///
    /// - Parameters:
    ///   - patterns: Redis globs. They are subscribed before the channels.
    ///   - channels: Names of channels.
    ///   - shardedChannels: Names of channels that live in one slot of a Redis Cluster. They need Redis 7 or later.
    ///   - handler: Called on ``eventLoop`` for each message, so it must not block. A message that matches a pattern
    ///     and a channel comes twice, because Redis sends it twice.
    /// - Returns: The subscription. It is in force until you cancel it.
    /// - Throws: ``RESPError``. Then nothing is subscribed.
    public func subscribe(
        patterns: [String] = [],
        channels: [String] = [],
        shardedChannels: [String] = [],
        handler: @escaping @Sendable (RESPMessage) -> Void
    ) async throws -> RESPSubscription {
        let subscription = self.addSubscription(
            patterns: patterns,
            channels: channels,
            shardedChannels: shardedChannels,
            handler: handler
        )
        do {
            try await subscription.confirmed()
        } catch {
            await subscription.cancel()
            throw error
        }
        return subscription
    }

    /// Subscribes now, or when there is a connection, and does not wait; see ``RESPSubscription/confirmed()``.
    public func addSubscription(
        patterns: [String] = [],
        channels: [String] = [],
        shardedChannels: [String] = [],
        handler: @escaping @Sendable (RESPMessage) -> Void
    ) -> RESPSubscription {
        let id = self.nextID()
        let promise = self.eventLoop.makePromise(of: Void.self)
        let eventLoop = self.eventLoop
        let core = self.core
        let names = PerKind(pattern: patterns, channel: channels, shardedChannel: shardedChannels)
        eventLoop.execute { core.value.subscribe(id, names: names, handler: handler, confirmation: promise) }
        return RESPSubscription(names: names, confirmation: promise.futureResult) {
            eventLoop.submit { core.value.unsubscribe(id) }
        }
    }

    /// Makes a roster: names that are subscribed and left as they are wanted, many a second.
    ///
    /// - Parameters:
    ///   - kind: What kind of names.
    ///   - handler: Called on ``eventLoop`` for each message: don't block.
    /// - Returns: The roster, in force until it is cancelled, and without names.
    public func addRoster(
        of kind: RESPSubscriptionKind = .channel,
        handler: @escaping @Sendable (RESPMessage) -> Void
    ) -> RESPRoster {
        let id = self.nextID()
        let eventLoop = self.eventLoop
        let core = self.core
        let changes = NIOLockedValueBox(RosterChanges())
        eventLoop.execute { core.value.addRoster(id, kind: kind, handler: handler) }
        return RESPRoster(
            kind: kind,
            changes: changes,
            schedule: {
                eventLoop.execute { core.value.change(changes.withLockedValue { $0.take() }, ofRoster: id) }
            },
            onCancel: { eventLoop.submit { core.value.removeRoster(id) } }
        )
    }
}
