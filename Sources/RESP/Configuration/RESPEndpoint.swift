/// Where one Redis is.
public enum RESPEndpoint: Sendable, Hashable {
    /// Over TCP: a name or an address.
    case host(String, port: Int)
    /// On this machine.
    case unixSocket(path: String)
}
