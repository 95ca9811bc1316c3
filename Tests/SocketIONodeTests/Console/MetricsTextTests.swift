import CoreMetrics
import Logging
import Metrics
import NIOCore
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Console

extension MetricRegistry {
    /// A registry without the figures of the process.
    static func forTests(_ readings: [(name: UTF8Text, value: Double)] = []) -> MetricRegistry {
        MetricRegistry(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }) { readings }
    }

    func text(_ format: MetricsText.Format = .prometheus) -> String {
        var bytes = ByteBuffer()
        MetricsText.write(self.read(), as: format, into: &bytes)
        return String(buffer: bytes)
    }

    /// The samples of one name, without their comments.
    func samples(_ name: String) -> [String] {
        self.text().split(separator: "\n").map(String.init).filter { $0.hasPrefix(name) }
    }
}

/// What Prometheus reads.
@Suite(.timeLimit(.minutes(1)))
struct MetricsTextTests {
    private let registry = MetricRegistry.forTests()

    // MARK: Every kind

    @Test func counters() {
        let counter = Counter(label: "socketio_events_total", dimensions: [("namespace", "/")], factory: self.registry)
        counter.increment(by: 3)
        counter.increment()
        #expect(
            self.registry.text() == """
                # HELP socketio_events_total Events of clients.
                # TYPE socketio_events_total counter
                socketio_events_total{namespace="/"} 4

                """
        )
    }

    @Test func countersNeverFall() {
        let counter = Counter(label: "a_total", factory: self.registry)
        counter.increment(by: 2)
        counter.increment(by: -1)
        #expect(self.registry.samples("a_total") == ["a_total 2"])
    }

    @Test func countersOfFractions() {
        let counter = FloatingPointCounter(label: "a_total", factory: self.registry)
        counter.increment(by: 0.25)
        counter.increment(by: 1.5)
        counter.increment(by: -1)
        counter.increment(by: Double.infinity)
        counter.increment(by: Double.nan)
        #expect(self.registry.samples("a_total") == ["a_total 1.75"])
        Counter(label: "a_total", factory: self.registry).increment(by: 2)
        #expect(self.registry.samples("a_total") == ["a_total 3.75"])
        counter.reset()
        #expect(self.registry.samples("a_total") == ["a_total 0"])
    }

    @Test func metersAndGauges() {
        let meter = Meter(label: "m", factory: self.registry)
        meter.increment(by: 5)
        meter.decrement()
        let gauge = Gauge(label: "g", factory: self.registry)
        gauge.record(0.5)
        #expect(self.registry.samples("m") == ["m 4"])
        #expect(self.registry.samples("g") == ["g 0.5"])
        #expect(self.registry.text().contains("# TYPE g gauge\n"))
        #expect(self.registry.text().contains("# TYPE m gauge\n"))
    }

    /// A bucket counts what is in those before it, too, and the last of them is all.
    @Test func timersAreHistogramsOfSeconds() {
        let timer = Timer(label: "took", dimensions: [("kind", "x")], factory: self.registry)
        for milliseconds in [0, 1, 1, 100, 60_000] { timer.recordMilliseconds(milliseconds) }
        let samples = self.registry.samples("took")
        #expect(samples.first == #"took_seconds_bucket{kind="x",le="0.0005"} 1"#)
        #expect(samples.contains(#"took_seconds_bucket{kind="x",le="0.001"} 3"#))
        #expect(samples.contains(#"took_seconds_bucket{kind="x",le="0.05"} 3"#))
        #expect(samples.contains(#"took_seconds_bucket{kind="x",le="0.1"} 4"#))
        #expect(samples.contains(#"took_seconds_bucket{kind="x",le="10"} 4"#))
        #expect(
            Array(samples.suffix(3)) == [
                #"took_seconds_bucket{kind="x",le="+Inf"} 5"#, #"took_seconds_sum{kind="x"} 60.102"#,
                #"took_seconds_count{kind="x"} 5"#,
            ]
        )
    }

    @Test func recordersAreHistograms() {
        let recorder = Recorder(label: "size_bytes", factory: self.registry)
        for value in [Double.nan, .infinity, -1, 1, 2, 1e9] { recorder.record(value) }
        let samples = self.registry.samples("size_bytes")
        #expect(samples.first == #"size_bytes_bucket{le="1"} 2"#)
        #expect(samples.contains(#"size_bytes_bucket{le="4"} 3"#))
        #expect(samples.suffix(2) == ["size_bytes_sum 1000000002", "size_bytes_count 4"])
    }

    @Test(
        arguments: [
            (0.0, "0"), (-0.0, "0"), (1, "1"), (-3, "-3"), (0.1, "0.1"), (1e300, "1e+300"), (.infinity, "+Inf"),
            (-.infinity, "-Inf"), (.nan, "NaN"), (4_294_967_296, "4294967296"),
        ] as [(Double, String)]
    )
    func numbers(number: Double, text: String) { #expect(MetricsText.text(number) == text) }

    @Test func figuresOfTheProcessAreAmongThem() {
        let registry = MetricRegistry.forTests([("process_cpu_seconds_total", 1.5), ("process_open_fds", 7)])
        #expect(
            registry.text() == """
                # HELP process_cpu_seconds_total Time of processors that the process has used.
                # TYPE process_cpu_seconds_total counter
                process_cpu_seconds_total 1.5
                # HELP process_open_fds File descriptors that are open.
                # TYPE process_open_fds gauge
                process_open_fds 7

                """
        )
    }

    @Test func thisProcessHasItsFigures() throws {
        let figures = Dictionary(uniqueKeysWithValues: ProcessFigures.now().map { ($0.name, $0.value) })
        #expect(try #require(figures["process_cpu_seconds_total"]) > 0)
        #if os(Linux)
        #expect(try #require(figures["process_resident_memory_bytes"]) > 1_000_000)
        let descriptors = try #require(figures["process_open_fds"])
        #expect((3..<100_000).contains(descriptors))
        #endif
    }

    // MARK: One series

    @Test func theSameNameAndLabelsAreOneSeries() {
        Counter(label: "a_total", dimensions: [("x", "1"), ("y", "2")], factory: self.registry).increment()
        let again = Counter(label: "a_total", dimensions: [("y", "2"), ("x", "1")], factory: self.registry)
        again.increment()
        again.destroy()
        Counter(label: "a", dimensions: [("x", "1"), ("y", "2"), ("x", "3")], factory: self.registry).increment()
        #expect(self.registry.samples("a_total") == [#"a_total{x="1",y="2"} 3"#])
    }

    /// For Swift's strings these are equal.
    @Test func labelsAreToldApartByTheirBytes() {
        for value in ["\u{E9}", "e\u{301}"] {
            Counter(label: "a_total", dimensions: [("x", value)], factory: self.registry).increment()
        }
        #expect(self.registry.samples("a_total").count == 2)
    }

    @Test func aNameIsOfOneKind() {
        let lines = LogLines()
        let registry = MetricRegistry(logger: lines.logger(.info), readings: { [] })
        Meter(label: "a_total", factory: registry).set(7)
        for _ in 0..<3 { Counter(label: "a_total", factory: registry).increment() }
        #expect(registry.samples("a_total") == ["a_total 7"])
        #expect(lines.all.count == 1)
    }

    // MARK: Hostile labels

    /// A reader who knows the format finds the value again; nothing of it becomes a line, a label or a value.
    @Test(arguments: [
        "", " ", "\"", "\\", "\n", "\\n", "\"} 1\nfake 2\n", "a\"b\\c\nd", "é日本", "\\\"", "{a=\"b\"}", "# HELP x",
    ])
    func valuesAreEscaped(value: String) throws {
        Counter(label: "a_total", dimensions: [("x", value), ("y", "2")], factory: self.registry).increment(by: 5)
        let samples = self.registry.text().split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(samples.count == 1)
        let sample = try #require(samples.first)
        let quoted = sample.dropFirst(#"a_total{x=""#.count)
        var found = ""
        var rest = quoted[...]
        while let character = rest.popFirst(), character != "\"" {
            guard character == "\\" else {
                found.append(character)
                continue
            }
            let next = rest.popFirst()
            let escaped = try #require(next)
            found.append(escaped == "n" ? "\n" : escaped)
        }
        #expect(UTF8Text(found) == UTF8Text(value))
        #expect(rest == #",y="2"} 5"#)
    }

    /// There is no escape for them, and some readers end at a zero.
    @Test func controlCharactersAreReplaced() {
        Counter(label: "a_total", dimensions: [("x", "a\u{0}b\rc\u{7F}")], factory: self.registry).increment()
        #expect(self.registry.samples("a_total") == ["a_total{x=\"a\u{FFFD}b\u{FFFD}c\u{FFFD}\"} 1"])
    }

    @Test func longValuesAreOthers() {
        for length in [64, 65, 1_000_000] {
            let value = String(repeating: "x", count: length)
            Counter(label: "a_total", dimensions: [("x", value)], factory: self.registry).increment()
        }
        let full = String(repeating: "x", count: 64)
        #expect(self.registry.samples("a_total") == [#"a_total{x="other"} 2"#, #"a_total{x="\#(full)"} 1"#])
    }

    @Test func seriesOfANameAreBounded() {
        for number in 0..<1000 {
            Counter(label: "a_total", dimensions: [("x", "\(number)")], factory: self.registry).increment()
        }
        let samples = self.registry.samples("a_total")
        #expect(samples.count == MetricRegistry.seriesPerFamily + 1)
        #expect(samples.contains(#"a_total{x="other"} 936"#))
        // Those that were there first still count for themselves.
        Counter(label: "a_total", dimensions: [("x", "3")], factory: self.registry).increment()
        #expect(self.registry.samples("a_total").contains(#"a_total{x="3"} 2"#))
    }

    @Test(arguments: [
        ("a.b-c", "a_b_c"), ("1a", "_1a"), ("", "_"), ("é", "__"), ("a:b", "a:b"), ("A_9", "A_9"), ("a\nb 1", "a_b_1"),
    ])
    func namesAreThoseOfPrometheus(label: String, name: String) {
        #expect(MetricName.other(label).string == name)
        #expect(MetricName.counter(label).string == name + "_total")
        #expect(MetricName.seconds(label).string == name + "_seconds")
    }

    @Test func endingsAreNotRepeated() {
        #expect(MetricName.counter("a_total").string == "a_total")
        #expect(MetricName.seconds("a_seconds").string == "a_seconds")
    }

    @Test(arguments: [("le", "exported_le"), ("__name__", "exported___name__"), ("a:b", "a_b"), ("x", "x")])
    func namesOfLabels(text: String, name: String) { #expect(MetricName.label(text).string == name) }

    /// More namespaces than have series of their own, with long names, and a dozen reasons of everything else.
    @Test func theTextIsBounded() {
        let ofNamespaces: Set<UTF8Text> = [
            "socketio_sockets", "socketio_events_total", "socketio_broadcasts_total", "socketio_handler_failures_total",
            "socketio_unencodable_events_total", "socketio_remote_acknowledgements_refused_total",
        ]
        for entry in MetricCatalogue.entries {
            for number in 0..<(ofNamespaces.contains(entry.name) ? 1000 : 12) {
                let length = ofNamespaces.contains(entry.name) ? 60 : 20
                let value = String(repeating: "x", count: length) + "\(number)"
                let dimensions = [("namespace", value)]
                if entry.kind == .counter {
                    Counter(label: entry.name.string, dimensions: dimensions, factory: self.registry).increment()
                } else {
                    Meter(label: entry.name.string, dimensions: dimensions, factory: self.registry).set(1)
                }
            }
        }
        #expect(self.registry.text().utf8.count < 100_000)
    }

    // MARK: OpenMetrics

    @Test func openMetrics() {
        Counter(label: "a_total", factory: self.registry).increment()
        Meter(label: "redis_up", factory: self.registry).set(1)
        #expect(
            self.registry.text(.openMetrics) == """
                # HELP a This metric has no description.
                # TYPE a counter
                a_total 1
                # HELP redis_up 1 while the node has Redis, otherwise 0.
                # TYPE redis_up gauge
                redis_up 1
                # EOF

                """
        )
    }

    @Test(
        arguments: [
            ([], .prometheus), (["*/*"], .prometheus), (["text/plain"], .prometheus),
            (["application/openmetrics-text"], .openMetrics),
            (["Application/OpenMetrics-Text; version=1.0.0"], .openMetrics),
            (["application/openmetrics-text;version=0.0.1"], .prometheus),
            (["application/openmetrics-text;q=0"], .prometheus), (["application/openmetrics-text;q=x"], .prometheus),
            (["application/openmetrics-text;q=nan"], .prometheus),
            (["application/openmetrics-text;version=1.0.0;q=0.2,text/plain;q=0.5"], .prometheus),
            (["text/plain;version=0.0.4;q=0.2", "application/openmetrics-text;version=1.0.0;q=0.5"], .openMetrics),
            (
                [
                    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
                        + "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
                ], .openMetrics
            ), ([",;,", ";q=1", "application/openmetrics-textual"], .prometheus),
        ] as [([String], MetricsText.Format)]
    )
    func theClientChoosesTheFormat(accept: [String], format: MetricsText.Format) {
        #expect(MetricsText.Format(accept: accept) == format)
    }
}
