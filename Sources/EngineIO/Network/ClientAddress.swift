/// The address of the client behind a request, if it is known.
package enum ClientAddress: Hashable, Sendable {
    case known(IPAddress)
    /// A trusted proxy asks for a client, but nobody can read for which one. It never counts as the proxy's own
    /// address.
    case unreadable
    /// The connection has no address, for example over a Unix domain socket.
    case missing

    /// The address of a connection's other end.
    init(peer: String) { self = IPAddress(peer).map(Self.known) ?? .missing }
}

extension ClientAddress: CustomStringConvertible {
    /// The address, `unreadable`, or nothing.
    package var description: String {
        switch self {
        case .known(let address): address.description
        case .unreadable: "unreadable"
        case .missing: ""
        }
    }
}
