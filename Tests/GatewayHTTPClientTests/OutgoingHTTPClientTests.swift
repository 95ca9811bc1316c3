import Foundation
import Gateway
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Testing

@testable import GatewayHTTPClient

@Suite(.timeLimit(.minutes(1))) struct OutgoingHTTPClientTests {
    /// Runs with a client that reaches this machine, or with the policy given.
    private func run(
        allowing: [String] = ["127.0.0.0/8"],
        roots: NIOSSLTrustRoots = .default,
        _ body: (OutgoingHTTPClient) async throws -> Void
    ) async throws {
        let client = OutgoingHTTPClient(
            policy: AddressPolicy(allowing: allowing),
            trustRoots: roots,
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton
        )
        do {
            try await body(client)
        } catch {
            await client.shutdown()
            throw error
        }
        await client.shutdown()
    }

    private func url(_ text: String) throws -> OutgoingURL { try #require(OutgoingURL(text)) }

    private func request(_ port: Int, _ path: String, redirects: Int) throws -> OutgoingRequest {
        var request = OutgoingRequest(.get, try self.url("http://127.0.0.1:\(port)\(path)"))
        request.maximumRedirects = redirects
        return request
    }

    /// How a request fails.
    private func failure(_ client: OutgoingHTTPClient, _ request: OutgoingRequest) async -> OutgoingError? {
        do {
            _ = try await client.send(request)
            return nil
        } catch {
            return error as? OutgoingError
        }
    }

    @Test func requestsArriveAndAnswersComeBackWhateverTheirStatus() async throws {
        let server = try await HTTPServer.start { head in
            head.uri == "/missing?x" ? .whole(.notFound, body: "no") : .whole(headers: [("ETag", "\"1\"")], body: "yes")
        }
        try await self.run { client in
            let posted = try await client.send(
                OutgoingRequest(
                    .post,
                    try self.url("http://127.0.0.1:\(server.port)/a"),
                    headers: [.init("X-One", "1")],
                    body: ByteBuffer(string: "hello")
                )
            )
            #expect(posted.status == 200)
            #expect(posted.body == ByteBuffer(string: "yes"))
            #expect(posted.header("etag") == "\"1\"")
            let missing = try await client.send(.init(.get, try self.url("http://127.0.0.1:\(server.port)/missing?x")))
            #expect(missing.status == 404)
            #expect(missing.body == ByteBuffer(string: "no"))
        }
        #expect(server.requests.map(\.body) == ["hello", ""])
        #expect(server.requests.map(\.head.method) == [.POST, .GET])
        #expect(server.requests[0].head.headers["X-One"] == ["1"])
        // A connection that is kept.
        #expect(server.connections == 1)
        try await server.stop()
    }

    /// A name, an address, and an address in a form that only the system understands.
    @Test(arguments: ["127.0.0.1", "localhost", "2130706433", "127.1", "[::ffff:127.0.0.1]"])
    func thisMachineIsNotReachedByDefault(_ host: String) async throws {
        let server = try await HTTPServer.start { _ in .whole(body: "secret") }
        try await self.run(allowing: []) { client in
            let error = await self.failure(client, .init(.get, try self.url("http://\(host):\(server.port)/")))
            // `localhost` may lead to an IPv6 address where nothing listens.
            #expect(error?.code == .forbiddenAddress || host == "localhost" && error?.code == .unreachable)
            #expect(error?.mayHaveArrived == false)
        }
        #expect(server.requests.isEmpty)
        try await server.stop()
    }

    @Test func redirectsAreReturnedUnlessAskedForAndTheirTargetsAreChecked() async throws {
        let server = try await HTTPServer.start { head in
            switch head.uri {
            case "/near": .whole(.found, headers: [("Location", "/end")])
            case "/far": .whole(.found, headers: [("Location", "http://127.0.0.2:1/x")])
            case "/odd": .whole(.found, headers: [("Location", "http://0x7f000002:1/x")])
            case "/loop": .whole(.found, headers: [("Location", "/loop")])
            default: .whole(body: "end")
            }
        }
        try await self.run(allowing: ["127.0.0.1"]) { client in
            let port = server.port
            let unasked = try await client.send(self.request(port, "/near", redirects: 0))
            #expect(unasked.status == 302)
            let near = try await client.send(self.request(port, "/near", redirects: 1))
            #expect(near.body == ByteBuffer(string: "end"))
            let far = await self.failure(client, try self.request(port, "/far", redirects: 3))
            #expect(far?.code == .forbiddenAddress)
            let odd = await self.failure(client, try self.request(port, "/odd", redirects: 3))
            #expect(odd?.code == .forbiddenAddress || odd?.code == .unreachable)
            let loop = await self.failure(client, try self.request(port, "/loop", redirects: 3))
            #expect(loop?.code == .redirect)
        }
        #expect(server.requests.filter { $0.head.uri == "/loop" }.count == 4)
        try await server.stop()
    }

    @Test func anAnswerWithoutEndEndsAtTheLimit() async throws {
        let server = try await HTTPServer.start { _ in .endless }
        try await self.run { client in
            var request = OutgoingRequest(.get, try self.url("http://127.0.0.1:\(server.port)/"), timeout: .minutes(1))
            request.maximumAnswerBytes = 10_000
            let error = await self.failure(client, request)
            #expect(error?.code == .answerTooLong)
            #expect(error?.mayHaveArrived == true)
        }
        try await server.stop()
    }

    @Test func theTimeIsForTheWholeAnswer() async throws {
        let server = try await HTTPServer.start { $0.uri == "/endless" ? .endless : .silence }
        try await self.run { client in
            for path in ["/silent", "/endless"] {
                var request = OutgoingRequest(.get, try self.url("http://127.0.0.1:\(server.port)\(path)"))
                request.timeout = .milliseconds(50)
                request.maximumAnswerBytes = .max
                #expect(await self.failure(client, request)?.code == .timedOut, "\(path)")
            }
        }
        try await server.stop()
    }

    @Test func failuresSayWhetherTheRequestMayHaveArrived() async throws {
        let server = try await HTTPServer.start { _ in .close }
        let url = try self.url("http://127.0.0.1:\(server.port)/")
        try await self.run { client in
            let broken = await self.failure(client, .init(.post, url))
            #expect(broken?.code == .unreachable)
            #expect(broken?.mayHaveArrived == true)
            try await server.stop()
            let refused = await self.failure(client, .init(.post, url))
            #expect(refused?.code == .unreachable)
            #expect(refused?.mayHaveArrived == false)
            await client.shutdown()
            let late = await self.failure(client, .init(.post, url))
            #expect(late?.code == .closed)
            #expect(late?.mayHaveArrived == false)
        }
    }

    @Test func aServerHasToShowACertificateThatIsTrusted() async throws {
        let certificate = try await Certificate()
        let tls = try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMFile(certificate.path).map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: certificate.keyPath, format: .pem))
            )
        )
        let server = try await HTTPServer.start(tls: tls) { _ in .whole(body: "over TLS") }
        let url = try self.url("https://127.0.0.1:\(server.port)/")
        try await self.run(roots: .certificates(try NIOSSLCertificate.fromPEMFile(certificate.path))) { client in
            let response = try await client.send(.init(.get, url))
            #expect(response.body == ByteBuffer(string: "over TLS"))
        }
        try await self.run { client in
            let error = await self.failure(client, .init(.get, url))
            #expect(error?.code == .unreachable)
            #expect(error?.mayHaveArrived == false)
        }
        #expect(server.requests.count == 1)
        try await server.stop()
    }

    @Test func aClientThatNobodyShutsDownEndsWithItsLastReference() async throws {
        let server = try await HTTPServer.start { _ in .whole(body: "x") }
        var client: OutgoingHTTPClient? = OutgoingHTTPClient(
            policy: AddressPolicy(allowing: ["127.0.0.1"]),
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton
        )
        _ = try await client?.send(.init(.get, try self.url("http://127.0.0.1:\(server.port)/")))
        weak let reference = client
        client = nil
        #expect(reference == nil)
        try await server.stop()
    }
}

/// A certificate for 127.0.0.1 that vouches for itself, made by `openssl` in a folder that goes with it.
private final class Certificate: Sendable {
    private let folder: String

    init() async throws {
        self.folder = NSTemporaryDirectory() + "outgoing-tls-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: self.folder, withIntermediateDirectories: true)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
            + [
                "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.keyPath, "-out",
                self.path,
            ]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        let status = try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
        try #require(status == 0, "openssl has made no certificate")
    }

    deinit { try? FileManager.default.removeItem(atPath: self.folder) }

    var path: String { "\(self.folder)/server.pem" }
    var keyPath: String { "\(self.folder)/server.key" }
}
