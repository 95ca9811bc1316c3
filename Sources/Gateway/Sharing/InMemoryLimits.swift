import NIOConcurrencyHelpers
import NIOCore

/// Token buckets within one process.
public final class InMemoryLimits: ClusterLimits {
    private let pool = NIOLockedValueBox(LimitPool())
    /// In seconds.
    private let now: @Sendable () -> Double

    /// Makes buckets that the gateways with this object have in common.
    public init() {
        self.now = { Double(NIODeadline.now().uptimeNanoseconds) / 1e9 }
    }

    /// Makes buckets that fill by a clock of seconds.
    init(now: @escaping @Sendable () -> Double) {
        self.now = now
    }

    /// Takes what was spent out of the buckets.
    public func exchange(_ report: LimitReport) async -> LimitAnswer {
        self.pool.withLockedValue { $0.exchange(report, at: self.now()) }
    }
}
