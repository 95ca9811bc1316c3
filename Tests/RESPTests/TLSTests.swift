import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RedisTestSupport
import SocketIOTestSupport
import Testing

@testable import RESP

private let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// Certificates, made by `openssl` in a folder of their own that goes when they do.
private final class Certificates: Sendable {
    let folder: String

    init() async throws {
        self.folder = NSTemporaryDirectory() + "resp-tls-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: self.folder, withIntermediateDirectories: true)
        for name in ["ca", "other-ca"] {
            try await self.openssl(
                ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
                    + ["-subj", "/CN=\(name)", "-keyout", self.path("\(name).key"), "-out", self.path("\(name).pem")]
            )
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: self.folder) }

    func path(_ name: String) -> String { "\(self.folder)/\(name)" }

    /// A certificate with its key: `name.pem`, `name.key`; one that has expired if the days are negative.
    func make(
        _ name: String,
        names: String = "IP:127.0.0.1,DNS:localhost",
        days: Int = 1,
        ca: String = "ca"
    ) async throws {
        try "subjectAltName=\(names)\n".write(toFile: self.path("\(name).ext"), atomically: true, encoding: .utf8)
        try await self.openssl(
            ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=\(name)"]
                + ["-keyout", self.path("\(name).key"), "-out", self.path("\(name).csr")]
        )
        try await self.openssl(
            ["x509", "-req", "-in", self.path("\(name).csr"), "-CA", self.path("\(ca).pem")]
                + ["-CAkey", self.path("\(ca).key"), "-CAcreateserial", "-extfile", self.path("\(name).ext")]
                + ["-days", "\(days)", "-out", self.path("\(name).pem")]
        )
    }

    /// Runs `openssl`, and waits without holding a thread.
    ///
    /// What it prints goes to a file: a pipe may be held open by whatever this process starts at the same moment.
    private func openssl(_ arguments: [String]) async throws {
        let log = self.path("openssl.log")
        try Data().write(to: URL(fileURLWithPath: log))
        let output = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        let status = try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
        try output.close()
        let text = try String(contentsOfFile: log, encoding: .utf8)
        try #require(status == 0, "openssl \(arguments.joined(separator: " ")): \(text)")
    }

    /// A Redis that speaks TLS only.
    func startRedis(_ name: String = "server", clients: String = "no") async throws -> (RedisServer, port: Int) {
        let port = try RedisServer.freePort()
        let server = try await RedisServer.start(arguments: [
            "--tls-port", "\(port)", "--tls-cert-file", self.path("\(name).pem"),
            "--tls-key-file", self.path("\(name).key"), "--tls-ca-cert-file", self.path("ca.pem"),
            "--tls-auth-clients", clients,
        ])
        return (server, port)
    }

    func configuration(_ port: Int, host: String = "127.0.0.1", ca: String = "ca") throws -> RESPConfiguration {
        var configuration = try RESPConfiguration(url: "rediss://\(host):\(port)")
        configuration.tls?.caFile = self.path("\(ca).pem")
        return configuration
    }
}

/// Against Debian's `redis-server --tls-port`.
@Suite(.timeLimit(.minutes(1)))
struct TLSTests {
    private func failure(_ configuration: RESPConfiguration) async throws -> String {
        let client = RESPClient(configuration: configuration, logger: logger)
        let error = await #expect(throws: RESPError.self) { try await client.connect() }
        await client.close()
        return error?.message ?? ""
    }

    private func ping(_ configuration: RESPConfiguration) async throws -> String? {
        let client = RESPClient(configuration: configuration, logger: logger)
        do {
            try await client.connect()
            let reply = try await client.send("PING").stringValue
            await client.close()
            return reply
        } catch {
            await client.close()
            throw error
        }
    }

    @Test func everythingTravelsEncrypted() async throws {
        let certificates = try await Certificates()
        try await certificates.make("server")
        let (server, port) = try await certificates.startRedis()
        for host in ["127.0.0.1", "localhost"] {
            let client = RESPClient(configuration: try certificates.configuration(port, host: host), logger: logger)
            try await client.connect()
            let (messages, continuation) = AsyncStream<Int>.makeStream()
            let subscription = try await client.subscribe(channels: ["c"]) {
                continuation.yield($0.payload.readableBytes)
            }
            try client.publish(channel: "c", message: ByteBuffer(repeating: 97, count: 1_000_000))
            for await length in messages {
                #expect(length == 1_000_000)
                break
            }
            await subscription.cancel()
            await client.close()
        }
        server.stop()
    }

    @Test func comesBackAfterALossAndReadsTheFilesAgain() async throws {
        let certificates = try await Certificates()
        try await certificates.make("server")
        let (server, port) = try await certificates.startRedis()
        let client = RESPClient(configuration: try certificates.configuration(port), logger: logger)
        let (states, continuation) = AsyncStream<RESPClientState>.makeStream()
        client.onStateChange { continuation.yield($0) }
        try await client.connect()
        // Another CA signs Redis's certificate from now on: unknown, until the client's file names it.
        server.stop()
        try await certificates.make("server", ca: "other-ca")
        try await server.start()
        for await state in states {
            if case .disconnected(let error) = state, error.code == .tls { break }
        }
        try FileManager.default.removeItem(atPath: certificates.path("ca.pem"))
        try FileManager.default.copyItem(atPath: certificates.path("other-ca.pem"), toPath: certificates.path("ca.pem"))
        for await state in states where state == .ready { break }
        #expect(try await client.send("PING").stringValue == "PONG")
        await client.close()
    }

    @Test func clientCertificates() async throws {
        let certificates = try await Certificates()
        try await certificates.make("server")
        try await certificates.make("client")
        try await certificates.make("stranger", ca: "other-ca")
        let (server, port) = try await certificates.startRedis(clients: "yes")
        var configuration = try certificates.configuration(port)
        let needed = try await self.failure(configuration)
        #expect(needed.contains("wants a certificate of this client"), "\(needed)")
        configuration.tls?.certificateFile = certificates.path("client.pem")
        #expect(try await self.failure(configuration).contains("has no key; name its file"))
        configuration.tls?.keyFile = certificates.path("client.key")
        #expect(try await self.ping(configuration) == "PONG")
        configuration.tls?.keyFile = certificates.path("stranger.key")
        #expect(try await self.failure(configuration).contains("don't belong together"))
        configuration.tls?.certificateFile = certificates.path("stranger.pem")
        let refused = try await self.failure(configuration)
        #expect(refused.contains("Redis refused this client's certificate"), "\(refused)")
        server.stop()
    }

    @Test func whoIsNotRedisIsNotTrusted() async throws {
        let certificates = try await Certificates()
        try await certificates.make("server")
        try await certificates.make("old", days: -1)
        try await certificates.make("named", names: "DNS:redis.example")
        let (server, port) = try await certificates.startRedis()
        let (old, oldPort) = try await certificates.startRedis("old")
        let (named, namedPort) = try await certificates.startRedis("named")
        let unknown = try await self.failure(try certificates.configuration(port, ca: "other-ca"))
        #expect(unknown.contains("signed by nobody who is trusted here"), "\(unknown)")
        #expect(unknown.contains("rediss://127.0.0.1:\(port)"))
        let system = try await self.failure(try RESPConfiguration(url: "rediss://127.0.0.1:\(port)"))
        #expect(system.contains("signed by nobody who is trusted here"), "\(system)")
        let expired = try await self.failure(try certificates.configuration(oldPort))
        #expect(expired.contains("certificate has expired. Renew it there"), "\(expired)")
        for host in ["127.0.0.1", "localhost"] {
            let other = try await self.failure(try certificates.configuration(namedPort, host: host))
            #expect(other.contains("is for another name"), "\(other)")
        }
        // The name may be told; and all of that be left.
        var configuration = try certificates.configuration(namedPort)
        configuration.tls?.serverName = "redis.example"
        #expect(try await self.ping(configuration) == "PONG")
        configuration = try certificates.configuration(oldPort, ca: "other-ca")
        configuration.tls?.insecurelySkipsVerification = true
        #expect(try await self.ping(configuration) == "PONG")
        for server in [server, old, named] { server.stop() }
    }

    @Test func tlsOnOneSideOnly() async throws {
        let certificates = try await Certificates()
        try await certificates.make("server")
        let (server, port) = try await certificates.startRedis()
        var configuration = try certificates.configuration(server.port)
        configuration.connectTimeout = .seconds(1)
        let plain = try await self.failure(configuration)
        #expect(plain.contains("tls-port"), "\(plain)")
        let encrypted = try await self.failure(try RESPConfiguration(url: "redis://127.0.0.1:\(port)"))
        #expect(encrypted.contains("if Redis speaks TLS there, write rediss:// in the URL."), "\(encrypted)")
        // Others refuse with an alert of TLS.
        let alert = try await RawRedis.serveOnce("\u{15}\u{3}\u{1}\u{0}\u{2}\u{2}F")
        let refused = try await self.failure(try RESPConfiguration(url: "redis://127.0.0.1:\(alert)"))
        #expect(refused.contains("speaks TLS. Write rediss:// in the URL."), "\(refused)")
    }

    @Test func filesThatCannotBeUsed() async throws {
        let certificates = try await Certificates()
        try await certificates.make("server")
        var configuration = try RESPConfiguration(url: "rediss://127.0.0.1:1")
        configuration.tls?.caFile = certificates.path("nowhere.pem")
        let missing = try await self.failure(configuration)
        #expect(missing.contains("can't read the file of the CA certificates \(certificates.path("nowhere.pem"))"))
        configuration.tls?.caFile = certificates.folder
        #expect(try await self.failure(configuration).contains("can't read the file of the CA certificates"))
        configuration.tls?.caFile = certificates.path("server.key")
        #expect(try await self.failure(configuration).contains("holds no certificate in PEM"))
        configuration.tls?.caFile = nil
        configuration.tls?.keyFile = certificates.path("server.key")
        #expect(try await self.failure(configuration).contains("has no certificate; name its file"))
        configuration.tls?.certificateFile = certificates.path("server.key")
        #expect(try await self.failure(configuration).contains("holds no certificate in PEM"))
        configuration.tls?.certificateFile = certificates.path("server.pem")
        configuration.tls?.keyFile = certificates.path("server.pem")
        #expect(try await self.failure(configuration).contains("is no private key in PEM"))
        configuration.tls = RESPTLS()
        configuration.tls?.serverName = "\u{0}"
        #expect(try await self.failure(configuration).hasPrefix("can't reach Redis"))
    }

    /// A client whose Redis is not verified says so whenever it starts.
    @Test func skippedVerificationIsLogged() async throws {
        let log = LogLines()
        var configuration = try RESPConfiguration(url: "rediss://127.0.0.1:1")
        configuration.tls?.insecurelySkipsVerification = true
        let client = RESPClient(configuration: configuration, logger: log.logger())
        for _ in 0..<2 { await #expect(throws: RESPError.self) { try await client.connect() } }
        await client.close()
        #expect(log.all.filter { $0.contains("TLS to Redis is not verified") }.count == 2)
    }

    @Test func unixSocket() async throws {
        let path = NSTemporaryDirectory() + "resp \(UUID().uuidString.prefix(8)).sock"
        let server = try await RedisServer.start(arguments: [
            "--unixsocket", path, "--requirepass", "p@ss",
        ])
        let encoded = path.replacingOccurrences(of: " ", with: "%20")
        for scheme in ["unix", "redis+unix", "redis-socket"] {
            let configuration = try RESPConfiguration(url: "\(scheme)://:p%40ss@\(encoded)?db=2")
            let client = RESPClient(configuration: configuration, logger: logger)
            try await client.connect()
            #expect(try await client.send("CLIENT", "INFO").stringValue?.contains(" db=2 ") == true)
            let subscription = try await client.subscribe(channels: ["c"]) { _ in }
            await subscription.cancel()
            await client.close()
        }
        server.stop()
        let missing = try await self.failure(try RESPConfiguration(url: "unix:///nowhere/redis.sock"))
        #expect(
            missing
                == "can't reach Redis at unix:///nowhere/redis.sock: no such file or directory. "
                + "Check that Redis listens on that path (unixsocket), and that this process may write to it."
        )
    }
}
