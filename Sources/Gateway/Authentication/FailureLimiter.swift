import NIOCore

/// Makes an address wait that failed to authenticate too often.
struct FailureLimiter: Sendable {
    private struct Window: Sendable {
        var start: NIODeadline
        var failures: Int
    }

    /// More addresses than this are not remembered.
    static let capacity = 50_000

    private let maximum: Int
    private let length: TimeAmount
    private var windows: [String: Window] = [:]

    /// - Parameters:
    ///   - maximum: Failures allowed within a window, which starts at the first failure.
    ///   - length: The window's length.
    init(maximum: Int, length: TimeAmount) {
        self.maximum = maximum
        self.length = length
    }

    /// Whether an address has to wait until its window ends.
    func isBlocked(_ address: String, at now: NIODeadline) -> Bool {
        guard let window = self.windows[address], now < window.start + self.length else { return false }
        return window.failures > self.maximum
    }

    /// Counts a failure.
    ///
    /// - Returns: Whether it was one too many.
    mutating func failed(_ address: String, at now: NIODeadline) -> Bool {
        if var window = self.windows[address], now < window.start + self.length {
            window.failures += 1
            self.windows[address] = window
            return window.failures > self.maximum
        }
        if self.windows[address] == nil && self.windows.count >= Self.capacity { self.prune(at: now) }
        self.windows[address] = Window(start: now, failures: 1)
        return 1 > self.maximum
    }

    /// Forgets the failures of an address.
    mutating func succeeded(_ address: String) {
        if !self.windows.isEmpty { self.windows[address] = nil }
    }

    var count: Int { self.windows.count }

    private mutating func prune(at now: NIODeadline) {
        self.windows = self.windows.filter { now < $0.value.start + self.length }
        // All of them recent: an attack from many addresses. Those with the fewest failures go.
        if self.windows.count >= Self.capacity {
            self.windows = self.windows.filter { $0.value.failures > self.maximum }
        }
        if self.windows.count >= Self.capacity { self.windows.removeAll() }
    }
}
