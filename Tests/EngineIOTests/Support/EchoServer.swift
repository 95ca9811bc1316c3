import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import EngineIO

/// The recording server: echoes each message, obeys the commands CLOSE, CLOSE-DISCARD and MANY, writes down what happens.
final class EchoServer: Sendable {
    enum Event: Hashable, Sendable, CustomStringConvertible {
        case close(String, description: String?)
        case refusal(HandshakeError)

        var description: String {
            switch self {
            case .close(let reason, let description): "close \(reason) \(description ?? "-")"
            case .refusal(let error):
                "refusal \(error.code.rawValue) \(error.message) \(error.context.sorted { $0.key < $1.key })"
            }
        }
    }

    /// Two loops, so that the requests of one session come over different ones.
    static let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)

    let server: EngineServer
    let address: SocketAddress
    private let recorded: NIOLockedValueBox<[Event]>

    init(
        _ configuration: EngineConfiguration = EngineConfiguration(),
        group: any EventLoopGroup = EchoServer.group
    ) async throws {
        let recorded = NIOLockedValueBox<[Event]>([])
        self.recorded = recorded
        var configuration = configuration
        configuration.onHandshakeError = { error in recorded.withLockedValue { $0.append(.refusal(error)) } }
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        self.server = EngineServer(configuration: configuration, eventLoopGroup: group, logger: logger) { session in
            EchoDelegate(recorded)
        }
        self.address = try await self.server.listen(host: "127.0.0.1", port: 0)
    }

    static func run(
        _ configuration: EngineConfiguration = EngineConfiguration(),
        group: any EventLoopGroup = EchoServer.group,
        _ body: (EchoServer) async throws -> Void
    ) async throws {
        let server = try await EchoServer(configuration, group: group)
        do {
            try await body(server)
        } catch {
            await server.server.close()
            throw error
        }
        await server.server.close()
    }

    var events: [Event] { self.recorded.withLockedValue { $0 } }

    func connect() async throws -> RawConnection { try await RawConnection(self.address) }

    /// Waits, without a clock, until something is so on the server's loops.
    func wait(until isTrue: @escaping @Sendable () -> Bool) async throws {
        while !isTrue() {
            try Task.checkCancellation()
            for loop in self.server.loops { try await loop.eventLoop.submit {}.get() }
        }
    }

    /// Waits until something is so for a session, or the session is gone.
    func wait(for id: String, until isTrue: @escaping @Sendable (EngineSession) -> Bool) async throws {
        while let session = SessionID(id).flatMap(self.server.session) {
            try Task.checkCancellation()
            let promise = session.loop.eventLoop.makePromise(of: Bool.self)
            session.loop.eventLoop.execute { session.perform { promise.succeed(isTrue($0)) } }
            if try await promise.futureResult.get() { return }
        }
    }

    /// Opens a polling session.
    ///
    /// - Returns: Its id.
    func handshake() async throws -> String {
        let connection = try await self.connect()
        try await connection.send("GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n")
        let response = try await connection.response()
        await connection.close()
        return try #require(response.text.sessionID)
    }

    /// Opens a WebSocket; its first frame has not been read.
    func webSocket(_ query: String = "") async throws -> RawConnection {
        let connection = try await self.connect()
        try await connection.send(Self.upgrade(query))
        let response = try await connection.response()
        #expect(response.status == "HTTP/1.1 101 Switching Protocols")
        return connection
    }

    static func upgrade(_ query: String = "") -> String {
        """
        GET /engine.io/?EIO=4&transport=websocket\(query) HTTP/1.1\r
        Host: x\r
        Connection: Upgrade\r
        Upgrade: websocket\r
        Sec-WebSocket-Version: 13\r
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
        \r

        """
    }
}

extension String {
    /// The session id in an open packet.
    var sessionID: String? {
        // In a JSON-P answer the quotation marks are escaped.
        let text = self.replacing("\\", with: "")
        guard let range = text.firstRange(of: #""sid":""#) else { return nil }
        return String(text[range.upperBound...].prefix(20))
    }
}

private final class EchoDelegate: EngineSessionDelegate {
    private let recorded: NIOLockedValueBox<[EchoServer.Event]>

    init(_ recorded: NIOLockedValueBox<[EchoServer.Event]>) { self.recorded = recorded }

    func session(_ session: EngineSession, didReceiveText text: ByteBuffer) {
        switch String(buffer: text) {
        case "CLOSE": session.close()
        case "CLOSE-DISCARD": session.close(discardingQueue: true)
        case "MANY":
            session.send(text: ByteBuffer(string: "one"))
            session.send(text: ByteBuffer(string: "two"))
            session.send(binary: ByteBuffer(bytes: [1, 2]))
        default: session.send(text: text)
        }
    }

    func session(_ session: EngineSession, didReceiveBinary bytes: ByteBuffer) { session.send(binary: bytes) }

    func sessionDidClose(_ session: EngineSession, reason: CloseReason, description: String?) {
        self.recorded.withLockedValue { $0.append(.close(reason.rawValue, description: description)) }
    }
}

extension EngineSession {
    var holdsPoll: Bool {
        if case .polling(let polling) = self.link { return polling.requests.get != nil }
        return false
    }

    var holdsPost: Bool {
        if case .polling(let polling) = self.link { return polling.requests.post != nil }
        return false
    }
}
