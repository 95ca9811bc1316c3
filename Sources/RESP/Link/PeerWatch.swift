import NIOCore

/// Counts the subscribers of the cluster's channels, and finds out after an outage whether they are back.
///
/// All clients lose Redis together, and come back a moment sooner or later. Those that are late do not get what is
/// published before they are back. So kept messages wait, within a bound, until as many clients are back as there were
/// before.
///
/// It is a value that takes events and returns what to do.
struct PeerWatch {
    private enum State: Equatable {
        case steady
        case interrupted
        /// It waits, and asks from time to time.
        case waiting(until: NIODeadline, askAt: NIODeadline)
    }

    /// The most channels that are counted.
    static let maximumChannels = 64

    private var state = State.steady
    private var channels: [(name: String, references: Int)] = []
    /// The last two counts of each channel.
    ///
    /// One count may be wrong because it was taken while the connections were breaking.
    private var counts: [(Int, Int)] = []
    /// The number of the list of channels, so that a count can be matched with its list.
    private(set) var version = 0
    private let patience: TimeAmount
    private static let pause = TimeAmount.milliseconds(100)

    /// - Parameter patience: How long to wait for the others.
    init(patience: TimeAmount) {
        self.patience = patience
    }

    var names: [String] { self.channels.map(\.name) }

    var isWaiting: Bool {
        switch self.state {
        case .waiting: true
        case .steady, .interrupted: false
        }
    }

    var wakeAt: NIODeadline {
        switch self.state {
        case .waiting(_, let askAt): askAt
        case .steady, .interrupted: .distantFuture
        }
    }

    // MARK: What is looked at

    mutating func add(_ channel: String) {
        if let index = self.index(of: channel) {
            self.channels[index].references += 1
        } else if self.channels.count < Self.maximumChannels {
            self.version += 1
            self.channels.append((channel, 1))
            self.counts.append((0, 0))
        }
    }

    mutating func remove(_ channel: String) {
        guard let index = self.index(of: channel) else { return }
        self.channels[index].references -= 1
        guard self.channels[index].references == 0 else { return }
        self.version += 1
        self.channels.remove(at: index)
        self.counts.remove(at: index)
    }

    private func index(of channel: String) -> Int? {
        self.channels.firstIndex { $0.name.utf8.elementsEqual(channel.utf8) }
    }

    // MARK: Events

    /// Redis was lost, and perhaps the others with it.
    mutating func interrupted() {
        self.state = .interrupted
    }

    /// Redis is back.
    ///
    /// - Returns: Whether to wait for the others.
    mutating func resumed(at now: NIODeadline) -> Bool {
        switch self.state {
        case .steady: return false
        case .waiting: return true
        case .interrupted:
            guard self.counts.contains(where: { max($0.0, $0.1) > 1 }) else {
                self.state = .steady
                return false
            }
            self.state = .waiting(until: now + self.patience, askAt: now)
            return true
        }
    }

    /// - Returns: Whether to count now.
    mutating func timerFired(at now: NIODeadline) -> Bool {
        guard case .waiting(let until, let askAt) = self.state, now >= askAt else { return false }
        // It asks again even without an answer. In that case the bound ends the waiting.
        self.state = .waiting(until: until, askAt: now + Self.pause)
        return true
    }

    enum Action: Equatable {
        case none
        /// The waiting is over. So many of the earlier subscribers are not back.
        case resume(missing: Int)
    }

    /// Redis has counted.
    ///
    /// - Parameters:
    ///   - reply: The reply to `PUBSUB NUMSUB`: after each channel its count, in the order of the question.
    ///   - version: The ``version`` at the time of the question.
    ///   - now: The time.
    /// - Returns: What to do.
    mutating func counted(_ reply: RESPValue, version: Int, at now: NIODeadline) -> Action {
        guard version == self.version, let counts = self.read(reply) else {
            // The bound also applies to clients that may not count.
            guard case .waiting(let until, _) = self.state, now >= until else { return .none }
            self.state = .steady
            return .resume(missing: 0)
        }
        guard case .waiting(let until, _) = self.state else {
            // A count during an outage does not tell how many to expect.
            if self.state == .steady { self.keep(counts) }
            return .none
        }
        let missing = zip(counts, self.counts).map { max($1.0, $1.1) - $0 }.max() ?? 0
        guard missing <= 0 || now >= until else { return .none }
        self.state = .steady
        self.keep(counts)
        self.keep(counts)
        return .resume(missing: max(0, missing))
    }

    /// Somebody else has counted the subscribers of a channel.
    mutating func noted(_ count: Int, of channel: String) {
        guard self.state == .steady, let index = self.index(of: channel) else { return }
        self.counts[index] = (self.counts[index].1, count)
    }

    private mutating func keep(_ counts: [Int]) {
        for index in counts.indices { self.counts[index] = (self.counts[index].1, counts[index]) }
    }

    private func read(_ reply: RESPValue) -> [Int]? {
        var counts: [Int] = []
        switch reply {
        case .array(let elements):
            for index in stride(from: 1, to: elements.count, by: 2) {
                guard let count = elements[index].integerValue else { return nil }
                counts.append(count)
            }
        case .map(let entries):
            for entry in entries {
                guard let count = entry.value.integerValue else { return nil }
                counts.append(count)
            }
        default: return nil
        }
        return counts.count == self.channels.count ? counts : nil
    }
}
