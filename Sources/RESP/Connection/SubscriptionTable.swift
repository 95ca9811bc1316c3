import DequeModule
package import NIOCore

/// What is subscribed, which confirmations are missing, and which handlers get a message.
///
/// A subscription is a list of patterns and channels of one owner. The channels of a roster come and go. Names that
/// several owners share are subscribed until the last owner leaves. A change of a subscription costs time for each of
/// its names. A change of a roster's name costs time for that name only. Only a new connection looks at all names.
package struct SubscriptionTable<Handler> {
    struct Subscription {
        /// Its place among the others.
        let number: Int
        let names: PerKind<[String]>
        /// Confirmations that Redis owes.
        var missing: Int
        /// Confirmed once on the connection of now.
        var isConfirmed: Bool { self.missing == 0 }

        var count: Int { RESPSubscriptionKind.allCases.reduce(0) { $0 + self.names[$1].count } }
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
        /// A name of a roster is confirmed.
        case heard(roster: Int, ByteBuffer)
        /// Redis refused a name of a roster, which is gone from the table.
        case refusedName(roster: Int, ByteBuffer, RESPError)
        /// Redis refused names together: they are asked for one by one with these bytes.
        case askedAgain(ByteBuffer)
        /// Redis ended a subscription by itself; these bytes ask for it again.
        case ended(ByteBuffer)
        /// What Redis had ended stands again.
        case mended(rosters: [Int], ByteBuffer)
        /// The connection is of no use: a name that was granted once is refused, or Redis executes nothing now.
        case unserved(RESPError)
        case violation(RESPError)
    }

    enum Expected {
        /// So many pushes of one command.
        case confirmations(Int, of: Int)
        case names(RosterCommand)
        /// A name whose subscription Redis had ended.
        case mending(RESPSubscriptionKind, ByteBuffer)
        /// Pushes for these names, from the `next` one on.
        case departures(RESPSubscriptionKind, [ByteBuffer], next: Int)
        case ping
    }

    /// The handlers of the owners that share a name, in the order in which they came.
    struct Owners {
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

    var subscriptions: [Int: Subscription] = [:]
    var rosters: [Int: Roster] = [:]
    /// How many subscriptions wait for confirmations.
    var unconfirmed = 0
    /// How many names of rosters are being restored.
    var restoringNames = 0
    var nextNumber = 0
    var expected = Deque<Expected>()
    var owners = PerKind<[ByteBuffer: Owners]>(pattern: [:], channel: [:], shardedChannel: [:])
    /// RESP2 writes as an array what RESP3 writes as a push.
    var protocolVersion = 3

    /// An empty table.
    package init() {}

    /// Whether nothing is subscribed, and nothing left behind.
    package var isEmpty: Bool {
        self.subscriptions.isEmpty && RESPSubscriptionKind.allCases.allSatisfy { self.owners[$0].isEmpty }
    }

    var isRestored: Bool { self.unconfirmed == 0 && self.restoringNames == 0 }

    // MARK: Owners

    /// Adds a subscription, and returns the commands to send if `isConnected`; else ``restore()`` will.
    package mutating func add(
        _ id: Int,
        patterns: [String],
        channels: [String],
        shardedChannels: [String] = [],
        handler: Handler,
        isConnected: Bool
    ) -> [[String]] {
        let names = PerKind(pattern: patterns, channel: channels, shardedChannel: shardedChannels)
        var subscription = Subscription(number: self.nextNumber, names: names, missing: 0)
        subscription.missing = subscription.count
        self.nextNumber += 1
        self.subscriptions[id] = subscription
        if !subscription.isConfirmed { self.unconfirmed += 1 }
        for kind in RESPSubscriptionKind.allCases {
            for name in names[kind] { self.owners[kind][ByteBuffer(string: name), default: Owners()].add(id, handler) }
        }
        return isConnected ? self.commands(for: id, subscription) : []
    }

    /// Removes a subscription; what no other one shares is unsubscribed.
    package mutating func remove(_ id: Int, isConnected: Bool) -> [[String]] {
        guard let removed = self.subscriptions.removeValue(forKey: id) else { return [] }
        if !removed.isConfirmed { self.unconfirmed -= 1 }
        var commands: [[String]] = []
        for kind in RESPSubscriptionKind.allCases {
            let names = removed.names[kind].filter { self.isLast(id, of: ByteBuffer(string: $0), kind) }
            guard isConnected, !names.isEmpty else { continue }
            self.expected.append(.departures(kind, names.map { ByteBuffer(string: $0) }, next: 0))
            commands.append([kind.unsubscribeCommand] + names)
        }
        return commands
    }

    /// Takes a name from an owner.
    ///
    /// - Returns: Whether no owner has it now.
    mutating func isLast(_ id: Int, of name: ByteBuffer, _ kind: RESPSubscriptionKind) -> Bool {
        guard let owners = self.owners[kind][name] else { return true }
        if owners.ids.count > 1 { self.owners[kind][name]?.remove(id) }
        guard owners.ids.count == 1 || self.owners[kind][name]?.ids.isEmpty == true else { return false }
        self.owners[kind][name] = nil
        return true
    }

    // MARK: Connection

    /// Subscribes everything but the rosters again on a new connection, in the order in which it was added.
    mutating func restore() -> [[String]] {
        self.expected.removeAll(keepingCapacity: true)
        self.unconfirmed = 0
        var commands: [[String]] = []
        for (id, var subscription) in self.subscriptions.sorted(by: { $0.value.number < $1.value.number }) {
            subscription.missing = subscription.count
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
        self.forgetConfirmedNames()
        return self.subscriptions.filter { !$0.value.isConfirmed }.map(\.key)
    }

    private mutating func commands(for id: Int, _ subscription: Subscription) -> [[String]] {
        var commands: [[String]] = []
        for kind in RESPSubscriptionKind.allCases where !subscription.names[kind].isEmpty {
            for names in Self.batches(subscription.names[kind], kind) {
                self.expected.append(.confirmations(names.count, of: id))
                commands.append([kind.subscribeCommand] + names)
            }
        }
        return commands
    }

    /// Which names go into one command.
    ///
    /// This is the place for a Redis Cluster, which wants the sharded channels of one command to lie in one slot.
    static func batches<Name>(_ names: [Name], _ kind: RESPSubscriptionKind) -> [ArraySlice<Name>] {
        stride(from: 0, to: names.count, by: namesPerCommand).map {
            names[$0..<min($0 + namesPerCommand, names.count)]
        }
    }
}

/// Redis executes one command at a time, and refuses the names of one together.
private let namesPerCommand = 1000
