import Console
import Foundation
import Gateway
import Incidents
import Logging
import NIOCore
import RESP
import RedisAdapters
import RedisGateway
import SocketIOServer

/// What the publish API has besides HTTP.
extension NodeProcess {
    /// What the gateways of the cluster share.
    func sharing(_ redis: RESPClient?) -> Sharing {
        guard let redis, let configuration = self.configuration.redis else { return Sharing() }
        let prefix = configuration.classic.key
        return RedisSharing(client: redis, prefix: prefix, logger: Logger(label: "gateway")).sharing
    }

    /// What publishes from a stream, if that is configured.
    func publishStream(
        _ io: IO,
        _ publish: NodeConfiguration.Publish,
        _ group: any EventLoopGroup
    ) -> PublishStreamService? {
        guard let key = publish.stream, let redis = self.configuration.redis else { return nil }
        let eventLoop = group.any()
        // Its connection waits for entries, so nothing else may use it.
        let client = RESPClient(
            configuration: redis.connection,
            eventLoopGroup: group,
            logger: Logger(label: "publish-stream")
        )
        var publisher = io.publisher(whileUnreachable: .refuse, timeout: publish.api.confirmationTimeout)
        // An entry is acknowledged when it is sent, and what is only held could be lost after that.
        publisher.mayHoldUpdates = false
        return PublishStreamService(
            client: client,
            group: PublishStreamGroup(
                client: client,
                key: key,
                consumer: "\(ProcessInfo.processInfo.hostName)-\(UInt64.random(in: .min ... .max))",
                abandonedAfter: 30_000
            ),
            publisher: publisher,
            incidents: IncidentLog(
                logger: Logger(label: "publish-stream"),
                source: "PublishStream",
                eventLoop: eventLoop
            ),
            pause: { try? await eventLoop.scheduleTask(in: .seconds(1)) {}.futureResult.get() }
        )
    }

    /// The memory of event ids in Redis, if there is one.
    func sharedEventIDs(
        _ redis: RESPClient?,
        _ publish: NodeConfiguration.Publish,
        _ group: any EventLoopGroup
    ) -> RedisEventIDs? {
        guard let redis, let configuration = self.configuration.redis else { return nil }
        return RedisEventIDs(
            client: redis,
            prefix: configuration.classic.key,
            lifetime: publish.eventIDLifetime,
            eventLoop: group.any(),
            logger: Logger(label: "publish")
        )
    }
}
