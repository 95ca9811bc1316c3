import SocketIOWire

/// The labels of one series as they are written: `namespace="/",reason="other"`.
struct LabelSet: Sendable, Hashable, Comparable {
    /// Without the braces; empty if there are no labels.
    let text: UTF8Text

    /// The longest value, in bytes.
    ///
    /// A longer one is written as ``other``.
    static let longestValue = 64
    /// Stands for all values that are not told apart.
    static let other = "other"

    static let none = LabelSet([])

    /// Makes the labels.
    ///
    /// The order of the dimensions does not matter. If a name occurs twice, its first value counts.
    init(_ dimensions: [(String, String)]) {
        var labels: [(name: UTF8Text, value: String)] = []
        for (name, value) in dimensions {
            let name = MetricName.label(name)
            if !labels.contains(where: { $0.name == name }) { labels.append((name, value)) }
        }
        labels.sort { $0.name < $1.name }
        var bytes: [UInt8] = []
        for (name, value) in labels {
            if !bytes.isEmpty { bytes.append(UInt8(ascii: ",")) }
            bytes += name.utf8
            bytes += "=\"".utf8
            Self.escape(value.utf8.count > Self.longestValue ? Self.other : value, into: &bytes)
            bytes.append(UInt8(ascii: "\""))
        }
        self.text = UTF8Text(decoding: bytes)
    }

    /// The same labels, of which each has the value ``other``.
    static func others(_ dimensions: [(String, String)]) -> LabelSet {
        LabelSet(dimensions.map { ($0.0, Self.other) })
    }

    static func < (one: Self, other: Self) -> Bool { one.text < other.text }

    /// Escapes what would end the value or the line.
    ///
    /// Other control characters have no escape. A reader might take one for the end of the text.
    private static func escape(_ value: String, into bytes: inout [UInt8]) {
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes += "\\\\".utf8
            case UInt8(ascii: "\""): bytes += "\\\"".utf8
            case UInt8(ascii: "\n"): bytes += "\\n".utf8
            case 0..<0x20, 0x7F: bytes += "\u{FFFD}".utf8
            default: bytes.append(byte)
            }
        }
    }
}
