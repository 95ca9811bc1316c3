import NIOConcurrencyHelpers
import NIOCore
import RESP

@testable import RedisAdapters

/// A node's way to an ``InProcessStreams``.
struct InProcessStreamsBus: StreamsBus {
    let redis: InProcessStreams
    let client: String
    let base: InProcessBus

    var eventLoop: any EventLoop { self.base.eventLoop }

    private static let lost = RESPError(code: .disconnected, message: "lost")

    private var isAway: Bool { self.redis.state.withLockedValue { $0.away.contains(self.client) } }

    // MARK: Streams and keys

    private struct InProcessReader: StreamsBusReader {
        let onCancel: @Sendable () -> Void
        func cancel() async { self.onCancel() }
    }

    func readStreams(
        _ keys: [String],
        from start: RESPStreamStart,
        count: Int,
        block: TimeAmount,
        handler: @escaping @Sendable (RESPStreamEvent) -> Void
    ) -> any StreamsBusReader {
        var id = RESPStreamID(milliseconds: .max, sequence: .max)
        if case .after(let place) = start { id = place }
        let words =
            ["COUNT", "\(count)", "BLOCK", "\(block.nanoseconds / 1_000_000)", "STREAMS"] + keys + keys.map { _ in "$" }
        self.redis.redis.log("\(self.client).read", "XREAD", words)
        let number = self.redis.addReader {
            InProcessStreams.Reader(
                number: $0,
                client: self.client,
                keys: keys,
                count: count,
                block: block,
                eventLoop: self.eventLoop,
                handler: handler,
                cursor: keys.map { _ in id }
            )
        }
        return InProcessReader { [redis] in redis.removeReader(number) }
    }

    func keep(
        _ command: RESPCommand,
        completion: @escaping @Sendable (RESPKeptOutcome) -> Void
    ) throws(RESPError) -> RESPClient.PublishStatus {
        let sent = InProcessStreams.Sent(
            command: command.encodedWords,
            eventLoop: self.eventLoop,
            completion: completion
        )
        if let error = self.redis.state.withLockedValue({ $0.refused["keep"] }) { throw error }
        guard !self.isAway else {
            self.redis.state.withLockedValue { $0.sent[self.client, default: []].append(sent) }
            return .queued
        }
        self.redis.perform(sent, for: self.client)
        return .sent
    }

    func execute(
        _ commands: [RESPCommand],
        isTransaction: Bool,
        timeout: TimeAmount,
        completion: @escaping @Sendable (Result<[RESPValue], RESPError>) -> Void
    ) {
        guard !self.isAway else { return completion(.failure(Self.lost)) }
        let replies = commands.map { self.redis.execute("\(self.client).pub", $0.encodedWords) }
        self.eventLoop.execute { completion(.success(replies)) }
    }

    // MARK: Channels

    func publish(_ message: ByteBuffer, to channel: BusChannel) throws(RESPError) {
        try self.base.publish(message, to: channel)
    }

    func publish(
        _ messages: [(channel: BusChannel, message: ByteBuffer)],
        keeps: Bool,
        timeout: TimeAmount,
        completion: @escaping @Sendable (RESPPublishOutcome) -> Void
    ) {
        self.base.publish(messages, keeps: keeps, timeout: timeout, completion: completion)
    }

    func missingRights(_ rights: [ClusterRight]) async throws -> [ClusterRight] { [] }

    func watchLink(probeChannel: String, peerChannel: BusChannel) -> any ClusterLinkWatch {
        self.base.watchLink(probeChannel: probeChannel, peerChannel: peerChannel)
    }

    func addSubscription(
        patterns: [String],
        channels: [BusChannel],
        handler: @escaping @Sendable (RESPMessage) -> Void
    ) -> any ClusterBusSubscription {
        self.base.addSubscription(patterns: patterns, channels: channels, handler: handler)
    }

    func addRoster(isSharded: Bool, handler: @escaping @Sendable (RESPMessage) -> Void) -> any ClusterBusRoster {
        self.base.addRoster(isSharded: isSharded, handler: handler)
    }

    func countSubscribers(
        of channels: [BusChannel],
        isConfirmation: Bool,
        completion: @escaping @Sendable (Result<[Int], RESPError>) -> Void
    ) {
        self.base.countSubscribers(of: channels, isConfirmation: isConfirmation, completion: completion)
    }

    func onAvailabilityChange(_ handler: @escaping @Sendable (Bool) -> Void) -> @Sendable () -> Void {
        self.base.onAvailabilityChange(handler)
    }

    func onGap(_ handler: @escaping @Sendable () -> Void) -> @Sendable () -> Void { self.base.onGap(handler) }
}

extension RESPCommand {
    /// Its words as they are sent.
    var encodedWords: [ByteBuffer] {
        self.words.map { word in
            switch word {
            case .string(let text): ByteBuffer(string: text)
            case .bytes(let bytes): bytes
            case .int(let number): ByteBuffer(string: String(number))
            }
        }
    }
}
