/// One address, or a network in CIDR form.
public struct AddressRange: Sendable, Hashable {
    private let base: IPAddress
    private let bits: Int

    /// Reads `10.0.0.1`, `10.0.0.0/8`, `::1` or `fd00::/8`.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let base = IPAddress(parts[0]) else { return nil }
        self.base = base
        if parts.count == 2 {
            let isIPv4 = !parts[0].contains(":")
            guard (1...3).contains(parts[1].utf8.count), let bits = Int(parts[1]),
                (0...(isIPv4 ? 32 : 128)).contains(bits)
            else { return nil }
            self.bits = isIPv4 ? bits + 96 : bits
        } else {
            self.bits = 128
        }
    }

    /// Whether the address is the one, or belongs to the network.
    package func contains(_ address: IPAddress) -> Bool {
        self.base.shares(self.bits, with: address)
    }
}
