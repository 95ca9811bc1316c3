/// A group of addresses that count as one: an IPv4 address, or the IPv6 network of 64 bits that one customer gets.
package struct AddressGroup: Hashable, Sendable {
    /// The network bits of an IPv6 address, or an IPv4 address as a number.
    ///
    /// No network in use has such a number.
    private let value: UInt64

    package init(_ address: IPAddress) { self.value = address.isIPv4 ? address.low & 0xFFFF_FFFF : address.high }

    private init(value: UInt64) { self.value = value }

    /// All clients whose addresses nobody can read in what a proxy has written.
    static let unreadable = AddressGroup(value: 1 << 32)
}
