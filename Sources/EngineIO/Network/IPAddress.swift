/// An IP address in 16 bytes.
///
/// IPv4 addresses are written as the IPv6 addresses that stand for them, so that `10.0.0.1` and `::ffff:10.0.0.1`
/// are the same.
package struct IPAddress: Sendable, Hashable {
    package let high: UInt64
    package let low: UInt64

    /// Reads an IPv4 or IPv6 address; a zone (`%eth0`) is ignored.
    package init?(_ text: some StringProtocol) {
        let text = text.prefix { $0 != "%" }
        if text.contains(":") {
            guard let groups = Self.groups(String(text)) else { return nil }
            self.high = groups[0..<4].reduce(0) { $0 << 16 | UInt64($1) }
            self.low = groups[4..<8].reduce(0) { $0 << 16 | UInt64($1) }
        } else {
            guard let value = Self.ipv4(text) else { return nil }
            self.high = 0
            self.low = 0xFFFF << 32 | UInt64(value)
        }
    }

    /// Whether the first bits equal those of another address.
    func shares(_ bits: Int, with other: IPAddress) -> Bool {
        let highBits = min(bits, 64)
        let lowBits = max(bits - 64, 0)
        let highMask = highBits == 0 ? 0 : UInt64.max << UInt64(64 - highBits)
        let lowMask = lowBits == 0 ? 0 : UInt64.max << UInt64(64 - lowBits)
        return (self.high ^ other.high) & highMask == 0 && (self.low ^ other.low) & lowMask == 0
    }

    private static func ipv4(_ text: some StringProtocol) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let number = UInt32(part), number < 256
            else { return nil }
            value = value << 8 | number
        }
        return value
    }

    /// The eight groups of an IPv6 address.
    private static func groups(_ text: String) -> [UInt16]? {
        guard text.utf8.count <= 45 else { return nil }
        var halves: [Substring] = [text[...]]
        if let gap = Self.doubleColon(in: text) {
            halves = [text[..<gap.lowerBound], text[gap.upperBound...]]
            guard Self.doubleColon(in: String(halves[1])) == nil else { return nil }
        }
        var parsed: [[UInt16]] = []
        for (index, half) in halves.enumerated() {
            var groups: [UInt16] = []
            let parts = half.isEmpty ? [] : half.split(separator: ":", omittingEmptySubsequences: false)
            for (position, part) in parts.enumerated() {
                if part.contains(".") {
                    guard index == halves.count - 1, position == parts.count - 1, let value = Self.ipv4(part) else {
                        return nil
                    }
                    groups += [UInt16(value >> 16), UInt16(value & 0xFFFF)]
                } else {
                    guard (1...4).contains(part.utf8.count),
                        part.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
                        let group = UInt16(part, radix: 16)
                    else { return nil }
                    groups.append(group)
                }
            }
            parsed.append(groups)
        }
        let count = parsed.reduce(0) { $0 + $1.count }
        if parsed.count == 1 { return count == 8 ? parsed[0] : nil }
        guard count <= 7 else { return nil }
        return parsed[0] + Array(repeating: 0, count: 8 - count) + parsed[1]
    }

    private static func doubleColon(in text: String) -> Range<String.Index>? {
        var index = text.startIndex
        while index < text.endIndex {
            let next = text.index(after: index)
            if text[index] == ":", next < text.endIndex, text[next] == ":" {
                return index..<text.index(after: next)
            }
            index = next
        }
        return nil
    }
}
