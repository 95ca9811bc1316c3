import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// An address could not be listened on.
public struct ListenError: Error, CustomStringConvertible {
    /// What was to be listened on.
    public let host: String
    /// The port on that host.
    public let port: Int
    /// What the system said.
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
