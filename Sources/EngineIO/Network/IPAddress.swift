import SocketIOWire

/// An IP address in 16 bytes.
///
/// IPv4 addresses are stored as the IPv6 addresses that stand for them, so `10.0.0.1` and `::ffff:10.0.0.1` are the
/// same.
package struct IPAddress: Sendable, Hashable {
    package let high: UInt64
    package let low: UInt64

    private init(_ bits: Bits128) {
        self.high = bits.high
        self.low = bits.low
    }

    /// Reads an IPv4 or IPv6 address; an IPv6 address' zone (`%eth0`) is ignored.
    package init?(_ text: some StringProtocol) {
        guard let address = String(text).withBytes({ Self(utf8: $0) }) else { return nil }
        self = address
    }

    /// Reads an IPv4 or IPv6 address; an IPv6 address' zone (`%eth0`) is ignored.
    package init?(utf8 bytes: Bytes) {
        if bytes.contains(UInt8(ascii: ":")) {
            let zone = bytes.firstIndex(of: UInt8(ascii: "%"))
            guard let bits = Self.ipv6(bytes.part(0..<(zone ?? bytes.count))) else { return nil }
            self.init(bits)
        } else {
            guard let value = Self.ipv4(bytes) else { return nil }
            self.init(Bits128(high: 0, low: 0xFFFF << 32 | UInt64(value)))
        }
    }

    /// An IPv6 address' 16 bytes.
    init(high: UInt64, low: UInt64) { self.init(Bits128(high: high, low: low)) }

    /// An IPv4 address' 4 bytes.
    init(ipv4 value: UInt32) { self.init(Bits128(high: 0, low: 0xFFFF << 32 | UInt64(value))) }

    /// Whether this is an IPv4 address, or an IPv6 address that stands for one.
    var isIPv4: Bool { self.high == 0 && self.low >> 32 == 0xFFFF }

    /// Whether the first bits equal those of another address.
    func shares(_ bits: Int, with other: IPAddress) -> Bool {
        let highBits = min(bits, 64)
        let lowBits = max(bits - 64, 0)
        let highMask = highBits == 0 ? 0 : UInt64.max << UInt64(64 - highBits)
        let lowMask = lowBits == 0 ? 0 : UInt64.max << UInt64(64 - lowBits)
        return (self.high ^ other.high) & highMask == 0 && (self.low ^ other.low) & lowMask == 0
    }
}

extension IPAddress: CustomStringConvertible {
    /// `192.0.2.1`, or an IPv6 address as RFC 5952 writes it.
    package var description: String {
        if self.isIPv4 {
            let parts = stride(from: 24, through: 0, by: -8).map { "\(self.low >> UInt64($0) & 0xFF)" }
            return parts.joined(separator: ".")
        }
        let groups = [self.high, self.low].flatMap { half in
            stride(from: 48, through: 0, by: -16).map { UInt16(truncatingIfNeeded: half >> UInt64($0)) }
        }
        // The first one of the longest runs of zeros, if it has at least two.
        var gap = 0..<0
        var start = 0
        for index in 0...groups.count where index == groups.count || groups[index] != 0 {
            if index - start > max(gap.count, 1) { gap = start..<index }
            start = index + 1
        }
        func text(_ range: Range<Int>) -> String {
            groups[range].map { String($0, radix: 16) }.joined(separator: ":")
        }
        return gap.isEmpty ? text(0..<8) : "\(text(0..<gap.lowerBound))::\(text(gap.upperBound..<8))"
    }
}

extension IPAddress {
    private struct Bits128 {
        var high: UInt64 = 0
        var low: UInt64 = 0

        mutating func append(_ group: UInt16) {
            self.high = self.high << 16 | self.low >> 48
            self.low = self.low << 16 | UInt64(group)
        }
    }

    private static func ipv4(_ bytes: Bytes) -> UInt32? {
        var value: UInt32 = 0
        var count = 0
        bytes.split(at: UInt8(ascii: ".")) { part in
            guard count < 4, (1...3).contains(part.count), part.allSatisfy(\.isDigit) else {
                count = .max
                return false
            }
            let number = part.reduce(UInt32(0)) { $0 * 10 + UInt32($1 - 0x30) }
            guard number < 256 else {
                count = .max
                return false
            }
            value = value << 8 | number
            count += 1
            return true
        }
        return count == 4 ? value : nil
    }

    private static func ipv6(_ bytes: Bytes) -> Bits128? {
        guard bytes.count <= 45 else { return nil }
        // The parts before and behind a double colon, or all parts.
        var head: (bits: Bits128, count: Int)?
        var bits = Bits128()
        var count = 0
        var index = 0
        if bytes.begins(with: "::") {
            head = (bits, 0)
            index = 2
        }
        while index < bytes.count {
            let start = index
            var group: UInt16 = 0
            while index < bytes.count, let digit = bytes[index].hexValue {
                guard index - start < 4 else { return nil }
                group = group << 4 | UInt16(digit)
                index += 1
            }
            if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
                guard let value = Self.ipv4(bytes.part(start..<bytes.count)) else { return nil }
                bits.append(UInt16(value >> 16))
                bits.append(UInt16(value & 0xFFFF))
                count += 2
                break
            }
            guard index > start else { return nil }
            bits.append(group)
            count += 1
            guard index < bytes.count else { break }
            guard bytes[index] == UInt8(ascii: ":"), index + 1 < bytes.count, count < 8 else { return nil }
            index += 1
            if bytes[index] == UInt8(ascii: ":") {
                guard head == nil else { return nil }
                head = (bits, count)
                bits = Bits128()
                index += 1
            }
        }
        guard var head else { return count == 8 ? bits : nil }
        guard count <= 7 else { return nil }
        for _ in head.count..<8 { head.bits.append(0) }
        return Bits128(high: head.bits.high | bits.high, low: head.bits.low | bits.low)
    }
}
