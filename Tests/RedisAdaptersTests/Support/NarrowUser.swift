import Logging
import RESP
import RedisTestSupport
import SocketIOServer

/// A Redis user who has been granted some rights and no others.
enum NarrowUser {
    /// Starts a node as that user.
    ///
    /// - Parameters:
    ///   - rights: The rights, as `ACL SETUSER` takes them.
    ///   - configuration: The node's configuration.
    ///   - makeFactory: Makes the adapters' factory.
    /// - Throws: If Redis does not start, or can't be reached.
    /// - Returns: Why the node did not start; `nil` if it did.
    static func startNode(
        _ rights: [String],
        configuration: SocketServerConfiguration = SocketServerConfiguration(),
        _ makeFactory: (RESPClient, Logger) -> any AdapterFactory
    ) async throws -> (any Error)? {
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let server = try await RedisServer.start(
            arguments: ["--user", "narrow", "on", ">p", "resetchannels", "resetkeys"] + rights
        )
        let client = RESPClient(
            configuration: try RESPConfiguration(url: "redis://narrow:p@127.0.0.1:\(server.port)"),
            logger: logger
        )
        try await client.connect()
        let node = SocketServer(configuration: configuration, adapter: makeFactory(client, logger))
        var failure: (any Error)?
        do { try await node.start() } catch { failure = error }
        await node.close()
        await client.close()
        return failure
    }
}
