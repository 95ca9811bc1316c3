/// What connections are counted by: one IPv4 address, or the 64 bits of an IPv6 address that one customer gets.
package struct AddressGroup: Hashable, Sendable {
    /// The network bits of an IPv6 address; an IPv4 address as a number, which no network that is in use equals.
    private let value: UInt64

    package init(_ address: IPAddress) {
        let isIPv4 = address.high == 0 && address.low >> 32 == 0xFFFF
        self.value = isIPv4 ? address.low & 0xFFFF_FFFF : address.high
    }
}
