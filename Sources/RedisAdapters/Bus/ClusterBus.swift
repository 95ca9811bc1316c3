package import NIOCore
package import RESP

/// What carries messages between nodes: Redis, or in tests something that can be watched.
package protocol ClusterBus: Sendable {
    /// Publishes, or keeps for later, without waiting.
    ///
    /// - Throws: ``RESPError``: it was not taken.
    func publish(channel: String, message: ByteBuffer) throws(RESPError)

    /// Subscribes until the subscription is cancelled, over every loss of the connection.
    func addSubscription(
        patterns: [String],
        channels: [String],
        handler: @escaping @Sendable (RESPMessage) -> Void
    ) -> any ClusterBusSubscription

    /// How many connections subscribe a channel by its name.
    func subscriberCount(of channel: String) async throws -> Int

    /// Calls the handler with `false` when the bus is lost, and with `true` when everything is subscribed again.
    ///
    /// - Returns: What ends that.
    func onAvailabilityChange(_ handler: @escaping @Sendable (Bool) -> Void) -> @Sendable () -> Void
}

/// A subscription of a ``ClusterBus``.
package protocol ClusterBusSubscription: Sendable {
    /// Returns when everything is subscribed for the first time.
    func confirmed() async throws
    /// Returns when the handler will not be called any more.
    func cancel() async
}

extension RESPSubscription: ClusterBusSubscription {}

/// A ``RESPClient`` as a bus.
struct RedisBus: ClusterBus {
    let client: RESPClient

    func publish(channel: String, message: ByteBuffer) throws(RESPError) {
        _ = try self.client.publish(channel: channel, message: message) as RESPClient.PublishStatus
    }

    func addSubscription(
        patterns: [String],
        channels: [String],
        handler: @escaping @Sendable (RESPMessage) -> Void
    ) -> any ClusterBusSubscription {
        self.client.addSubscription(patterns: patterns, channels: channels, handler: handler)
    }

    func subscriberCount(of channel: String) async throws -> Int {
        let reply = try await self.client.send("PUBSUB", "NUMSUB", .string(channel))
        // RESP2 and RESP3 alike: channel, count.
        guard let count = reply.arrayValue?.last?.integerValue ?? reply.mapValue?.first?.value.integerValue else {
            throw RESPError(code: .protocolViolation, message: "an answer to PUBSUB NUMSUB without a count")
        }
        return count
    }

    func onAvailabilityChange(_ handler: @escaping @Sendable (Bool) -> Void) -> @Sendable () -> Void {
        let observer = self.client.onStateChange { state in
            switch state {
            case .ready: handler(true)
            case .disconnected, .closed: handler(false)
            case .idle, .connecting: break
            }
        }
        return { observer.cancel() }
    }
}
