import Console
import EngineIO
import Foundation
import Gateway
import Logging
import Metrics
import NIOCore
import NIOPosix
import RESP
import ServiceLifecycle
import SocketIOServer

/// One node: connects, listens, serves, and leaves in order.
struct NodeProcess {
    var loaded: LoadedConfiguration
    /// Reads everything again, with a settings document.
    let load: NodeSettings.Load
    let log: NodeLog
    let logger: Logger
    /// `nil` if nobody can read metrics.
    private let metrics: MetricRegistry?

    init(_ loaded: LoadedConfiguration, load: @escaping NodeSettings.Load, log: NodeLog, logger: Logger) {
        self.loaded = loaded
        self.load = load
        self.log = log
        self.logger = logger
        self.metrics = loaded.node.console.map { _ in MetricRegistry(logger: Logger(label: "metrics")) }
    }

    var configuration: NodeConfiguration { self.loaded.node }

    private var redisOrigin: SettingOrigin { self.loaded.settings["adapter"]["redis"]["url"].origin }

    /// Where everything in the node counts.
    private var metricsFactory: any MetricsFactory { self.metrics ?? NOOPMetricsHandler.instance }

    /// Runs until SIGTERM or SIGINT.
    ///
    /// - Throws: ``NodeStartError`` if a service that it needs can't be reached, or an address is taken.
    func run() async throws {
        self.describeProcess()
        let threads = self.configuration.listen.threads
        let group: any EventLoopGroup =
            threads == 0
            ? MultiThreadedEventLoopGroup.singleton : MultiThreadedEventLoopGroup(numberOfThreads: threads)
        let redis = try await self.connectRedis(group)
        let sharing = self.sharing(redis)
        try await self.withDocument(sharing).serve(redis, sharing, group)
    }

    private func serve(_ redis: RESPClient?, _ sharing: Sharing, _ group: any EventLoopGroup) async throws {
        let descriptors = DescriptorPlan(self.configuration)
        descriptors.log(to: self.logger)
        let listen = self.configuration.listen
        let readiness = self.readiness()
        let observer = redis?.onStateChange { [weak redis] state in
            let reason: String? = if case .disconnected(let error) = state { error.brief } else { nil }
            readiness.cluster(isReachable: state == .ready, reason: reason, since: redis?.outageSince)
        }
        defer { observer?.cancel() }

        var serverConfiguration = self.configuration.server
        serverConfiguration.engine.limits.reservedDescriptors = descriptors.reserved
        let page = PublicPage(path: serverConfiguration.engine.path)
        serverConfiguration.engine.routes = { method, target in
            readiness.answer(method: method, target: target) ?? page.answer(method: method, target: target)
        }
        serverConfiguration.engine.page = page.answer
        if self.configuration.redis?.whenLost == .stopAccepting {
            serverConfiguration.engine.refusesSessions = { readiness.refusesClients() }
        }
        let server = SocketServer(
            configuration: serverConfiguration,
            eventLoopGroup: group,
            adapter: self.adapter(redis),
            logger: Logger(label: "socketio"),
            metricsFactory: self.metricsFactory
        )
        var gateway = self.configuration.gateway
        let token = self.addTokenForThisRun(&gateway)
        let outgoing = try self.outgoing(group)
        // The name under which other nodes know it, if one does not answer.
        gateway.nodeName =
            self.configuration.redis?.cluster.address
            ?? NodeConfiguration.Adapter.address(of: listen, hostName: ProcessInfo.processInfo.hostName)
        let io = try await IO.install(
            on: server,
            configuration: gateway,
            sharing: sharing,
            outgoing: outgoing,
            logger: Logger(label: "gateway"),
            metricsFactory: self.metricsFactory
        )

        let current = CurrentConfiguration(self.configuration)
        let settings = self.settings(with: token == nil ? nil : gateway)
        self.follow(settings, server, current)
        let live = try await io.follow(settings)

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
            adapter: self.configuration.redis?.summary ?? "memory (this node alone)",
            token: token,
            canPublish: gateway.apiTokens.contains { token in Scope.verbs.contains { token.ability.allowsVerb($0) } }
        )
        let watchdog = ShutdownWatchdog(
            deadline: current.value.shutdown.deadline,
            onDeadline: ShutdownWatchdog.end(self.log, self.logger)
        )
        watchdog.watch(ShutdownService.signals)
        var services = self.services(
            server,
            io,
            redis,
            readiness,
            banner,
            group,
            watchdog,
            descriptors,
            settings,
            current
        )
        services.insert(Self.service(SettingsService(settings: live, logger: self.logger), "settings"), at: 1)
        // Everything else may need it until it has ended.
        services.insert(Self.service(outgoing, "outgoing"), at: 0)
        try await ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services,
                gracefulShutdownSignals: ShutdownService.signals,
                logger: Logger(label: "services")
            )
        ).run()
        self.logger.notice("The node has stopped")
    }

    /// Shutdown goes through them in reverse: readiness, the clients, the publish API, the console, then the cluster.
    ///
    /// So clients are told first, whatever back ends are doing, and what back ends still publish reaches other nodes.
    private func services(
        _ server: SocketServer,
        _ io: IO,
        _ redis: RESPClient?,
        _ readiness: Readiness,
        _ banner: Banner,
        _ group: any EventLoopGroup,
        _ watchdog: ShutdownWatchdog,
        _ descriptors: DescriptorPlan,
        _ settings: NodeSettings,
        _ current: CurrentConfiguration
    ) -> [ServiceGroupConfiguration.ServiceConfiguration] {
        let log = self.log
        var services = [Self.service(ClusterService(server: server, io: io, redis: redis), "cluster")]
        let health: PublishAPI.Health = { path in
            readiness.answer(method: "GET", target: path).map { (status: $0.status, body: $0.body) }
        }
        if let console = self.console(io, health, group) { services.append(Self.service(console, "console")) }
        if let publish = self.configuration.publish {
            var accepted = publish.api
            accepted.maximumConnections = descriptors.publishConnections
            let api = PublishAPI(
                io: io,
                configuration: accepted,
                logger: Logger(label: "publish"),
                eventIDs: self.sharedEventIDs(redis, publish, group),
                health: health
            )
            settings.onChange { api.reconfigure($0.publishing.api) }
            let service = api.service(host: publish.host, port: publish.port, eventLoopGroup: group) { address in
                log.say(banner.text(publishHost: publish.host, publishPort: address?.port ?? publish.port))
                readiness.started()
            }
            services.append(Self.service(PublishService(api: service, publish: publish), "publish"))
            if let stream = self.publishStream(io, publish, group) {
                services.append(Self.service(stream, "publish stream"))
            }
        } else {
            log.say(banner.text(publishHost: nil, publishPort: nil))
            readiness.started()
        }
        services.append(Self.service(ClientsService(server: server, io: io, logger: self.logger), "clients"))
        let shutdown = ShutdownService(
            configuration: current.value.shutdown,
            readiness: readiness,
            watchdog: watchdog,
            logger: self.logger
        )
        services.append(Self.service(shutdown, "shutdown"))
        return services
    }

    private static func service(
        _ service: any Service,
        _ name: String
    ) -> ServiceGroupConfiguration.ServiceConfiguration {
        ServiceGroupConfiguration.ServiceConfiguration(
            service: service,
            successTerminationBehavior: .gracefullyShutdownGroup,
            failureTerminationBehavior: .gracefullyShutdownGroup,
            serviceName: name
        )
    }

    // MARK: The console

    private func console(
        _ io: IO,
        _ health: @escaping PublishAPI.Health,
        _ group: any EventLoopGroup
    ) -> ConsoleService? {
        guard let console = self.configuration.console, let metrics = self.metrics else { return nil }
        let logger = Logger(label: "console")
        io.monitoring.setDetails { metrics.details(version: NodeVersion.text) }
        let api = ConsoleAPI(metrics: metrics, io: io, logger: logger, eventLoop: group.next(), health: health)
        let service = api.service(host: console.host, port: console.port, eventLoopGroup: group) { address in
            let host = console.host.contains(":") ? "[\(console.host)]" : console.host
            logger.notice(
                "The console listens; everybody who can reach it reads the metrics, and a token with io.monitor the rest",
                metadata: ["url": "http://\(host):\(address?.port ?? console.port)/metrics"]
            )
        }
        return ConsoleService(api: service, console: console)
    }

    /// What never changes while the process runs.
    private func describeProcess() {
        let version = [("version", NodeVersion.text)]
        Gauge(label: "socketio_build_info", dimensions: version, factory: self.metricsFactory).record(1)
        Gauge(label: "process_start_time_seconds", factory: self.metricsFactory).record(Date().timeIntervalSince1970)
    }

    // MARK: Redis

    private func connectRedis(_ group: any EventLoopGroup) async throws -> RESPClient? {
        guard let configuration = self.configuration.redis else { return nil }
        let client = RESPClient(
            configuration: configuration.connection,
            eventLoopGroup: group,
            logger: Logger(label: "redis"),
            metricsFactory: self.metricsFactory
        )
        do {
            try await client.connect()
        } catch {
            await client.close()
            throw NodeStartError.redis(configuration.connection.redactedURL, origin: self.redisOrigin, error)
        }
        return client
    }

    private func readiness() -> Readiness {
        guard let redis = self.configuration.redis else { return Readiness() }
        return Readiness(
            grace: redis.readinessGrace,
            whenLost: redis.whenLost,
            whenLostGrace: redis.whenLostGrace,
            logger: Logger(label: "cluster")
        )
    }

    private func adapter(_ redis: RESPClient?) -> any AdapterFactory {
        guard let redis, let configuration = self.configuration.redis else { return InMemoryAdapterFactory() }
        return configuration.adapter(
            client: redis,
            logger: Logger(label: "cluster"),
            metrics: self.metricsFactory
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
        guard self.loaded.file == nil, gateway.apiTokens.isEmpty, let publish = self.configuration.publish,
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
