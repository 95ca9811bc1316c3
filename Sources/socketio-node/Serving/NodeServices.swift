import Gateway
import Logging
import NIOCore
import RESP
import ServiceLifecycle
import SocketIOServer

/// The cluster and Redis, which the node leaves last.
struct ClusterService: Service {
    let server: SocketServer
    let io: IO
    let redis: RESPClient?

    func run() async throws {
        // Ends by throwing when the task is cancelled, which is the other way to stop.
        try? await gracefulShutdown()
        // What was published until the publish API ended.
        self.io.sendHeldUpdates()
        await self.io.withdraw()
        // The clients have left, of which webhooks are told.
        await self.io.finishWebhooks()
        await self.io.leave()
        await self.server.close()
        await self.redis?.close()
    }
}

/// The clients, who are told that the node ends before anybody else is.
struct ClientsService: Service {
    let server: SocketServer
    let io: IO
    let logger: Logger

    func run() async throws {
        try? await gracefulShutdown()
        self.io.sendHeldUpdates()
        await self.server.disconnectClients()
        self.logger.notice("The clients are disconnected")
    }
}

/// The internal listener, with an error for people if its address is taken.
struct ConsoleService: Service {
    let api: any Service
    let console: NodeConfiguration.Console

    func run() async throws {
        do {
            try await self.api.run()
        } catch let error as IOError {
            throw NodeStartError.listen(
                "The console",
                host: self.console.host,
                port: self.console.port,
                keys: "console.host or console.port, or set console.enabled to false",
                error
            )
        }
    }
}

/// The publish API, with an error for people if its address is taken.
///
/// It bounds the time of requests that are under way when the node ends itself.
struct PublishService: Service {
    let api: any Service
    let publish: NodeConfiguration.Publish

    func run() async throws {
        do {
            try await self.api.run()
        } catch let error as IOError {
            throw NodeStartError.listen(
                "The publish API",
                host: self.publish.host,
                port: self.publish.port,
                keys: "publish.host or publish.port, or set publish.enabled to false",
                error
            )
        }
    }
}
