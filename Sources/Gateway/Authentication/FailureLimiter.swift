import EngineIO
import NIOCore

/// Counts who failed to authenticate too often.
///
/// Each failure fills the bucket of its address, and the bucket empties with time: nothing else empties it. What counts
/// as one address is what one customer gets: an IPv4 address, however it is written, or the 64 bits of an IPv6 network.
struct FailureLimiter: Sendable {
    /// More addresses than this are not remembered.
    static let capacity = 50_000

    private enum Address: Hashable, Sendable {
        case group(AddressGroup)
        /// What is no address, such as a Unix domain socket.
        case unreadable
    }

    /// How many failures a bucket holds.
    private let maximum: Int
    /// How long it takes until one failure has drained.
    private let drain: UInt64
    /// When each bucket will be empty, in nanoseconds of the clock that is passed in.
    private var emptyAt: [Address: UInt64] = [:]

    /// - Parameters:
    ///   - maximum: Failures allowed at once; the next ones are too many.
    ///   - length: How long it takes until so many failures are forgotten.
    init(maximum: Int, length: TimeAmount) {
        self.maximum = max(1, maximum)
        self.drain = UInt64(max(1, length.nanoseconds)) / UInt64(self.maximum)
    }

    /// Counts a failure.
    ///
    /// - Returns: Whether it was one too many. Those fill nothing any more: who goes on waits no longer than who stops.
    mutating func failed(_ address: String, at now: NIODeadline) -> Bool {
        let address = Self.group(of: address)
        let now = now.uptimeNanoseconds
        let empty = max(self.emptyAt[address] ?? 0, now)
        guard empty - now <= self.drain * UInt64(self.maximum - 1) else { return true }
        if self.emptyAt[address] == nil, self.emptyAt.count >= Self.capacity { self.prune(at: now) }
        self.emptyAt[address] = empty + self.drain
        return false
    }

    /// How many addresses are remembered.
    var count: Int { self.emptyAt.count }

    private static func group(of text: String) -> Address {
        IPAddress(text).map { .group(AddressGroup($0)) } ?? .unreadable
    }

    private mutating func prune(at now: UInt64) {
        self.emptyAt = self.emptyAt.filter { $0.value > now }
        // An attack from many addresses. Those with the fewest failures go, and many at once, so that this is seldom.
        guard self.emptyAt.count > Self.capacity / 2 else { return }
        let middle = self.emptyAt.values.sorted()[self.emptyAt.count / 2]
        self.emptyAt = self.emptyAt.filter { $0.value > middle }
    }
}
