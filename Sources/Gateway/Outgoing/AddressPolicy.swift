package import struct EngineIO.AddressRange
package import struct EngineIO.IPAddress

/// Which addresses the gateway sends requests to.
///
/// By default it sends them only to addresses of the public Internet. A name that somebody else controls, or a redirect,
/// then cannot lead it to this machine, to the private network behind it, or to the address where a cloud gives out a
/// machine's credentials.
public struct AddressPolicy: Sendable, Hashable {
    /// Networks, and single addresses, that are reached as well.
    private let allowed: [AddressRange]
    /// The single addresses among them.
    private let allowedOnes: Set<IPAddress>

    /// Makes a policy that allows some networks besides the public Internet.
    ///
    /// Addresses at which clouds give out credentials are only reached if they are listed one by one, not as part of a
    /// network.
    ///
    /// - Parameter texts: IP addresses, and networks such as `10.0.0.0/8` or `fd00::/8`. Another text allows nothing.
    public init(allowing texts: [String] = []) {
        self.allowed = texts.compactMap { AddressRange($0) }
        self.allowedOnes = Set(texts.compactMap { IPAddress($0) })
    }

    /// Whether the gateway may send requests to that address.
    package func permits(_ address: IPAddress) -> Bool {
        let embedded = address.embeddedIPv4
        let addresses = embedded.map { [address, $0] } ?? [address]
        if addresses.contains(where: { Self.isMetadata($0) }) {
            return self.allowedOnes.contains(address)
        }
        // What carries an IPv4 address ends there, so that address decides.
        if self.allowed.contains(where: { $0.contains(embedded ?? address) || $0.contains(address) }) { return true }
        return !addresses.contains { address in Self.reserved.contains { $0.contains(address) } }
    }

    private static func isMetadata(_ address: IPAddress) -> Bool { Self.metadata.contains { $0.contains(address) } }

    /// Where clouds tell a machine its credentials.
    private static let metadata = [
        "169.254.169.254",  // most clouds
        "169.254.170.2", "169.254.170.23", "fd00:ec2::23",  // containers of AWS
        "fd00:ec2::254",  // AWS over IPv6
        "fd20:ce::254",  // Google over IPv6
        "100.100.100.200",  // Alibaba
        "192.0.0.192",  // Oracle
        "168.63.129.16",  // Azure
    ].compactMap { AddressRange($0) }

    /// The addresses of special purpose (RFC 6890 and its successors) that are not addresses of one public host.
    private static let reserved = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
        "::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7",
        "fe80::/10", "fec0::/10", "ff00::/8",
    ].compactMap { AddressRange($0) }
}

extension IPAddress {
    /// The IPv4 address that a translated or tunnelled IPv6 address leads to: of NAT64 and of 6to4.
    fileprivate var embeddedIPv4: IPAddress? {
        let value: UInt32
        if self.high == 0x0064_FF9B_0000_0000, self.low >> 32 == 0 {
            value = UInt32(truncatingIfNeeded: self.low)
        } else if self.high >> 48 == 0x2002 {
            value = UInt32(truncatingIfNeeded: self.high >> 16)
        } else {
            return nil
        }
        let parts = stride(from: 24, through: 0, by: -8).map { "\(value >> UInt32($0) & 0xFF)" }
        return IPAddress(parts.joined(separator: "."))
    }
}
