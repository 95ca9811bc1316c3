import Foundation
import Gateway
import NIOCore
import RESP
import RedisAdapters
import SocketIOServer
import SocketIOWire

extension NodeConfiguration {
    /// How the nodes of a cluster reach each other.
    enum AdapterType: String, Sendable, CaseIterable {
        /// There is one node.
        case memory
        /// With the messages of the official adapter over publish/subscribe.
        case redis
        /// With those of the official sharded adapter.
        case sharded
        /// With those of the official adapter over a stream.
        case streams
    }

    /// What a node does when Redis has been away for a while; it serves the clients that it has, whatever this is.
    enum WhenLost: String, Sendable, CaseIterable {
        /// It accepts new clients, too, and the grace of readiness decides whether it is ready.
        case serveLocal
        /// It takes no new clients, and is not ready.
        case stopAccepting
        /// It is not ready.
        case notReady
    }

    /// The streams that hold the events of all nodes.
    struct Streams: Sendable {
        var name: String
        var count: Int
        var maximumLength: Int
        var readCount: Int
        var usesShardedPubSub: Bool
        var onlyPlaintext: Bool
    }

    /// The Redis that connects the nodes, and how.
    struct Redis: Sendable {
        /// Not `memory`.
        var type: AdapterType
        var connection: RESPConfiguration
        var key: String
        var subscriptions: PubSubAdapterConfiguration.Subscriptions
        var subscriptionMode: ShardedAdapterConfiguration.SubscriptionMode
        var streams: Streams
        /// Where other nodes say that this one is.
        var address: String
        var requestsTimeout: TimeAmount
        var publishOnSpecificResponseChannel: Bool
        var readinessGrace: TimeAmount
        var whenLost: WhenLost
        var whenLostGrace: TimeAmount
    }
}

extension NodeConfiguration.Redis {
    /// - Returns: `nil` for a node alone, and for a Redis that nobody can find, which is reported.
    init?(_ adapter: Setting, listen: NodeConfiguration.Listen, problems: inout [ConfigurationProblem]) {
        let redis = adapter["redis"]
        let type = adapter["type"].text.flatMap { NodeConfiguration.AdapterType(rawValue: $0) } ?? .memory
        guard type != .memory else { return nil }
        self.type = type
        guard let url = redis["url"].text else {
            if !problems.contains(where: { $0.path.hasPrefix("adapter.redis.url") }) {
                problems.append(
                    ConfigurationProblem(
                        path: redis["url"].path,
                        origin: adapter["type"].origin,
                        message: "is missing, and adapter.type is \(type.rawValue); expected a URL such as "
                            + "redis://127.0.0.1:6379"
                    )
                )
            }
            return nil
        }
        do {
            self.connection = try RESPConfiguration(url: url)
        } catch {
            problems.append(ConfigurationProblem(redis["url"], "(hidden) is wrong: \(error)"))
            return nil
        }
        self.connection.tls = Self.tls(redis["tls"], of: self.connection.tls, problems: &problems)
        self.key = redis["key"].text ?? "socket.io"
        self.subscriptions =
            redis["subscriptions"].text.flatMap { PubSubAdapterConfiguration.Subscriptions(rawValue: $0) } ?? .pattern
        self.subscriptionMode =
            adapter["sharded"]["subscriptionMode"].text
            .flatMap { ShardedAdapterConfiguration.SubscriptionMode(rawValue: $0) } ?? .dynamic
        self.streams = NodeConfiguration.Streams(adapter["streams"])
        self.address = redis["address"].text ?? Self.address(of: listen, hostName: ProcessInfo.processInfo.hostName)
        self.requestsTimeout = redis["requestsTimeout"].time ?? .seconds(5)
        self.readinessGrace = redis["readinessGrace"].time ?? .seconds(5)
        self.whenLost = redis["whenLost"].text.flatMap { NodeConfiguration.WhenLost(rawValue: $0) } ?? .serveLocal
        self.whenLostGrace = redis["whenLostGrace"].time ?? .seconds(5)
        self.publishOnSpecificResponseChannel = redis["publishOnSpecificResponseChannel"].bool ?? false
        self.connection.queue.maximumBytes = redis["keptBytes"].integer ?? self.connection.queue.maximumBytes
        self.connection.queue.maximumAge = redis["keptFor"].time ?? self.connection.queue.maximumAge
        let graces = [self.readinessGrace] + (self.whenLost == .serveLocal ? [] : [self.whenLostGrace])
        self.connection.probe = Self.probe(grace: graces.filter { $0 > .zero }.min() ?? .zero)
    }

    /// Where other nodes say that this one is, unless the configuration says it: a name of this machine if the address of
    /// ``NodeConfiguration/Listen`` could be any machine's.
    static func address(of listen: NodeConfiguration.Listen, hostName: String) -> String {
        let isAnybodys = ["0.0.0.0", "::", "127.0.0.1", "::1", "localhost"].contains(UTF8Text(listen.host))
        let host = isAnybodys ? hostName : listen.host
        // A free port is not known yet.
        guard listen.port != 0 else { return host }
        return host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(listen.port)" : "\(host):\(listen.port)"
    }

    /// What the settings add to the TLS that the URL asks for.
    private static func tls(
        _ settings: Setting,
        of tls: RESPTLS?,
        problems: inout [ConfigurationProblem]
    ) -> RESPTLS? {
        let texts = ["caFile", "certificateFile", "keyFile", "serverName"].map { settings[$0] }
        guard var tls else {
            for setting in texts where setting.text != nil {
                problems.append(
                    ConfigurationProblem(
                        setting,
                        "is set, and adapter.redis.url asks for no TLS; write rediss:// there"
                    )
                )
            }
            return nil
        }
        tls.caFile = texts[0].text
        tls.certificateFile = texts[1].text
        tls.keyFile = texts[2].text
        tls.serverName = texts[3].text
        tls.insecurelySkipsVerification = settings["insecurelySkipVerification"].bool ?? false
        if (tls.certificateFile == nil) != (tls.keyFile == nil) {
            let (set, missing) = tls.keyFile == nil ? (texts[1], "keyFile") : (texts[2], "certificateFile")
            problems.append(
                ConfigurationProblem(set, "is set, and \(settings.path).\(missing) is not; both are needed")
            )
        }
        return tls
    }

    /// Whatever happens to Redis has to be noticed before the grace is over: in three quarters of it.
    static func probe(grace: TimeAmount) -> RESPConfiguration.Probe {
        var probe = RESPConfiguration.Probe()
        guard grace > .zero else { return probe }
        let milliseconds = grace.nanoseconds / 1_000_000
        probe.interval = .milliseconds(min(1000, max(50, milliseconds / 4)))
        probe.timeout = .milliseconds(min(2000, max(100, milliseconds / 2)))
        return probe
    }
}

extension NodeConfiguration.Streams {
    /// The settings of the streams adapter, with the library's defaults.
    fileprivate init(_ settings: Setting) {
        let defaults = StreamsAdapterConfiguration()
        self.name = settings["name"].text ?? defaults.streamName
        self.count = settings["count"].integer ?? defaults.streamCount
        self.maximumLength = settings["maximumLength"].integer ?? defaults.maximumLength
        self.readCount = settings["readCount"].integer ?? defaults.readCount
        self.usesShardedPubSub = settings["shardedPubSub"].bool ?? defaults.usesShardedPubSub
        self.onlyPlaintext = settings["onlyPlaintext"].bool ?? defaults.onlyPlaintext
    }
}
