import struct EngineIO.AddressRange
import struct EngineIO.IPAddress

/// The checks that need only the address and the principal of a connection, in the order in which they are made.
struct ConnectionChecks: Sendable {
    /// If there are any, only these may connect.
    var whitelist: [AddressRange] = []
    /// These may not connect.
    var blacklist: [AddressRange] = []
    /// The most sockets of the main namespace on this node; `nil` if there is no limit.
    var maximumConnections: Int?
    /// Whether clients without credentials are refused.
    var requiresAuthentication = false

    /// Whether a client at that address may connect, to a node with so many sockets.
    func check(address: String, connections: Int) throws(ConnectionRefusal) {
        try self.check(address: address)
        if let maximum = self.maximumConnections, connections >= maximum { throw .maximumConnections }
    }

    /// Whether a client at that address may connect, however many there are.
    func check(address: String) throws(ConnectionRefusal) {
        let parsed = IPAddress(address)
        if !self.whitelist.isEmpty {
            guard let parsed, self.whitelist.contains(where: { $0.contains(parsed) }) else { throw .notWhitelisted }
        }
        if !self.blacklist.isEmpty, parsed.map({ address in self.blacklist.contains { $0.contains(address) } }) ?? true
        {
            // If the address is unknown, it may be a blacklisted one.
            throw .blacklisted
        }
    }

    /// Whether both let clients of the same addresses connect.
    func hasSameAddresses(as other: ConnectionChecks) -> Bool {
        self.whitelist == other.whitelist && self.blacklist == other.blacklist
    }

    /// Whether that principal may connect.
    func check(_ principal: Principal) throws(ConnectionRefusal) {
        if self.requiresAuthentication && !principal.isAuthenticated { throw .authenticationRequired }
        if let role = principal.role, !role.canConnect { throw .roleNotAllowed(role.type) }
    }
}
