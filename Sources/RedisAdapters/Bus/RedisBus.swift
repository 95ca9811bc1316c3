import NIOCore
import RESP

/// A ``RESPClient`` as a bus.
struct RedisBus: ClusterBus {
    let client: RESPClient

    var eventLoop: any EventLoop { self.client.eventLoop }

    func publish(_ message: ByteBuffer, to channel: BusChannel) throws(RESPError) {
        if channel.isSharded {
            try self.client.publish(shardedChannel: channel.name, message: message)
        } else {
            try self.client.publish(channel: channel.name, message: message)
        }
    }

    func publish(
        _ messages: [(channel: BusChannel, message: ByteBuffer)],
        keeps: Bool,
        timeout: TimeAmount,
        completion: @escaping @Sendable (RESPPublishOutcome) -> Void
    ) {
        self.client.publish(
            messages.map { ($0.channel.name, $0.message) },
            keeps: keeps,
            timeout: timeout,
            isSharded: messages.first?.channel.isSharded ?? false,
            completion: completion
        )
    }

    func missingRights(_ rights: [ClusterRight]) async throws -> [ClusterRight] {
        try await RightsCheck(client: self.client).missing(rights)
    }

    func watchLink(probeChannel: String, peerChannel: BusChannel) -> any ClusterLinkWatch {
        self.client.watchLink(
            probeChannel: probeChannel,
            peerChannel: peerChannel.name,
            peerChannelIsSharded: peerChannel.isSharded
        )
    }

    func addSubscription(
        patterns: [String],
        channels: [BusChannel],
        handler: @escaping @Sendable (RESPMessage) -> Void
    ) -> any ClusterBusSubscription {
        self.client.addSubscription(
            patterns: patterns,
            channels: channels.filter { !$0.isSharded }.map(\.name),
            shardedChannels: channels.filter(\.isSharded).map(\.name),
            handler: handler
        )
    }

    func addRoster(isSharded: Bool, handler: @escaping @Sendable (RESPMessage) -> Void) -> any ClusterBusRoster {
        RedisRoster(roster: self.client.addRoster(of: isSharded ? .shardedChannel : .channel, handler: handler))
    }

    func countSubscribers(
        of channels: [BusChannel],
        isConfirmation: Bool,
        completion: @escaping @Sendable (Result<[Int], RESPError>) -> Void
    ) {
        guard let first = channels.first else { return completion(.success([])) }
        var command = RESPCommand("PUBSUB", first.isSharded ? "SHARDNUMSUB" : "NUMSUB")
        for channel in channels { command.words.append(.string(channel.name)) }
        self.client.send(command) { [client] result in
            completion(
                result.flatMap { reply in
                    // RESP2 and RESP3 alike: channel, count, and so on.
                    let values = reply.arrayValue.map { values in
                        stride(from: 1, to: values.count, by: 2).map { values[$0] }
                    }
                    let counts = (values ?? reply.mapValue?.map(\.value))?.compactMap(\.integerValue)
                    guard let counts, counts.count == channels.count else {
                        let message = "an answer to PUBSUB NUMSUB without the counts of \(channels.count) channels"
                        return .failure(RESPError(code: .protocolViolation, message: message))
                    }
                    if !isConfirmation { client.notePeers(counts[0], of: first.name) }
                    return .success(counts)
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

    func onGap(_ handler: @escaping @Sendable () -> Void) -> @Sendable () -> Void {
        let observer = self.client.onGap { _ in handler() }
        return { observer.cancel() }
    }
}

extension RESPSubscription: ClusterBusSubscription {}
extension RESPLinkWatch: ClusterLinkWatch {}

private struct RedisRoster: ClusterBusRoster {
    let roster: RESPRoster

    func insert(_ channel: String, heard: (@Sendable () -> Void)?) {
        guard let heard else { return self.roster.insert(channel) }
        self.roster.insert(channel) { _ in heard() }
    }

    func remove(_ channel: String) { self.roster.remove(channel) }

    func cancel() async { await self.roster.cancel() }
}
