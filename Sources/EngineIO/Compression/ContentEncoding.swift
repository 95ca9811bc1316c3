/// How the body of an answer is compressed.
enum ContentEncoding: String, CaseIterable {
    case gzip
    case deflate

    var format: Deflater.Format {
        switch self {
        case .gzip: .gzip
        case .deflate: .zlib
        }
    }

    /// The most items of a list that are looked at.
    ///
    /// No honest list has more.
    private static let maximumItems = 32

    /// The coding that a client with that `Accept-Encoding` prefers.
    ///
    /// If it likes both the same, it is gzip.
    static func preferred(by header: String) -> Self? {
        var gzip: Int?
        var deflate: Int?
        var other = 0
        var count = 0
        header.withBytes { bytes in
            bytes.split(at: UInt8(ascii: ",")) { item in
                let (name, weight) = Self.read(item)
                if name.equals("*") {
                    other = weight
                } else if name.equalsIgnoringCase("gzip") {
                    gzip = weight
                } else if name.equalsIgnoringCase("deflate") {
                    deflate = weight
                }
                count += 1
                return count < Self.maximumItems
            }
        }
        let gzipWeight = gzip ?? other
        let deflateWeight = deflate ?? other
        guard max(gzipWeight, deflateWeight) > 0 else { return nil }
        return gzipWeight >= deflateWeight ? .gzip : .deflate
    }

    /// A coding and how much the client likes it, in thousandths.
    private static func read(_ item: Bytes) -> (name: Bytes, weight: Int) {
        var name: Bytes?
        var weight = 1000
        item.split(at: UInt8(ascii: ";")) { part in
            let part = part.trimmed
            if name == nil {
                name = part
            } else if part.count >= 2, part[0].asciiLowercased == UInt8(ascii: "q"), part[1] == UInt8(ascii: "=") {
                weight = Self.weight(part.part(2..<part.count).trimmed)
            }
            return true
        }
        return (name ?? item, weight)
    }

    /// A weight such as `0.5` in thousandths.
    ///
    /// A text that is no weight counts as no weight.
    private static func weight(_ bytes: Bytes) -> Int {
        var weight = 0
        var scale = 1000
        var isFraction = false
        for byte in bytes {
            if byte == UInt8(ascii: "."), !isFraction {
                isFraction = true
            } else if byte.isDigit {
                if isFraction { scale /= 10 }
                // More than 1 counts as 1, and digits behind the third do not count.
                weight = min(weight * (isFraction ? 1 : 10) + Int(byte - 0x30) * scale, 1000)
            } else {
                return 0
            }
        }
        return weight
    }
}
