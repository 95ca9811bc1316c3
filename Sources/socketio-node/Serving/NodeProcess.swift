import Console
import EngineIO
import Foundation
import Gateway
import Logging
import NIOCore
import NIOPosix
import RESP
import RedisAdapters
import ServiceLifecycle
import SocketIOServer
import UnixSignals

/// One node: connects, listens, serves, and leaves in order.
struct NodeProcess {
    private let configuration: NodeConfiguration
    private let redisOrigin: SettingOrigin
    /// Without a configuration file nobody has made an API token: one is made for this run.
    private let hasFile: Bool
    private let logger: Logger

    init(_ loaded: LoadedConfiguration, logger: Logger) {
        self.configuration = loaded.node
        self.redisOrigin = loaded.settings["adapter"]["redis"]["url"].origin
        self.hasFile = loaded.file != nil
        self.logger = logger
    }

    /// Runs until SIGTERM, SIGINT or SIGHUP.
    ///
    /// - Throws: ``NodeStartError`` if a service that it needs can't be reached, or an address is taken.
    func run() async throws {
        let listen = self.configuration.listen
        let group: any EventLoopGroup =
            listen.threads == 0
            ? MultiThreadedEventLoopGroup.singleton : MultiThreadedEventLoopGroup(numberOfThreads: listen.threads)
        let redis = try await self.connectRedis(group)
        let readiness = Readiness(grace: self.configuration.redis?.readinessGrace ?? .zero)
        let observer = redis?.onStateChange { [weak redis] state in
            let reason: String? = if case .disconnected(let error) = state { error.brief } else { nil }
            readiness.cluster(isReachable: state == .ready, reason: reason, since: redis?.outageSince)
        }
        defer { observer?.cancel() }

        var serverConfiguration = self.configuration.server
        let page = PublicPage(path: serverConfiguration.engine.path)
        serverConfiguration.engine.routes = { method, target in
            readiness.answer(method: method, target: target) ?? page.answer(method: method, target: target)
        }
        serverConfiguration.engine.page = page.answer
        let server = SocketServer(
            configuration: serverConfiguration,
            eventLoopGroup: group,
            adapter: self.adapter(redis),
            logger: Logger(label: "socketio")
        )
        var gateway = self.configuration.gateway
        let token = self.addTokenForThisRun(&gateway)
        let io = try await IO.install(on: server, configuration: gateway, logger: Logger(label: "gateway"))

        try await self.join(server)
        let address: SocketAddress
        do {
            address = try await server.listen(host: listen.host, port: listen.port)
        } catch {
            throw NodeStartError.listen(
                "The public port",
                host: listen.host,
                port: listen.port,
                keys: "listen.host or listen.port (--port)",
                error
            )
        }
        let banner = Banner(
            host: listen.host,
            port: address.port ?? listen.port,
            path: self.configuration.server.engine.path,
            adapter: redis.map { "redis \($0.configuration.redactedURL)" } ?? "memory (this node alone)",
            token: token,
            canPublish: gateway.apiTokens.contains { token in Scope.verbs.contains { token.ability.allowsVerb($0) } }
        )
        let services = self.services(server, io, gateway, redis, readiness, banner, group)
        try await ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services,
                gracefulShutdownSignals: ShutdownService.signals,
                logger: Logger(label: "services")
            )
        ).run()
        self.logger.notice("The node has stopped")
    }

    /// Shutdown goes through them in reverse: readiness, the publish API, then the clients and Redis.
    private func services(
        _ server: SocketServer,
        _ io: IO,
        _ gateway: GatewayConfiguration,
        _ redis: RESPClient?,
        _ readiness: Readiness,
        _ banner: Banner,
        _ group: any EventLoopGroup
    ) -> [ServiceGroupConfiguration.ServiceConfiguration] {
        func configuration(
            _ service: any Service,
            _ name: String
        )
            -> ServiceGroupConfiguration.ServiceConfiguration
        {
            ServiceGroupConfiguration.ServiceConfiguration(
                service: service,
                successTerminationBehavior: .gracefullyShutdownGroup,
                failureTerminationBehavior: .gracefullyShutdownGroup,
                serviceName: name
            )
        }
        var services = [configuration(NodeService(server: server, redis: redis, logger: self.logger), "node")]
        if let publish = self.configuration.publish {
            let api = PublishAPI(
                io: io,
                configuration: publish.api,
                logger: Logger(label: "publish"),
                health: { path in
                    readiness.answer(method: "GET", target: path).map { (status: $0.status, body: $0.body) }
                }
            )
            let service = api.service(host: publish.host, port: publish.port, eventLoopGroup: group) { address in
                banner.print(publishHost: publish.host, publishPort: address?.port ?? publish.port)
                readiness.started()
            }
            services.append(configuration(PublishService(api: service, publish: publish), "publish"))
        } else {
            banner.print(publishHost: nil, publishPort: nil)
            readiness.started()
        }
        let shutdown = ShutdownService(
            configuration: self.configuration.shutdown,
            readiness: readiness,
            eventLoop: group.next(),
            logger: self.logger
        )
        services.append(configuration(shutdown, "shutdown"))
        return services
    }

    // MARK: Redis

    private func connectRedis(_ group: any EventLoopGroup) async throws -> RESPClient? {
        guard let configuration = self.configuration.redis else { return nil }
        let client = RESPClient(
            configuration: configuration.connection,
            eventLoopGroup: group,
            logger: Logger(label: "redis")
        )
        do {
            try await client.connect()
        } catch {
            await client.close()
            throw NodeStartError.redis(configuration.connection.redactedURL, origin: self.redisOrigin, error)
        }
        return client
    }

    private func adapter(_ redis: RESPClient?) -> any AdapterFactory {
        guard let redis, let configuration = self.configuration.redis else { return InMemoryAdapterFactory() }
        return PubSubAdapterFactory(
            configuration: PubSubAdapterConfiguration(
                key: configuration.key,
                requestsTimeout: configuration.requestsTimeout,
                publishOnSpecificResponseChannel: configuration.publishOnSpecificResponseChannel
            ),
            client: redis,
            logger: Logger(label: "cluster")
        )
    }

    private func join(_ server: SocketServer) async throws {
        do {
            try await server.start()
        } catch {
            guard let redis = self.configuration.redis else { throw error }
            throw NodeStartError.redis(redis.connection.redactedURL, origin: self.redisOrigin, error)
        }
    }

    // MARK: First contact

    /// Makes a token that lives as long as the process, so that publishing can be tried without a configuration.
    ///
    /// Only where nothing is configured and the API is out of others' reach.
    private func addTokenForThisRun(_ gateway: inout GatewayConfiguration) -> String? {
        guard !self.hasFile, gateway.apiTokens.isEmpty, let publish = self.configuration.publish,
            ["127.0.0.1", "::1", "localhost"].contains(publish.host)
        else { return nil }
        if gateway.apiTokenSalt.isEmpty { gateway.apiTokenSalt = APIToken.makeKey() }
        let key = String(APIToken.makeKey().prefix(48))
        gateway.apiTokens = [
            APIToken(
                name: "this-run",
                kind: .custom,
                hash: APIToken.hash(of: key, salt: gateway.apiTokenSalt),
                scopes: [Scope("io.*")].compactMap(\.self)
            )
        ]
        return key
    }
}

/// The clients and the cluster, from the end of the start to the node's end.
struct NodeService: Service {
    let server: SocketServer
    let redis: RESPClient?
    let logger: Logger

    func run() async throws {
        // Ends by throwing when the task is cancelled, which is the other way to stop.
        try? await gracefulShutdown()
        await self.server.close()
        self.logger.notice("The clients are disconnected")
        await self.redis?.close()
    }
}

/// The publish API, with an error for people if its address is taken.
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

/// The first to hear of a shutdown: tells load balancers, waits for them, and sees to it that it ends in time.
struct ShutdownService: Service {
    let configuration: NodeConfiguration.Shutdown
    let readiness: Readiness
    let eventLoop: any EventLoop
    let logger: Logger

    func run() async throws {
        try? await gracefulShutdown()
        self.readiness.shuttingDown()
        self.logger.notice(
            "Shutting down",
            metadata: ["deadline": "\(self.configuration.deadline.nanoseconds / 1_000_000) ms"]
        )
        let logger = self.logger
        self.eventLoop.scheduleTask(in: self.configuration.deadline) {
            logger.error("The deadline for the shutdown has passed; the process ends with clients still connected")
            exit(1)
        }
        if self.configuration.delay > .zero { await self.waitForBalancers() }
    }

    /// Ends with the delay, or with another signal: somebody is in a hurry.
    private func waitForBalancers() async {
        let delay = self.configuration.delay.nanoseconds
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await Task.sleep(for: .nanoseconds(delay)) }
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: Self.signals) { return }
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// The signals that end the node.
    ///
    /// SIGHUP is one unless whoever started the node had it ignored, as `nohup` does.
    static let signals: [UnixSignal] = Self.ignoresHangup ? [.sigterm, .sigint] : [.sigterm, .sigint, .sighup]

    private static var ignoresHangup: Bool {
        var action = sigaction()
        guard sigaction(SIGHUP, nil, &action) == 0 else { return false }
        #if canImport(Darwin)
        let handler = action.__sigaction_u.__sa_handler
        #else
        let handler = action.__sigaction_handler.sa_handler
        #endif
        // `SIG_IGN` is the address 1; functions can't be compared otherwise.
        return unsafeBitCast(handler, to: Int.self) == 1
    }
}
