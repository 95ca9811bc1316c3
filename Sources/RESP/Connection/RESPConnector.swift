import NIOCore
import NIOPosix

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Opens a TCP connection.
///
/// It resolves names each time, because a Redis may come back with another address.
let tcpConnector: RESPConnector = { configuration, eventLoop in
    ClientBootstrap(group: eventLoop)
        .connectTimeout(configuration.connectTimeout)
        .channelOption(.tcpOption(.tcp_nodelay), value: 1)
        // This makes reads fewer and larger. One read may hold a hundred messages.
        .channelOption(
            .recvAllocator,
            value: AdaptiveRecvByteBufferAllocator(minimum: 4096, initial: 16384, maximum: 262_144)
        )
        .channelOption(.writeBufferWaterMark, value: .init(low: 262_144, high: 1_048_576))
        .connect(host: configuration.host, port: configuration.port)
}

extension RESPError {
    /// Why a connection could not be opened, in a few words.
    static func connecting(_ error: any Error, within timeout: TimeAmount) -> RESPError {
        if let error = error as? RESPError { return error }
        if let error = error as? ChannelError, case .connectTimeout = error {
            return RESPError(code: .connect, message: "no answer within \(Double(timeout.nanoseconds) / 1e9) s")
        }
        return RESPError(code: .connect, message: Self.reason(error))
    }

    /// The meaning of a network error, without names of types.
    static func reason(_ error: any Error) -> String {
        switch error {
        case let error as RESPError: return error.message
        case let error as IOError: return String(cString: strerror(error.errnoCode)).lowercasedFirst
        case let error as NIOConnectionError:
            if let failure = error.connectionErrors.first { return Self.reason(failure.error) }
            return "the name \"\(error.host)\" has no address"
        case let error as SocketAddressError:
            if case .unknown(let host, _) = error { return "the name \"\(host)\" has no address" }
            return "\(error)"
        default: return "\(error)"
        }
    }

    /// The error for a failed start: where, why, and what to check.
    static func start(_ error: RESPError, url: String) -> RESPError {
        var error = error
        switch error.code {
        case .authentication where error.hasServerCode("NOAUTH"):
            error.message =
                "Redis at \(url) wants a password (\(error.message)). Add it to the URL: redis://[user]:password@host:port."
        case .authentication:
            error.message =
                "Redis at \(url) refused user or password (\(error.message)). "
                + "Check both in the URL; special characters must be percent-encoded."
        case .unsuitable, .astray:
            error.message = "what answers at \(url) can't carry messages for all: \(error.message)."
        case _ where error.hasServerCode("DENIED"):
            error.message =
                "Redis at \(url) refused the connection: \(error.brief) "
                + "Set a password there and add it to the URL, or let Redis listen only where its users are."
        case _ where error.message.utf8.starts(with: "ERR max number of clients".utf8):
            error.message =
                "Redis at \(url) refused the connection: \(error.message). "
                + "Raise maxclients there, or end clients that nobody needs."
        case _ where error.isNotExecuted:
            error.message = "Redis at \(url) is not ready: \(error.message). Start again when it is."
        case _ where error.serverCode != nil:
            error.message =
                "Redis at \(url) refused the connection: \(error.message). Check the URL's database number and the user's rights."
        case .protocolViolation:
            error.message = "what answers at \(url) is no Redis: \(error.message). Check host and port in the URL."
        default:
            error.message =
                "can't reach Redis at \(url): \(error.message). "
                + "Check that Redis is running there, and host and port in the URL."
        }
        return error
    }
}

extension String {
    fileprivate var lowercasedFirst: String { self.prefix(1).lowercased() + self.dropFirst() }
}
