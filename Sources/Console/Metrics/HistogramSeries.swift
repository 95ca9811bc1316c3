import CoreMetrics
import Synchronization

/// How many values there were up to each bound.
struct HistogramReading: Sendable, Hashable {
    /// The upper bounds, in order, without the infinite one.
    var bounds: [Double]
    /// How many values are within each bound and above the one before; the last is for those above all.
    var counts: [UInt64]
    var sum: Double
}

/// A histogram with fixed bounds: a `Timer`, or a `Recorder`.
///
/// It takes no lock. It is `@unchecked Sendable` because its counts lie behind a pointer. They are atomic, and the pointer
/// does not change.
final class HistogramSeries: MetricSeries, RecorderHandler, TimerHandler, @unchecked Sendable {
    static let kind = MetricKind.histogram

    /// In seconds, from half a millisecond to ten seconds.
    static let secondsBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
    /// For sizes and numbers, the powers of four from 1 to 16 million.
    static let sizeBounds: [Double] = (0...12).map { Double(1 << (2 * $0)) }

    private let bounds: [Double]
    private let counts: UnsafeMutablePointer<Atomic<UInt64>>
    private let sum = AtomicDouble()

    init(bounds: [Double]) {
        self.bounds = bounds
        self.counts = .allocate(capacity: bounds.count + 1)
        for index in 0...bounds.count { (self.counts + index).initialize(to: Atomic(0)) }
    }

    deinit {
        self.counts.deinitialize(count: self.bounds.count + 1)
        self.counts.deallocate()
    }

    func record(_ value: Int64) { self.record(Double(value)) }

    func record(_ value: Double) {
        // One such value would spoil the sum for ever.
        guard value.isFinite else { return }
        var index = 0
        while index < self.bounds.count, value > self.bounds[index] { index += 1 }
        self.counts[index].wrappingAdd(1, ordering: .relaxed)
        self.sum.add(value)
    }

    func recordNanoseconds(_ duration: Int64) { self.record(Double(duration) / 1e9) }

    var reading: MetricReading {
        .histogram(
            HistogramReading(
                bounds: self.bounds,
                counts: (0...self.bounds.count).map { self.counts[$0].load(ordering: .relaxed) },
                sum: self.sum.value
            )
        )
    }
}
