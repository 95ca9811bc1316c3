/// What connections are counted by: one IPv4 address, or the 64 bits of an IPv6 address that one customer gets.
package struct AddressGroup: Hashable, Sendable {
    /// The network bits of an IPv6 address; an IPv4 address as a number, which no network that is in use equals.
    private let value: UInt64

    package init(_ address: IPAddress) { self.value = address.isIPv4 ? address.low & 0xFFFF_FFFF : address.high }

    private init(value: UInt64) { self.value = value }

    /// All clients together whose addresses proxies do not tell in words that can be read.
    static let unreadable = AddressGroup(value: 1 << 32)
}
