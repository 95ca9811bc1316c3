import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The server cannot listen on an address.
public struct ListenError: Error, CustomStringConvertible {
    /// The host that it was to listen on.
    public let host: String
    /// The port on that host.
    public let port: Int
    /// The error of the system.
    public let underlyingError: any Error

    init(host: String, port: Int, _ error: any Error) {
        self.host = host
        self.port = port
        self.underlyingError = error
    }

    /// The cause in words: `Address already in use`.
    public var reason: String {
        (self.underlyingError as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(self.underlyingError)"
    }

    /// The address and the cause.
    public var description: String { "can't listen on \(self.host):\(self.port): \(self.reason)" }
}
