/// One address, or a network in CIDR form.
public struct AddressRange: Sendable, Hashable {
    private let base: IPAddress
    private let bits: Int

    /// Reads `10.0.0.1`, `10.0.0.0/8`, `::1` or `fd00::/8`.
    public init?(_ text: String) {
        guard let range = text.withBytes({ Self(utf8: $0) }) else { return nil }
        self = range
    }

    private init?(utf8 bytes: Bytes) {
        let slash = bytes.firstIndex(of: UInt8(ascii: "/")) ?? bytes.count
        guard let base = IPAddress(utf8: bytes.part(0..<slash)) else { return nil }
        self.base = base
        guard slash < bytes.count else {
            self.bits = 128
            return
        }
        let digits = bytes.part(slash + 1..<bytes.count)
        guard (1...3).contains(digits.count), digits.allSatisfy(\.isDigit) else { return nil }
        let bits = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        let isIPv4 = !bytes.contains(UInt8(ascii: ":"))
        guard bits <= (isIPv4 ? 32 : 128) else { return nil }
        self.bits = isIPv4 ? bits + 96 : bits
    }

    /// Whether this is that address, or contains it.
    package func contains(_ address: IPAddress) -> Bool {
        self.base.shares(self.bits, with: address)
    }
}
