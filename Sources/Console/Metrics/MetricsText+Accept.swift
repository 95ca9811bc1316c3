import SocketIOWire

extension MetricsText.Format {
    /// The format that a client asks for with its `Accept` fields.
    ///
    /// It is OpenMetrics only if the client names it, and does not like plain text better.
    init(accept fields: [String]) {
        var (openMetrics, plain) = (0.0, 0.0)
        for field in fields {
            for range in field.utf8.split(separator: UInt8(ascii: ",")) {
                let parts = range.split(separator: UInt8(ascii: ";")).map(Self.word)
                guard let type = parts.first else { continue }
                let quality = Self.quality(parts.dropFirst())
                if type == "application/openmetrics-text" {
                    // Other versions are not written here.
                    let version = parts.dropFirst().first { $0.hasPrefix("version=") }
                    if version == nil || version == "version=1.0.0" { openMetrics = max(openMetrics, quality) }
                } else if type == "text/plain" {
                    plain = max(plain, quality)
                }
            }
        }
        self = openMetrics > 0 && openMetrics >= plain ? .openMetrics : .prometheus
    }

    /// Without spaces, and in lower case.
    private static func word(_ bytes: Substring.UTF8View) -> UTF8Text {
        UTF8Text(
            decoding: bytes.filter { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }.map { byte in
                (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
            }
        )
    }

    /// The value of `q=`; 1 if there is none, and 0 if it is no number.
    private static func quality(_ parameters: ArraySlice<UTF8Text>) -> Double {
        guard let text = parameters.first(where: { $0.hasPrefix("q=") }) else { return 1 }
        let number = Double(String(decoding: text.utf8.dropFirst(2), as: UTF8.self)) ?? 0
        return (0...1).contains(number) ? number : 0
    }
}
