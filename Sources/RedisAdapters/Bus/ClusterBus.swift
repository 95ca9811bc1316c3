package import NIOCore
package import RESP

/// What carries messages between nodes: Redis, or in tests something that can be watched.
package protocol ClusterBus: Sendable {
    /// The loop that messages arrive on.
    var eventLoop: any EventLoop { get }

    /// Publishes, or keeps for later, without waiting.
    ///
    /// - Throws: ``RESPError``: it was not taken.
    func publish(channel: String, message: ByteBuffer) throws(RESPError)

    /// Publishes messages, all or none, and says what becomes of them.
    ///
    /// - Parameters:
    ///   - messages: Channels and messages, in order.
    ///   - keeps: Whether they may wait for a bus that is away.
    ///   - timeout: How long to wait for the bus.
    ///   - completion: What is known of all of them: the worst; called once.
    func publish(
        _ messages: [(channel: String, message: ByteBuffer)],
        keeps: Bool,
        timeout: TimeAmount,
        completion: @escaping @Sendable (RESPPublishOutcome) -> Void
    )

    /// Which rights are missing.
    ///
    /// - Returns: Those of which it is known that they are.
    /// - Throws: `RESPError` if nothing can be known now.
    func missingRights(_ rights: [ClusterRight]) async throws -> [ClusterRight]

    /// Proves from now on that messages arrive, and looks after those who subscribe to a channel.
    func watchLink(probeChannel: String, peerChannel: String) -> any ClusterLinkWatch

    /// Subscribes until the subscription is cancelled, over every loss of the connection.
    func addSubscription(
        patterns: [String],
        channels: [String],
        handler: @escaping @Sendable (RESPMessage) -> Void
    ) -> any ClusterBusSubscription

    /// Counts the connections that subscribe a channel by its name; the completion is called once.
    func countSubscribers(of channel: String, completion: @escaping @Sendable (Result<Int, RESPError>) -> Void)

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

/// That somebody wants proof of a bus's link.
package protocol ClusterLinkWatch: Sendable {
    /// Returns when a message has come back for the first time.
    func proven() async throws
    /// Ends it; once.
    func cancel()
}

extension RESPLinkWatch: ClusterLinkWatch {}

/// A ``RESPClient`` as a bus.
struct RedisBus: ClusterBus {
    let client: RESPClient

    var eventLoop: any EventLoop { self.client.eventLoop }

    func publish(
        _ messages: [(channel: String, message: ByteBuffer)],
        keeps: Bool,
        timeout: TimeAmount,
        completion: @escaping @Sendable (RESPPublishOutcome) -> Void
    ) {
        self.client.publish(messages, keeps: keeps, timeout: timeout, completion: completion)
    }

    func missingRights(_ rights: [ClusterRight]) async throws -> [ClusterRight] {
        try await RightsCheck(client: self.client).missing(rights)
    }

    func watchLink(probeChannel: String, peerChannel: String) -> any ClusterLinkWatch {
        self.client.watchLink(probeChannel: probeChannel, peerChannel: peerChannel)
    }

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

    func countSubscribers(of channel: String, completion: @escaping @Sendable (Result<Int, RESPError>) -> Void) {
        self.client.send(RESPCommand("PUBSUB", "NUMSUB", .string(channel))) { [client] result in
            completion(
                result.flatMap { reply in
                    // RESP2 and RESP3 alike: channel, count.
                    let count = reply.arrayValue?.last?.integerValue ?? reply.mapValue?.first?.value.integerValue
                    guard let count else {
                        return .failure(
                            RESPError(code: .protocolViolation, message: "an answer to PUBSUB NUMSUB without a count")
                        )
                    }
                    client.notePeers(count, of: channel)
                    return .success(count)
                }
            )
        }
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
