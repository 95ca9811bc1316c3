public import CoreMetrics
public import Logging
import NIOConcurrencyHelpers
import NIOCore
import SocketIOWire

/// The node's backend for swift-metrics: it keeps each series, and writes all of them as Prometheus reads them.
///
/// Counting takes no lock. The lock here is taken when a metric is made, and for a moment when they are read: to keep
/// the table as it is, and not to write it.
public final class MetricRegistry: MetricsFactory, Sendable {
    private struct Family {
        let kind: MetricKind
        var series: [LabelSet: any MetricSeries] = [:]
        /// Whether the log has been told that two kinds of metrics have this name.
        var hasClashed = false
    }

    /// How many series a name has before all further ones count as one, whose labels are `other`.
    static let seriesPerFamily = 64

    private let families = NIOLockedValueBox<[UTF8Text: Family]>([:])
    private let logger: Logger
    /// What is looked up when metrics are read.
    private let readings: @Sendable () -> [(name: UTF8Text, value: Double)]

    /// A registry with the figures of this process.
    ///
    /// - Parameter logger: Hears of two kinds of metrics that have one name.
    public convenience init(logger: Logger) { self.init(logger: logger, readings: ProcessFigures.now) }

    init(logger: Logger, readings: @escaping @Sendable () -> [(name: UTF8Text, value: Double)]) {
        self.logger = logger
        self.readings = readings
    }

    // MARK: Making

    /// Makes a counter, or finds the one with this name and these labels.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        self.series(MetricName.counter(label), dimensions) { CounterSeries() } ?? NOOPMetricsHandler.instance
    }

    /// Makes a counter of fractions, or finds the one with this name and these labels.
    public func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        self.series(MetricName.counter(label), dimensions) { CounterSeries() } ?? NOOPMetricsHandler.instance
    }

    /// Makes a gauge, or finds the one with this name and these labels.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        self.series(MetricName.other(label), dimensions) { GaugeSeries() } ?? NOOPMetricsHandler.instance
    }

    /// Makes a histogram, or without `aggregate` a gauge, or finds the one with this name and these labels.
    public func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        let name = MetricName.other(label)
        guard aggregate else {
            return self.series(name, dimensions) { GaugeSeries() } ?? NOOPMetricsHandler.instance
        }
        return self.series(name, dimensions) { HistogramSeries(bounds: HistogramSeries.sizeBounds) }
            ?? NOOPMetricsHandler.instance
    }

    /// Makes a histogram of seconds, or finds the one with this name and these labels.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        self.series(MetricName.seconds(label), dimensions) { HistogramSeries(bounds: HistogramSeries.secondsBounds) }
            ?? NOOPMetricsHandler.instance
    }

    /// Does nothing: others may count with the same series.
    public func destroyCounter(_ handler: any CounterHandler) {}
    /// Does nothing: others may count with the same series.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    /// Does nothing: others may count with the same series.
    public func destroyMeter(_ handler: any MeterHandler) {}
    /// Does nothing: others may count with the same series.
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    /// Does nothing: others may count with the same series.
    public func destroyTimer(_ handler: any TimerHandler) {}

    /// The series of this name with these labels; `nil` if the name is that of another kind of metrics.
    private func series<Series: MetricSeries>(
        _ name: UTF8Text,
        _ dimensions: [(String, String)],
        make: () -> Series
    ) -> Series? {
        var labels = LabelSet(dimensions)
        let (series, isNews) = self.families.withLockedValue { families -> (Series?, Bool) in
            var family = families[name] ?? Family(kind: Series.kind)
            guard family.kind == Series.kind else {
                defer { families[name]?.hasClashed = true }
                return (nil, !family.hasClashed)
            }
            if family.series[labels] == nil, family.series.count >= Self.seriesPerFamily {
                labels = .others(dimensions)
            }
            if let series = family.series[labels] as? Series { return (series, false) }
            let series = make()
            family.series[labels] = series
            families[name] = family
            return (series, false)
        }
        if isNews {
            self.logger.warning(
                "Two kinds of metrics have one name; the second is not counted",
                metadata: ["metric": "\(name.string)", "second": "\(Series.kind.rawValue)"]
            )
        }
        return series
    }

    // MARK: Reading

    /// All families with what they say now, by name.
    func read() -> [MetricsText.Family] {
        var families = self.families.withLockedValue { $0 }.map { name, family in
            MetricsText.Family(
                name: name,
                kind: family.kind,
                series: family.series.map { ($0.key, $0.value.reading) }.sorted { $0.labels < $1.labels }
            )
        }
        for (name, value) in self.readings() where !families.contains(where: { $0.name == name }) {
            let kind = MetricCatalogue.entry(for: name)?.kind ?? .gauge
            families.append(MetricsText.Family(name: name, kind: kind, series: [(.none, .number(value))]))
        }
        return families.sorted { $0.name < $1.name }
    }
}
