import NIOCore

import struct EngineIO.AddressGroup
import struct EngineIO.IPAddress

/// Finds addresses that fail to authenticate too often.
///
/// Each failure fills the bucket of its address. Only time empties the bucket. One address is what a provider gives to
/// one customer: an IPv4 address, however it is written, or the 64 bits of an IPv6 network.
struct FailureLimiter: Sendable {
    /// The most addresses that are remembered.
    static let capacity = 50_000

    private enum Address: Hashable, Sendable {
        case group(AddressGroup)
        /// Everything that is no address, such as a Unix domain socket.
        case unreadable
    }

    /// How many failures a bucket holds.
    private let maximum: Int
    /// How long it takes until one failure has drained.
    private let drain: UInt64
    /// When each bucket will be empty, in nanoseconds of the clock that is passed in.
    private var emptyAt: [Address: UInt64] = [:]

    /// - Parameters:
    ///   - maximum: How many failures are allowed at once. The next one is too many.
    ///   - length: How long it takes until that many failures are forgotten.
    init(maximum: Int, length: TimeAmount) {
        self.maximum = max(1, maximum)
        self.drain = UInt64(max(1, length.nanoseconds)) / UInt64(self.maximum)
    }

    /// Counts a failure.
    ///
    /// - Returns: Whether it was one too many. Such failures do not fill the bucket any more, so a client that goes on
    ///   waits no longer than one that stops.
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
        // This is an attack from many addresses. Those with the fewest failures are forgotten, many at once, so that it
        // happens seldom.
        guard self.emptyAt.count > Self.capacity / 2 else { return }
        let middle = self.emptyAt.values.sorted()[self.emptyAt.count / 2]
        self.emptyAt = self.emptyAt.filter { $0.value > middle }
    }
}
