import SocketIOWire

/// The names of metrics and labels, as Prometheus takes them.
enum MetricName {
    /// The name of a counter, which ends with `_total`.
    static func counter(_ label: String) -> UTF8Text { self.ending(with: "_total", label) }

    /// The name of what counts durations, which are seconds.
    static func seconds(_ label: String) -> UTF8Text { self.ending(with: "_seconds", label) }

    /// The name of anything else: letters, digits, `_` and `:`, and no digit first.
    static func other(_ label: String) -> UTF8Text { self.name(label, allowsColon: true) }

    /// The name of a label.
    ///
    /// `le` belongs to histograms, and names that begin with `__` to Prometheus.
    static func label(_ text: String) -> UTF8Text {
        let name = self.name(text, allowsColon: false)
        return name == "le" || name.hasPrefix("__") ? UTF8Text("exported_" + name.string) : name
    }

    private static func ending(with suffix: UTF8Text, _ label: String) -> UTF8Text {
        let name = self.other(label)
        return name.utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
            ? name : UTF8Text(name.string + suffix.string)
    }

    private static func name(_ text: String, allowsColon: Bool) -> UTF8Text {
        var bytes = text.utf8.map { byte in
            let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
            let isAllowed = isLetter || self.isDigit(byte) || (byte == UInt8(ascii: ":") && allowsColon)
            return isAllowed ? byte : UInt8(ascii: "_")
        }
        if bytes.first.map(self.isDigit) ?? true { bytes.insert(UInt8(ascii: "_"), at: 0) }
        return UTF8Text(decoding: bytes)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
