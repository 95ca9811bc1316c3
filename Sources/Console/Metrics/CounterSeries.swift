import CoreMetrics
import Synchronization

/// A counter.
///
/// It takes no lock, because it counts packets.
final class CounterSeries: MetricSeries, CounterHandler, FloatingPointCounterHandler {
    static let kind = MetricKind.counter

    private let count = Atomic<Int64>(0)
    private let fraction = AtomicDouble()

    func increment(by amount: Int64) {
        // A counter never falls.
        guard amount > 0 else { return }
        self.count.wrappingAdd(amount, ordering: .relaxed)
    }

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        self.fraction.add(amount)
    }

    func reset() {
        self.count.store(0, ordering: .relaxed)
        self.fraction.value = 0
    }

    var reading: MetricReading {
        let (count, fraction) = (self.count.load(ordering: .relaxed), self.fraction.value)
        return fraction == 0 ? .integer(count) : .number(Double(count) + fraction)
    }
}
