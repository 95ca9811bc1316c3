package import NIOCore
package import RESP

/// Carries messages between nodes: Redis, or in tests an object that can be watched.
package protocol ClusterBus: Sendable {
    /// The loop on which messages arrive.
    var eventLoop: any EventLoop { get }

    /// Publishes, or keeps for later, without waiting.
    ///
    /// - Throws: ``RESPError`` if it was not taken.
    func publish(_ message: ByteBuffer, to channel: BusChannel) throws(RESPError)

    /// Publishes messages, all or none, and tells their outcome.
    ///
    /// - Parameters:
    ///   - messages: Channels and messages, in order; the channels are all of one kind.
    ///   - keeps: Whether they may wait for a bus that is away.
    ///   - timeout: How long to wait for the bus.
    ///   - completion: Called once, with the worst of the outcomes.
    func publish(
        _ messages: [(channel: BusChannel, message: ByteBuffer)],
        keeps: Bool,
        timeout: TimeAmount,
        completion: @escaping @Sendable (RESPPublishOutcome) -> Void
    )

    /// Which rights are missing.
    ///
    /// - Returns: The rights that are certainly missing.
    /// - Throws: `RESPError` if that can't be found out now.
    func missingRights(_ rights: [ClusterRight]) async throws -> [ClusterRight]

    /// Proves from now on that messages arrive, and watches the number of subscribers of a channel.
    func watchLink(probeChannel: String, peerChannel: BusChannel) -> any ClusterLinkWatch

    /// Subscribes until the subscription is cancelled, over every loss of the connection.
    func addSubscription(
        patterns: [String],
        channels: [BusChannel],
        handler: @escaping @Sendable (RESPMessage) -> Void
    ) -> any ClusterBusSubscription

    /// Makes a list of channels that may be subscribed and left many times a second.
    func addRoster(isSharded: Bool, handler: @escaping @Sendable (RESPMessage) -> Void) -> any ClusterBusRoster

    /// Counts the connections that subscribe channels by their names, all at one moment; the completion is called once.
    ///
    /// - Parameters:
    ///   - channels: Not empty; all of one kind.
    ///   - isConfirmation: Whether this is only to see that an earlier count still holds.
    ///   - completion: As many numbers as there are channels.
    func countSubscribers(
        of channels: [BusChannel],
        isConfirmation: Bool,
        completion: @escaping @Sendable (Result<[Int], RESPError>) -> Void
    )

    /// Calls the handler with `false` when the bus is lost, and with `true` when everything is subscribed again.
    ///
    /// - Returns: A closure that ends that.
    func onAvailabilityChange(_ handler: @escaping @Sendable (Bool) -> Void) -> @Sendable () -> Void

    /// Calls the handler when messages of subscriptions may have been missed, though the bus is there.
    ///
    /// - Returns: A closure that ends that.
    func onGap(_ handler: @escaping @Sendable () -> Void) -> @Sendable () -> Void
}

/// A channel of Redis.
package struct BusChannel: Sendable, Hashable {
    package var name: String
    /// Whether it lives in one slot of a Redis Cluster (`SPUBLISH`, `SSUBSCRIBE`).
    package var isSharded: Bool

    package init(name: String, isSharded: Bool) {
        self.name = name
        self.isSharded = isSharded
    }

    /// A channel that every node of a Redis Cluster knows.
    package static func plain(_ name: String) -> BusChannel { BusChannel(name: name, isSharded: false) }
    /// A channel that lives in one slot.
    package static func sharded(_ name: String) -> BusChannel { BusChannel(name: name, isSharded: true) }
}

/// A subscription of a ``ClusterBus``.
package protocol ClusterBusSubscription: Sendable {
    /// Returns when everything is subscribed for the first time.
    func confirmed() async throws
    /// Returns when the handler will not be called any more.
    func cancel() async
}

/// Channels that come and go.
package protocol ClusterBusRoster: Sendable {
    /// Subscribes to a channel; once, however often it is called.
    ///
    /// `heard` is called once: when the bus has confirmed it, or can't now.
    func insert(_ channel: String, heard: (@Sendable () -> Void)?)
    /// Leaves a channel.
    func remove(_ channel: String)
    /// Returns when the handler will not be called any more.
    func cancel() async
}

/// A wish for proof that a bus's link works.
package protocol ClusterLinkWatch: Sendable {
    /// Returns when a message has come back for the first time.
    func proven() async throws
    /// Ends it; once.
    func cancel()
}
