import AsyncHTTPClient
public import Gateway
import NIOConcurrencyHelpers
public import NIOCore
import NIOHTTP1
import NIOPosix
public import NIOSSL
public import ServiceLifecycle

import struct EngineIO.IPAddress

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Sends the gateway's requests to other servers, over connections that it keeps for a while.
///
/// Each connection is checked when it is there and before a byte of a request is on it. So it does not matter whether a
/// name was written, resolved, or redirected to: what counts is the address at the other end.
///
/// ```swift
/// import Gateway
/// import GatewayHTTPClient
/// import NIOPosix
/// import SocketIOServer
///
/// func install(on server: SocketServer) async throws -> IO {
///     let outgoing = OutgoingHTTPClient(
///         policy: AddressPolicy(allowing: ["10.0.0.0/8"]),
///         eventLoopGroup: MultiThreadedEventLoopGroup.singleton
///     )
///     return try await IO.install(on: server, configuration: GatewayConfiguration(), outgoing: outgoing)
/// }
/// ```
public final class OutgoingHTTPClient: OutgoingHTTP, Service {
    private let client: HTTPClient
    private let policy: AddressPolicy
    private let isShutDown = NIOLockedValueBox(false)

    /// Makes a client.
    ///
    /// - Parameters:
    ///   - policy: Which addresses it reaches.
    ///   - trustRoots: The certificates that those of servers must derive from.
    ///   - eventLoopGroup: Where it works. It stays the caller's.
    public init(
        policy: AddressPolicy = AddressPolicy(),
        trustRoots: NIOSSLTrustRoots = .default,
        eventLoopGroup: any EventLoopGroup
    ) {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.timeout.connect = .seconds(5)
        // Whoever sends a request decides whether to send it again.
        configuration.connectionPool.retryConnectionEstablishment = false
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        tls.trustRoots = trustRoots
        configuration.tlsConfiguration = tls
        configuration.http1_1ConnectionDebugInitializer = { channel in
            if let address = channel.remoteAddress?.ipAddress, let parsed = IPAddress(address), policy.permits(parsed) {
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            channel.close(promise: nil)
            return channel.eventLoop.makeFailedFuture(ForbiddenAddress(address: channel.remoteAddress?.ipAddress))
        }
        self.policy = policy
        self.client = HTTPClient(eventLoopGroup: eventLoopGroup, configuration: configuration)
    }

    deinit {
        guard !self.isShutDown.withLockedValue({ $0 }) else { return }
        self.client.shutdown { _ in }
    }

    /// Ends the client when the program shuts down.
    public func run() async throws {
        // Ends by throwing when the task is cancelled, which is the other way to stop.
        try? await gracefulShutdown()
        await self.shutdown()
    }

    /// Ends the client; requests that are under way fail.
    public func shutdown() async {
        let isFirst = self.isShutDown.withLockedValue { isShutDown in
            defer { isShutDown = true }
            return !isShutDown
        }
        guard isFirst else { return }
        await withCheckedContinuation { continuation in
            self.client.shutdown { _ in continuation.resume() }
        }
    }

    /// Sends a request, and returns the answer with its whole body, whatever its status is.
    public func send(_ request: OutgoingRequest) async throws -> OutgoingResponse {
        let deadline = request.timeout
        return try await withThrowingTaskGroup(of: OutgoingResponse?.self) { group in
            group.addTask { try await self.follow(request) }
            group.addTask {
                try await Task.sleep(nanoseconds: UInt64(max(0, deadline.nanoseconds)))
                return nil
            }
            defer { group.cancelAll() }
            if case .some(.some(let response)) = try await group.next() { return response }
            throw OutgoingError(
                .timedOut,
                "\(request.url.origin) has not answered completely within \(deadline.nanoseconds / 1_000_000) ms",
                mayHaveArrived: true
            )
        }
    }

    private func follow(_ request: OutgoingRequest) async throws -> OutgoingResponse {
        var request = request
        var redirects = 0
        while true {
            let response = try await self.exchange(request)
            guard request.maximumRedirects > 0, let next = try request.redirected(by: response, after: redirects) else {
                return response
            }
            redirects += 1
            request = next
        }
    }

    private func exchange(_ request: OutgoingRequest) async throws -> OutgoingResponse {
        // An address that is written down needs no connection to be looked at.
        if let address = IPAddress(request.url.host), !self.policy.permits(address) {
            throw OutgoingError(forbidden: request.url, address: request.url.host)
        }
        var message = HTTPClientRequest(url: request.url.description)
        message.method = HTTPMethod(rawValue: request.method.rawValue)
        for header in request.headers { message.headers.add(name: header.name, value: header.value) }
        if let body = request.body { message.body = .bytes(body) }
        do {
            let response = try await self.client.execute(message, timeout: request.timeout)
            let body = try await response.body.collect(upTo: request.maximumAnswerBytes)
            return OutgoingResponse(
                status: Int(response.status.code),
                headers: response.headers.map { OutgoingRequest.Header($0.name, $0.value) },
                body: body
            )
        } catch {
            throw OutgoingError(error, request)
        }
    }
}

/// The connection leads to where no request goes.
private struct ForbiddenAddress: Error {
    var address: String?
}

extension OutgoingError {
    fileprivate init(forbidden url: OutgoingURL, address: String?) {
        self.init(
            .forbiddenAddress,
            "\(url.origin) is at \(address ?? "an unknown address"), which is not a public one; if it is meant, allow its "
                + "network in the client's address policy",
            mayHaveArrived: false
        )
    }

    /// What the HTTP library says.
    fileprivate init(_ error: any Error, _ request: OutgoingRequest) {
        let origin = request.url.origin
        switch error {
        case let error as ForbiddenAddress:
            self.init(forbidden: request.url, address: error.address)
        case is NIOTooManyBytesError:
            self.init(
                .answerTooLong,
                "\(origin) has answered with more than \(request.maximumAnswerBytes) bytes",
                mayHaveArrived: true
            )
        case let error as HTTPClientError where error == .alreadyShutdown:
            self.init(.closed, "The client was shut down before it asked \(origin)", mayHaveArrived: false)
        case let error as HTTPClientError where [.deadlineExceeded, .readTimeout].contains(error):
            self.init(.timedOut, "\(origin) has not answered in time", mayHaveArrived: true)
        case is CancellationError:
            self.init(.timedOut, "\(origin) has not answered in time", mayHaveArrived: true)
        default:
            self.init(
                .unreachable,
                "\(origin) could not be asked: \(error)",
                mayHaveArrived: !Self.isFailureToConnect(error)
            )
        }
    }

    private static func isFailureToConnect(_ error: any Error) -> Bool {
        switch error {
        case is NIOConnectionError, is NIOSSLError, is NIOSSLExtraError: true
        // Nothing but connecting fails with these; others may be those of a connection that broke.
        case let error as IOError: [ECONNREFUSED, EADDRNOTAVAIL].contains(error.errnoCode)
        case let error as HTTPClientError:
            [.connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout].contains(error)
        default: false
        }
    }
}
