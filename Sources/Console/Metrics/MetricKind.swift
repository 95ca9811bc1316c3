/// What a family of metrics measures.
enum MetricKind: String, Sendable, Hashable {
    /// A number that only grows.
    case counter
    /// A number that goes up and down.
    case gauge
    /// How many values there were up to each of some bounds.
    case histogram
}

/// What one series says now.
enum MetricReading: Sendable, Hashable {
    case integer(Int64)
    case number(Double)
    case histogram(HistogramReading)
}

/// One series of a family, which is asked when somebody wants to know.
protocol MetricSeries: AnyObject, Sendable {
    static var kind: MetricKind { get }
    var reading: MetricReading { get }
}
