import NIOCore
import NIOPosix
import NIOSSL

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Where the next connection leads.
///
/// This is the place for a Sentinel or a Redis Cluster: they know which Redis it is now.
typealias RESPEndpointSource = @Sendable (any EventLoop) -> EventLoopFuture<RESPEndpoint>

/// Opens connections over TCP, with or without TLS, or to a Unix socket.
///
/// It resolves names each time, because a Redis may come back with another address.
func networkConnector(_ endpoints: RESPEndpointSource? = nil) -> RESPConnector {
    let contexts = TLSContexts()
    return { configuration, eventLoop in
        let endpoint = endpoints?(eventLoop) ?? eventLoop.makeSucceededFuture(configuration.endpoint)
        return endpoint.flatMap { endpoint in
            switch endpoint {
            case .unixSocket(let path):
                return bootstrap(configuration, eventLoop).connect(unixDomainSocketPath: path)
            case .host(let host, let port):
                guard let tls = configuration.tls else {
                    return bootstrap(configuration, eventLoop).connect(host: host, port: port)
                }
                return contexts.context(tls, on: eventLoop).flatMap { context in
                    bootstrap(configuration, eventLoop)
                        .channelInitializer { channel in
                            channel.eventLoop.makeCompletedFuture {
                                let handler = try NIOSSLClientHandler(context: context, host: tls.serverName ?? host)
                                try channel.pipeline.syncOperations.addHandler(handler)
                            }
                        }
                        .connect(host: host, port: port)
                }
            }
        }
    }
}

private func bootstrap(_ configuration: RESPConfiguration, _ eventLoop: any EventLoop) -> ClientBootstrap {
    var bootstrap = ClientBootstrap(group: eventLoop)
        .connectTimeout(configuration.connectTimeout)
        // This makes reads fewer and larger. One read may hold a hundred messages.
        .channelOption(
            .recvAllocator,
            value: AdaptiveRecvByteBufferAllocator(minimum: 4096, initial: 16384, maximum: 262_144)
        )
        .channelOption(.writeBufferWaterMark, value: .init(low: 262_144, high: 1_048_576))
    if case .host = configuration.endpoint {
        bootstrap = bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1)
    }
    return bootstrap
}

extension NIOSSLClientHandler {
    /// A certificate of an address names the address, and nobody is asked for by one.
    fileprivate convenience init(context: NIOSSLContext, host: String) throws {
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        try self.init(context: context, serverHostname: isAddress ? nil : host)
    }
}

extension RESPError {
    /// Why a connection could not be opened, in a few words.
    static func connecting(_ error: any Error, within timeout: TimeAmount) -> RESPError {
        if let error = error as? RESPError { return error }
        if let error = Self.tls(error, certificate: nil, now: time(nil)) { return error }
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
    static func start(_ error: RESPError, _ configuration: RESPConfiguration) -> RESPError {
        let url = configuration.redactedURL
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
        case .tls where configuration.tls == nil:
            error.message = "can't reach Redis at \(url): \(error.message). Write rediss:// in the URL."
        case .tls:
            error.message = "can't reach Redis at \(url): \(error.message)."
        // Closed without a word: so is what a Redis that wants TLS can't read.
        case .disconnected where configuration.tls == nil:
            error.message =
                "can't reach Redis at \(url): \(error.message). Check host and port in the URL; "
                + "if Redis speaks TLS there, write rediss:// in the URL."
        case .protocolViolation:
            error.message = "what answers at \(url) is no Redis: \(error.message). Check host and port in the URL."
        default:
            let advice =
                switch configuration.endpoint {
                case .unixSocket:
                    "Check that Redis listens on that path (unixsocket), and that this process may write to it."
                case .host:
                    configuration.tls == nil
                        ? "Check that Redis is running there, and host and port in the URL."
                        : "Check that Redis listens there with TLS (tls-port), and host and port in the URL."
                }
            error.message = "can't reach Redis at \(url): \(error.message). \(advice)"
        }
        return error
    }
}

extension String {
    fileprivate var lowercasedFirst: String { self.prefix(1).lowercased() + self.dropFirst() }
}
