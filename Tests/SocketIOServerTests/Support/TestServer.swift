import NIOCore
import SocketIOServer

/// A server on a free port for the length of a test.
struct TestServer {
    var configuration = SocketServerConfiguration()
    var adapter: any AdapterFactory = InMemoryAdapterFactory()
    var setUp: (SocketServer) -> Void = { _ in }

    func run(_ body: (SocketServer, SocketAddress) async throws -> Void) async throws {
        let server = SocketServer(configuration: self.configuration, adapter: self.adapter)
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
