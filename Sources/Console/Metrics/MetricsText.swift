import NIOCore
import SocketIOWire

/// Metrics as Prometheus reads them.
enum MetricsText {
    /// What is written of the metrics with one name.
    struct Family {
        var name: UTF8Text
        var kind: MetricKind
        var series: [(labels: LabelSet, reading: MetricReading)]
    }

    enum Format: Sendable, Hashable {
        /// Prometheus's text format 0.0.4.
        case prometheus
        /// OpenMetrics 1.0.0.
        case openMetrics

        var contentType: String {
            switch self {
            case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
            case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
        }
    }

    /// Writes families, which have different names.
    static func write(_ families: [Family], as format: Format = .prometheus, into buffer: inout ByteBuffer) {
        for family in families {
            let name = self.familyName(family, format)
            let help = MetricCatalogue.entry(for: family.name)?.help ?? "This metric has no description."
            buffer.writeString("# HELP \(name) ")
            self.write(help: help, format, into: &buffer)
            buffer.writeString("\n# TYPE \(name) \(family.kind.rawValue)\n")
            for (labels, reading) in family.series {
                switch reading {
                case .integer(let number):
                    self.line(family.name, "", labels, "\(number)", into: &buffer)
                case .number(let number):
                    self.line(family.name, "", labels, self.text(number), into: &buffer)
                case .histogram(let reading):
                    self.write(reading, family.name, labels, into: &buffer)
                }
            }
        }
        if format == .openMetrics { buffer.writeString("# EOF\n") }
    }

    /// In OpenMetrics the ending of a counter belongs to the sample, and not to the family.
    private static func familyName(_ family: Family, _ format: Format) -> String {
        guard format == .openMetrics, family.kind == .counter else { return family.name.string }
        return String(decoding: family.name.utf8.dropLast("_total".utf8.count), as: UTF8.self)
    }

    private static func write(help: String, _ format: Format, into buffer: inout ByteBuffer) {
        for byte in help.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): buffer.writeString("\\\\")
            case UInt8(ascii: "\n"): buffer.writeString("\\n")
            case UInt8(ascii: "\"") where format == .openMetrics: buffer.writeString("\\\"")
            default: buffer.writeInteger(byte)
            }
        }
    }

    /// Each bucket also counts what is in those before it.
    private static func write(
        _ reading: HistogramReading,
        _ name: UTF8Text,
        _ labels: LabelSet,
        into buffer: inout ByteBuffer
    ) {
        var total: UInt64 = 0
        for (index, count) in reading.counts.enumerated() {
            total += count
            let bound = index < reading.bounds.count ? self.text(reading.bounds[index]) : "+Inf"
            self.line(name, "_bucket", labels, bound: bound, "\(total)", into: &buffer)
        }
        self.line(name, "_sum", labels, self.text(reading.sum), into: &buffer)
        self.line(name, "_count", labels, "\(total)", into: &buffer)
    }

    private static func line(
        _ name: UTF8Text,
        _ suffix: String,
        _ labels: LabelSet,
        bound: String? = nil,
        _ value: String,
        into buffer: inout ByteBuffer
    ) {
        buffer.writeString(name.string)
        buffer.writeString(suffix)
        if !labels.text.isEmpty || bound != nil {
            buffer.writeString("{")
            buffer.writeString(labels.text.string)
            if let bound {
                if !labels.text.isEmpty { buffer.writeString(",") }
                buffer.writeString("le=\"\(bound)\"")
            }
            buffer.writeString("}")
        }
        buffer.writeString(" ")
        buffer.writeString(value)
        buffer.writeString("\n")
    }

    static func text(_ number: Double) -> String {
        if let integer = Int64(exactly: number) { return "\(integer)" }
        if number.isNaN { return "NaN" }
        if number.isInfinite { return number > 0 ? "+Inf" : "-Inf" }
        return "\(number)"
    }
}
