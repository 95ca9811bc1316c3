import SocketIOWire

/// Reads the query of a request target by its bytes, as `URLSearchParams` of browsers does.
package enum RequestTarget {
    /// How many parameters are looked at.
    ///
    /// No honest query has more.
    private static let maximumCount = 256

    /// The query parameters in order, decoded.
    ///
    /// A repeated parameter has its last value, in the place of the first.
    package static func query(of target: String) -> [(name: String, value: String)] {
        var names: [[UInt8]] = []
        var values: [String] = []
        target.withBytes { bytes in
            Self.forEachParameter(in: bytes) { name, value in
                let name = Self.withDecoded(name) { Array($0) }
                let value = Self.withDecoded(value) { $0.text }
                if let index = names.firstIndex(of: name) {
                    values[index] = value
                } else {
                    names.append(name)
                    values.append(value)
                }
            }
        }
        return zip(names, values).map { (String(decoding: $0, as: UTF8.self), $1) }
    }

    /// Calls a closure with each query parameter, in order and not decoded.
    @inline(__always)
    static func forEachParameter(in target: Bytes, _ body: (_ name: Bytes, _ value: Bytes) -> Void) {
        guard let mark = target.firstIndex(of: UInt8(ascii: "?")) else { return }
        var count = 0
        var start = mark + 1
        var equals: Int?
        var index = start
        while count < Self.maximumCount {
            let isEnd = index == target.count || target[index] == UInt8(ascii: "#")
            if isEnd || target[index] == UInt8(ascii: "&") {
                if index > start {
                    count += 1
                    let name = target.part(start..<(equals ?? index))
                    body(name, target.part((equals.map { $0 + 1 } ?? index)..<index))
                }
                if isEnd { return }
                start = index + 1
                equals = nil
            } else if equals == nil, target[index] == UInt8(ascii: "=") {
                equals = index
            }
            index += 1
        }
    }

    /// The decoded value of the last parameter of that name in a form.
    ///
    /// Parameters before it are not read.
    static func value(of name: StaticString, in form: Bytes) -> [UInt8]? {
        var end = form.count
        while end > 0 {
            // It searches from the end, so that it finds the last parameter first.
            var start = end
            var equals = end
            while start > 0, form[start - 1] != UInt8(ascii: "&") {
                start -= 1
                if form[start] == UInt8(ascii: "=") { equals = start }
            }
            if Self.withDecoded(form.part(start..<equals), { $0.equals(name) }) {
                return Self.withDecoded(form.part(min(equals + 1, end)..<end)) { Array($0) }
            }
            end = start - 1
        }
        return nil
    }

    /// Runs a closure on the decoded bytes.
    ///
    /// If nothing is encoded, there is no copy.
    @inline(__always)
    static func withDecoded<Result>(_ bytes: Bytes, _ body: (Bytes) -> Result) -> Result {
        for byte in bytes where byte == UInt8(ascii: "%") || byte == UInt8(ascii: "+") {
            return PercentDecoding.form(bytes).withUnsafeBufferPointer(body)
        }
        return body(bytes)
    }
}
