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

    /// What a client with that `Accept-Encoding` likes best; of two that it likes the same, gzip.
    static func preferred(by header: String) -> Self? {
        var weights: [Self: Double] = [:]
        var otherWeight = 0.0
        for item in header.utf8.split(separator: UInt8(ascii: ",")).prefix(32) {
            let parts = Substring(item).split(separator: ";", omittingEmptySubsequences: false)
            let name = parts[0].trimmed
            var weight = 1.0
            for parameter in parts.dropFirst() {
                let parameter = parameter.trimmed
                if parameter.hasPrefix("q=") || parameter.hasPrefix("Q=") {
                    weight = Double(parameter.dropFirst(2)) ?? 0
                }
            }
            if name == "*" {
                otherWeight = weight
            } else if let encoding = Self(rawValue: name.lowercased()) {
                weights[encoding] = weight
            }
        }
        let gzip = weights[.gzip] ?? otherWeight
        let deflate = weights[.deflate] ?? otherWeight
        guard max(gzip, deflate) > 0 else { return nil }
        return gzip >= deflate ? .gzip : .deflate
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var text = self
        while let first = text.utf8.first, first == 0x20 || first == 0x09 { text = text.dropFirst() }
        while let last = text.utf8.last, last == 0x20 || last == 0x09 { text = text.dropLast() }
        return text
    }
}
