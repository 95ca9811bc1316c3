import Foundation
import NIOConcurrencyHelpers
import NIOCore
import RESP
import RedisAdapters

/// A Redis in this process: what one node publishes, the others' handlers get, synchronously; and a record of it all.
final class InProcessRedis: Sendable {
    struct Command: Equatable, Sendable, CustomStringConvertible {
        var client: String
        var name: String
        var arguments: [String]
        var description: String { "\(self.client) \(self.name) \(self.arguments.joined(separator: " "))" }
    }

    struct State {
        var commands: [Command] = []
        var subscriptions: [(id: Int, subscription: InProcessSubscription)] = []
        var nextID = 0
        var countHandler: (@Sendable (Int) throws -> Int)?
        var countGate: (@Sendable () -> Bool)?
        var publishError: RESPError?
        var observers: [String: @Sendable (Bool) -> Void] = [:]
        /// Publishes wait here while set.
        var isMuted = false
    }

    private let state = NIOLockedValueBox(State())

    func bus(_ client: String, on eventLoop: any EventLoop) -> InProcessBus {
        InProcessBus(redis: self, client: client, eventLoop: eventLoop)
    }

    var commands: [Command] { self.state.withLockedValue { $0.commands } }

    /// The commands that are no subscriptions.
    var published: [Command] { self.commands.filter { ["PUBLISH", "SPUBLISH", "PUBSUB"].contains($0.name) } }

    func forgetCommands() { self.state.withLockedValue { $0.commands = [] } }

    /// Changes what `PUBSUB NUMSUB` answers.
    func setCount(_ handler: (@Sendable (Int) throws -> Int)?) {
        self.state.withLockedValue { $0.countHandler = handler }
    }

    /// Lets whoever asks `PUBSUB NUMSUB` wait until that is true.
    func setCountGate(_ gate: @escaping @Sendable () -> Bool) { self.state.withLockedValue { $0.countGate = gate } }

    var isCounting: Bool { self.state.withLockedValue { $0.countGate }?() ?? true }

    /// Makes publishing fail.
    func setPublishError(_ error: RESPError?) { self.state.withLockedValue { $0.publishError = error } }

    /// Nothing published from now on arrives.
    func mute(_ isMuted: Bool) { self.state.withLockedValue { $0.isMuted = isMuted } }

    /// Tells a node that it lost Redis, or has it back.
    func setAvailable(_ isAvailable: Bool, for client: String) {
        self.state.withLockedValue { $0.observers[client] }?(isAvailable)
    }

    func observe(_ client: String, _ handler: @escaping @Sendable (Bool) -> Void) {
        self.state.withLockedValue { $0.observers[client] = handler }
    }

    func log(_ client: String, _ name: String, _ arguments: [String]) {
        self.state.withLockedValue {
            $0.commands.append(Command(client: client, name: name, arguments: arguments))
        }
    }

    func publish(_ client: String, _ channel: String, _ message: ByteBuffer) throws(RESPError) {
        try self.publish(client, .plain(channel), message)
    }

    func publish(_ client: String, _ busChannel: BusChannel, _ message: ByteBuffer) throws(RESPError) {
        let channel = busChannel.name
        let (error, subscriptions) = self.state.withLockedValue { state in
            if state.publishError == nil {
                let name = busChannel.isSharded ? "SPUBLISH" : "PUBLISH"
                let command = Command(client: client, name: name, arguments: [channel, message.hexadecimal])
                state.commands.append(command)
            }
            return (state.publishError, state.isMuted ? [] : state.subscriptions.map(\.subscription))
        }
        if let error { throw error }
        let bytes = ByteBuffer(string: channel)
        for subscription in subscriptions {
            for pattern in subscription.patterns where !busChannel.isSharded && Self.matches(channel, pattern) {
                let message = RESPMessage(channel: bytes, pattern: ByteBuffer(string: pattern), payload: message)
                subscription.handler(message)
            }
            if subscription.channels.contains(busChannel) {
                subscription.handler(
                    RESPMessage(channel: bytes, payload: message, isSharded: busChannel.isSharded)
                )
            }
        }
    }

    /// Whether a pattern matches that ends with a star and has none before; a backslash takes a character as it is.
    private static func matches(_ channel: String, _ pattern: String) -> Bool {
        var prefix: [UInt8] = []
        var isEscaped = false
        for byte in pattern.utf8.dropLast() {
            if byte == UInt8(ascii: "\\"), !isEscaped {
                isEscaped = true
            } else {
                prefix.append(byte)
                isEscaped = false
            }
        }
        return channel.utf8.starts(with: prefix)
    }

    func subscribe(_ subscription: InProcessSubscription) -> Int {
        self.state.withLockedValue { state in
            state.nextID += 1
            state.subscriptions.append((state.nextID, subscription))
            return state.nextID
        }
    }

    func unsubscribe(_ id: Int) {
        self.state.withLockedValue { $0.subscriptions.removeAll { $0.id == id } }
    }

    /// Adds a channel to a subscription, or takes it away.
    func change(_ id: Int, _ channel: BusChannel, isSubscribed: Bool) {
        self.state.withLockedValue { state in
            guard let index = state.subscriptions.firstIndex(where: { $0.id == id }) else { return }
            state.subscriptions[index].subscription.channels.removeAll { $0 == channel }
            if isSubscribed { state.subscriptions[index].subscription.channels.append(channel) }
        }
    }

    /// How many subscribe a channel.
    func subscribers(of channel: BusChannel) -> Int {
        self.state.withLockedValue { state in
            state.subscriptions.count { $0.subscription.channels.contains(channel) }
        }
    }

    /// Counts subscribers; what a test has changed is the first number.
    ///
    /// The record has what official nodes ask: once before
    /// a question, and for one channel.
    func count(_ client: String, _ channels: [BusChannel], isConfirmation: Bool) throws -> [Int] {
        let first = channels[0]
        if !isConfirmation { self.log(client, "PUBSUB", [first.isSharded ? "SHARDNUMSUB" : "NUMSUB", first.name]) }
        var counts = channels.map { self.subscribers(of: $0) }
        if let handler = self.state.withLockedValue({ $0.countHandler }) { counts[0] = try handler(counts[0]) }
        return counts
    }
}

struct InProcessSubscription: Sendable {
    var patterns: [String]
    var channels: [BusChannel]
    var handler: @Sendable (RESPMessage) -> Void
}

struct InProcessBus: ClusterBus {
    let redis: InProcessRedis
    let client: String
    let eventLoop: any EventLoop

    private struct Cancellable: ClusterBusSubscription {
        let onCancel: @Sendable () -> Void
        func confirmed() async throws {}
        func cancel() async { self.onCancel() }
    }

    func publish(_ message: ByteBuffer, to channel: BusChannel) throws(RESPError) {
        try self.redis.publish("\(self.client).pub", channel, message)
    }

    func publish(
        _ messages: [(channel: BusChannel, message: ByteBuffer)],
        keeps: Bool,
        timeout: TimeAmount,
        completion: @escaping @Sendable (RESPPublishOutcome) -> Void
    ) {
        do throws(RESPError) {
            for (channel, message) in messages { try self.publish(message, to: channel) }
            completion(.published)
        } catch {
            completion(keeps && error.code == .disconnected ? .queued : .refused(error))
        }
    }

    func missingRights(_ rights: [ClusterRight]) async throws -> [ClusterRight] { [] }

    func watchLink(probeChannel: String, peerChannel: BusChannel) -> any ClusterLinkWatch { Watch() }

    private struct Watch: ClusterLinkWatch {
        func proven() async throws {}
        func cancel() {}
    }

    func addSubscription(
        patterns: [String],
        channels: [BusChannel],
        handler: @escaping @Sendable (RESPMessage) -> Void
    ) -> any ClusterBusSubscription {
        let (plain, sharded) = (channels.filter { !$0.isSharded }, channels.filter(\.isSharded))
        if !patterns.isEmpty { self.redis.log("\(self.client).sub", "psubscribe", patterns) }
        if !plain.isEmpty { self.redis.log("\(self.client).sub", "subscribe", plain.map(\.name)) }
        for channel in sharded { self.redis.log("\(self.client).sub", "ssubscribe", [channel.name]) }
        let id = self.redis.subscribe(
            InProcessSubscription(patterns: patterns, channels: channels, handler: handler)
        )
        return Cancellable { [redis] in redis.unsubscribe(id) }
    }

    func addRoster(isSharded: Bool, handler: @escaping @Sendable (RESPMessage) -> Void) -> any ClusterBusRoster {
        let id = self.redis.subscribe(InProcessSubscription(patterns: [], channels: [], handler: handler))
        return InProcessRoster(redis: self.redis, client: "\(self.client).sub", id: id, isSharded: isSharded)
    }

    func onGap(_ handler: @escaping @Sendable () -> Void) -> @Sendable () -> Void { {} }

    func countSubscribers(
        of channels: [BusChannel],
        isConfirmation: Bool,
        completion: @escaping @Sendable (Result<[Int], RESPError>) -> Void
    ) {
        let count: Result<[Int], RESPError>
        do {
            count = .success(try self.redis.count("\(self.client).pub", channels, isConfirmation: isConfirmation))
        } catch {
            count = .failure(error as? RESPError ?? RESPError(code: .server, message: "\(error)"))
        }
        guard !self.redis.isCounting else { return completion(count) }
        // Ends when the test opens the gate.
        Task { [redis] in
            while !redis.isCounting { await Task.yield() }
            completion(count)
        }
    }

    func onAvailabilityChange(_ handler: @escaping @Sendable (Bool) -> Void) -> @Sendable () -> Void {
        self.redis.observe(self.client, handler)
        return {}
    }
}

/// Channels that come and go, at once.
struct InProcessRoster: ClusterBusRoster {
    let redis: InProcessRedis
    let client: String
    let id: Int
    let isSharded: Bool

    func insert(_ channel: String, heard: (@Sendable () -> Void)?) {
        if heard == nil { self.redis.log(self.client, self.isSharded ? "ssubscribe" : "subscribe", [channel]) }
        self.redis.change(self.id, BusChannel(name: channel, isSharded: self.isSharded), isSubscribed: true)
        heard?()
    }

    func remove(_ channel: String) {
        self.redis.log(self.client, self.isSharded ? "sunsubscribe" : "unsubscribe", [channel])
        self.redis.change(self.id, BusChannel(name: channel, isSharded: self.isSharded), isSubscribed: false)
    }

    func cancel() async { self.redis.unsubscribe(self.id) }
}

extension ByteBuffer {
    var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(2 * self.readableBytes)
        for byte in self.readableBytesView {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 0xF)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    init(hexadecimal text: String) {
        self.init()
        func value(_ digit: UInt8) -> UInt8 { digit < 0x3A ? digit & 0xF : (digit & 0xF) + 9 }
        let digits = Array(text.utf8)
        for index in stride(from: 0, to: digits.count - 1, by: 2) {
            self.writeInteger(value(digits[index]) << 4 | value(digits[index + 1]))
        }
    }
}
