import DequeModule
import NIOCore

/// What is subscribed, which confirmations are missing, and who gets a message.
///
/// A subscription is a list of patterns and channels of one owner. Names that several owners share are subscribed
/// until the last of them leaves.
struct SubscriptionTable<Handler> {
    struct Subscription {
        let id: Int
        let patterns: [String]
        let channels: [String]
        let handler: Handler
        /// Confirmations that Redis owes.
        var missing: Int
        /// Confirmed once on the connection of now.
        var isConfirmed: Bool { self.missing == 0 }
    }

    enum Event {
        case none
        case message(handlers: [Handler], RESPMessage)
        /// A message too long for the limits, or otherwise not what Redis sends.
        case unusable(RESPError)
        /// All patterns and channels of a subscription are confirmed.
        case confirmed(Int)
        /// Redis refused; after that the subscription is gone from the table, unless it was being restored.
        case refused(Int, RESPError)
        case violation(RESPError)
    }

    private enum Expected {
        /// So many pushes of one command.
        case confirmations(Int, of: Int)
        case departures(Int)
        case ping
    }

    private var subscriptions: [Subscription] = []
    private var expected = Deque<Expected>()
    private var byPattern: [ByteBuffer: [Handler]] = [:]
    private var byChannel: [ByteBuffer: [Handler]] = [:]
    /// RESP2 writes as an array what RESP3 writes as a push.
    var protocolVersion = 3

    var isEmpty: Bool { self.subscriptions.isEmpty }
    var isRestored: Bool { self.subscriptions.allSatisfy { $0.isConfirmed } }

    // MARK: Owners

    /// Adds a subscription, and returns the commands to send if `isConnected`; else ``restore()`` will.
    mutating func add(
        _ id: Int,
        patterns: [String],
        channels: [String],
        handler: Handler,
        isConnected: Bool
    ) -> [[String]] {
        self.subscriptions.append(
            Subscription(
                id: id,
                patterns: patterns,
                channels: channels,
                handler: handler,
                missing: patterns.count + channels.count
            )
        )
        self.index()
        return isConnected ? self.commands(forSubscriptionAt: self.subscriptions.count - 1) : []
    }

    /// Removes a subscription; what no other one shares is unsubscribed.
    mutating func remove(_ id: Int, isConnected: Bool) -> [[String]] {
        guard let index = self.subscriptions.firstIndex(where: { $0.id == id }) else { return [] }
        let removed = self.subscriptions.remove(at: index)
        self.index()
        guard isConnected else { return [] }
        let patterns = removed.patterns.filter { self.byPattern[ByteBuffer(string: $0)] == nil }
        let channels = removed.channels.filter { self.byChannel[ByteBuffer(string: $0)] == nil }
        var commands: [[String]] = []
        for (name, names) in [("PUNSUBSCRIBE", patterns), ("UNSUBSCRIBE", channels)] where !names.isEmpty {
            self.expected.append(.departures(names.count))
            commands.append([name] + names)
        }
        return commands
    }

    // MARK: Connection

    /// Subscribes everything again on a new connection, in the order in which it was added.
    mutating func restore() -> [[String]] {
        self.expected.removeAll(keepingCapacity: true)
        return self.subscriptions.indices.flatMap { index in
            self.subscriptions[index].missing =
                self.subscriptions[index].patterns.count + self.subscriptions[index].channels.count
            return self.commands(forSubscriptionAt: index)
        }
    }

    mutating func sentPing() {
        self.expected.append(.ping)
    }

    /// - Returns: The subscriptions that were not confirmed yet.
    mutating func disconnected() -> [Int] {
        self.expected.removeAll(keepingCapacity: false)
        return self.subscriptions.filter { !$0.isConfirmed }.map(\.id)
    }

    mutating func received(_ value: RESPValue) -> Event {
        switch value {
        case .push(let elements): return self.receivedPush(elements)
        case .array(let elements) where self.protocolVersion == 2: return self.receivedPush(elements)
        case .error(let error): return self.receivedError(error)
        default:
            guard case .ping = self.expected.first else {
                return .violation(.violation("Redis replied to a command that was not sent"))
            }
            self.expected.removeFirst()
            return .none
        }
    }

    // MARK: Messages

    private mutating func receivedPush(_ elements: [RESPValue]) -> Event {
        guard let kind = elements.first?.bytes else { return .unusable(.violation("a push without a kind")) }
        switch kind {
        case Self.message:
            guard elements.count == 3, let channel = elements[1].bytes else {
                return .unusable(.violation("a message without a channel"))
            }
            return self.message(elements[2], channel: channel, pattern: nil, handlers: self.byChannel[channel])
        case Self.patternMessage:
            guard elements.count == 4, let pattern = elements[1].bytes, let channel = elements[2].bytes else {
                return .unusable(.violation("a message without a channel"))
            }
            return self.message(elements[3], channel: channel, pattern: pattern, handlers: self.byPattern[pattern])
        case Self.subscribe, Self.patternSubscribe:
            return self.confirmed()
        case Self.unsubscribe, Self.patternUnsubscribe:
            guard case .departures(let missing) = self.expected.first else { return .none }
            if missing > 1 { self.expected[0] = .departures(missing - 1) } else { self.expected.removeFirst() }
            return .none
        case Self.pong:
            if case .ping = self.expected.first { self.expected.removeFirst() }
            return .none
        default:
            return .none
        }
    }

    private func message(
        _ payload: RESPValue,
        channel: ByteBuffer,
        pattern: ByteBuffer?,
        handlers: [Handler]?
    ) -> Event {
        if case .error(let error) = payload { return .unusable(error) }
        guard let bytes = payload.bytes else { return .unusable(.violation("a message that is no string")) }
        // Nobody: it was on its way when the last owner left.
        guard let handlers else { return .none }
        return .message(handlers: handlers, RESPMessage(channel: channel, pattern: pattern, payload: bytes))
    }

    private mutating func confirmed() -> Event {
        guard case .confirmations(let missing, let id) = self.expected.first else { return .none }
        if missing > 1 {
            self.expected[0] = .confirmations(missing - 1, of: id)
        } else {
            self.expected.removeFirst()
        }
        guard let index = self.subscriptions.firstIndex(where: { $0.id == id }), !self.subscriptions[index].isConfirmed
        else { return .none }
        self.subscriptions[index].missing -= 1
        return self.subscriptions[index].isConfirmed ? .confirmed(id) : .none
    }

    /// A command as a whole was refused: `NOPERM this user has no permissions to access one of the channels…`.
    private mutating func receivedError(_ error: RESPError) -> Event {
        guard let expected = self.expected.popFirst() else {
            return .violation(.violation("Redis replied to a command that was not sent"))
        }
        switch expected {
        case .confirmations(_, let id): return .refused(id, error)
        case .departures: return .none
        // Not even PING is allowed: but an error is a sign of life as well.
        case .ping: return .none
        }
    }

    // MARK: Helpers

    private mutating func commands(forSubscriptionAt index: Int) -> [[String]] {
        let subscription = self.subscriptions[index]
        var commands: [[String]] = []
        for (name, names) in [("PSUBSCRIBE", subscription.patterns), ("SUBSCRIBE", subscription.channels)]
        where !names.isEmpty {
            self.expected.append(.confirmations(names.count, of: subscription.id))
            commands.append([name] + names)
        }
        return commands
    }

    private mutating func index() {
        self.byPattern.removeAll(keepingCapacity: true)
        self.byChannel.removeAll(keepingCapacity: true)
        for subscription in self.subscriptions {
            for pattern in subscription.patterns {
                self.byPattern[ByteBuffer(string: pattern), default: []].append(subscription.handler)
            }
            for channel in subscription.channels {
                self.byChannel[ByteBuffer(string: channel), default: []].append(subscription.handler)
            }
        }
    }

    private static var message: ByteBuffer { Kinds.message }
    private static var patternMessage: ByteBuffer { Kinds.patternMessage }
    private static var subscribe: ByteBuffer { Kinds.subscribe }
    private static var patternSubscribe: ByteBuffer { Kinds.patternSubscribe }
    private static var unsubscribe: ByteBuffer { Kinds.unsubscribe }
    private static var patternUnsubscribe: ByteBuffer { Kinds.patternUnsubscribe }
    private static var pong: ByteBuffer { Kinds.pong }
}

/// The kinds of pushes.
///
/// A generic type can't store them itself.
private enum Kinds {
    static let message = ByteBuffer(string: "message")
    static let patternMessage = ByteBuffer(string: "pmessage")
    static let subscribe = ByteBuffer(string: "subscribe")
    static let patternSubscribe = ByteBuffer(string: "psubscribe")
    static let unsubscribe = ByteBuffer(string: "unsubscribe")
    static let patternUnsubscribe = ByteBuffer(string: "punsubscribe")
    static let pong = ByteBuffer(string: "pong")
}
