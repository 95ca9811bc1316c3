import CoreMetrics

/// A number that goes up and down: a `Meter`, or a `Gauge`.
final class GaugeSeries: MetricSeries, MeterHandler, RecorderHandler {
    static let kind = MetricKind.gauge

    private let number = AtomicDouble()

    func set(_ value: Int64) { self.number.value = Double(value) }
    func set(_ value: Double) { self.number.value = value }
    func increment(by amount: Double) { self.number.add(amount) }
    func decrement(by amount: Double) { self.number.add(-amount) }
    func record(_ value: Int64) { self.set(value) }
    func record(_ value: Double) { self.set(value) }

    var reading: MetricReading { .number(self.number.value) }
}
