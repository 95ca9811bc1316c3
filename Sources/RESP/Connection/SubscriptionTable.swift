import DequeModule
import NIOCore

/// What is subscribed, which confirmations are missing, and who gets a message.
///
/// A subscription is a list of patterns and channels of one owner. Names that several owners share are subscribed
/// until the last of them leaves. Whatever happens to a subscription costs as much as it has names, however many there
/// are; only a new connection looks at all of them.
package struct SubscriptionTable<Handler> {
    private struct Subscription {
        /// Its place among the others.
        let number: Int
        let patterns: [String]
        let channels: [String]
        /// Confirmations that Redis owes.
        var missing: Int
        /// Confirmed once on the connection of now.
        var isConfirmed: Bool { self.missing == 0 }
    }

    package enum Event {
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

    /// The handlers of those who share a name, in the order in which they came.
    private struct Owners {
        var ids: [Int] = []
        var handlers: [Handler] = []

        mutating func add(_ id: Int, _ handler: Handler) {
            self.ids.append(id)
            self.handlers.append(handler)
        }

        mutating func remove(_ id: Int) {
            for index in self.ids.indices.reversed() where self.ids[index] == id {
                self.ids.remove(at: index)
                self.handlers.remove(at: index)
            }
        }
    }

    private var subscriptions: [Int: Subscription] = [:]
    /// How many of them wait for confirmations.
    private var unconfirmed = 0
    private var nextNumber = 0
    private var expected = Deque<Expected>()
    private var byPattern: [ByteBuffer: Owners] = [:]
    private var byChannel: [ByteBuffer: Owners] = [:]
    /// RESP2 writes as an array what RESP3 writes as a push.
    var protocolVersion = 3

    /// An empty table.
    package init() {}

    var isEmpty: Bool { self.subscriptions.isEmpty }
    var isRestored: Bool { self.unconfirmed == 0 }

    // MARK: Owners

    /// Adds a subscription, and returns the commands to send if `isConnected`; else ``restore()`` will.
    package mutating func add(
        _ id: Int,
        patterns: [String],
        channels: [String],
        handler: Handler,
        isConnected: Bool
    ) -> [[String]] {
        let subscription = Subscription(
            number: self.nextNumber,
            patterns: patterns,
            channels: channels,
            missing: patterns.count + channels.count
        )
        self.nextNumber += 1
        self.subscriptions[id] = subscription
        if !subscription.isConfirmed { self.unconfirmed += 1 }
        for pattern in patterns { self.byPattern[ByteBuffer(string: pattern), default: Owners()].add(id, handler) }
        for channel in channels { self.byChannel[ByteBuffer(string: channel), default: Owners()].add(id, handler) }
        return isConnected ? self.commands(for: id, subscription) : []
    }

    /// Removes a subscription; what no other one shares is unsubscribed.
    package mutating func remove(_ id: Int, isConnected: Bool) -> [[String]] {
        guard let removed = self.subscriptions.removeValue(forKey: id) else { return [] }
        if !removed.isConfirmed { self.unconfirmed -= 1 }
        let patterns = removed.patterns.filter { Self.isLast(id, of: $0, in: &self.byPattern) }
        let channels = removed.channels.filter { Self.isLast(id, of: $0, in: &self.byChannel) }
        guard isConnected else { return [] }
        var commands: [[String]] = []
        for (name, names) in [("PUNSUBSCRIBE", patterns), ("UNSUBSCRIBE", channels)] where !names.isEmpty {
            self.expected.append(.departures(names.count))
            commands.append([name] + names)
        }
        return commands
    }

    /// Takes a name from an owner.
    ///
    /// - Returns: Whether nobody has it now.
    private static func isLast(_ id: Int, of name: String, in table: inout [ByteBuffer: Owners]) -> Bool {
        let name = ByteBuffer(string: name)
        table[name]?.remove(id)
        guard table[name]?.ids.isEmpty ?? true else { return false }
        table[name] = nil
        return true
    }

    // MARK: Connection

    /// Subscribes everything again on a new connection, in the order in which it was added.
    mutating func restore() -> [[String]] {
        self.expected.removeAll(keepingCapacity: true)
        self.unconfirmed = 0
        var commands: [[String]] = []
        for (id, var subscription) in self.subscriptions.sorted(by: { $0.value.number < $1.value.number }) {
            subscription.missing = subscription.patterns.count + subscription.channels.count
            if !subscription.isConfirmed { self.unconfirmed += 1 }
            self.subscriptions[id] = subscription
            commands += self.commands(for: id, subscription)
        }
        return commands
    }

    mutating func sentPing() {
        self.expected.append(.ping)
    }

    /// - Returns: The subscriptions that were not confirmed yet.
    mutating func disconnected() -> [Int] {
        self.expected.removeAll(keepingCapacity: false)
        return self.subscriptions.filter { !$0.value.isConfirmed }.map(\.key)
    }

    package mutating func received(_ value: RESPValue) -> Event {
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
            let handlers = self.byChannel[channel]?.handlers
            return self.message(elements[2], channel: channel, pattern: nil, handlers: handlers)
        case Self.patternMessage:
            guard elements.count == 4, let pattern = elements[1].bytes, let channel = elements[2].bytes else {
                return .unusable(.violation("a message without a channel"))
            }
            let handlers = self.byPattern[pattern]?.handlers
            return self.message(elements[3], channel: channel, pattern: pattern, handlers: handlers)
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
        guard var subscription = self.subscriptions[id], !subscription.isConfirmed else { return .none }
        subscription.missing -= 1
        self.subscriptions[id] = subscription
        guard subscription.isConfirmed else { return .none }
        self.unconfirmed -= 1
        return .confirmed(id)
    }

    /// A command as a whole was refused: `NOPERM this user has no permissions to access one of the channels…`.
    private mutating func receivedError(_ error: RESPError) -> Event {
        guard let expected = self.expected.popFirst() else {
            // It has something to say, then: better its words than ours.
            return .violation(error)
        }
        switch expected {
        case .confirmations(_, let id): return .refused(id, error)
        case .departures: return .none
        // Not even PING is allowed: but an error is a sign of life as well.
        case .ping: return .none
        }
    }

    // MARK: Helpers

    private mutating func commands(for id: Int, _ subscription: Subscription) -> [[String]] {
        var commands: [[String]] = []
        for (name, names) in [("PSUBSCRIBE", subscription.patterns), ("SUBSCRIBE", subscription.channels)]
        where !names.isEmpty {
            self.expected.append(.confirmations(names.count, of: id))
            commands.append([name] + names)
        }
        return commands
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
