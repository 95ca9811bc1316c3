import Logging
import Metrics
import NIOCore
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire

/// A server on a free port for the length of a test.
struct TestServer {
    var configuration = SocketServerConfiguration()
    var adapter: any AdapterFactory = InMemoryAdapterFactory()
    var logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    var metrics: any MetricsFactory = NOOPMetricsHandler.instance
    var setUp: (SocketServer) -> Void = { _ in }

    func run(_ body: (SocketServer, SocketAddress) async throws -> Void) async throws {
        let server = SocketServer(
            configuration: self.configuration,
            adapter: self.adapter,
            logger: self.logger,
            metricsFactory: self.metrics
        )
        self.setUp(server)
        try await server.start()
        let address = try await server.listen(host: "127.0.0.1", port: 0)
        do {
            try await body(server, address)
        } catch {
            await server.close()
            throw error
        }
        await server.close()
    }
}

extension TestClient {
    /// Sends CONNECT and reads the next frame's text, whatever it is.
    func connect(_ namespace: String = "/", auth: String = "") async throws -> String? {
        try await self.send(namespace == "/" ? "40\(auth)" : "40\(namespace),\(auth)")
        return await self.nextText()
    }

    /// Sends messages in one write, so that no time passes for the server between them.
    func send(together frames: [Frame]) async throws {
        var bytes = ByteBuffer()
        for frame in frames {
            let (opcode, payload): (WebSocketOpcode, ByteBuffer) =
                switch frame {
                case .text(let text): (.text, ByteBuffer(string: text))
                case .binary(let payload): (.binary, ByteBuffer(bytes: payload))
                case .close, .end: (.close, ByteBuffer())
                }
            bytes.writeMaskedWebSocketFrame(opcode, payload: payload, mask: WebSocketMask(0x1234_5678), isFinal: true)
        }
        try await self.send(raw: Array(buffer: bytes))
    }

    /// Whether nothing else has come before the answer to what is asked now.
    func hasNothingMore() async throws -> Bool {
        try await self.send("40/probe")
        return await self.next() == .text("44/probe,{\"message\":\"Invalid namespace\"}")
    }
}
