import Foundation
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

    /// How this node reaches the others.
    struct Adapter: Sendable {
        var type = AdapterType.memory
        /// Holds a password.
        var url: String?
        var tls = RESPTLS()
        var classic = PubSubAdapterConfiguration()
        var shardedAdapter = ShardedAdapterConfiguration()
        var streamsAdapter = StreamsAdapterConfiguration()
        /// What all adapters have in common.
        var cluster = ClusterConfiguration()
        /// What is kept for a Redis that is away.
        var queue = RESPConfiguration.Queue()
        var readinessGrace = TimeAmount.seconds(5)
        var whenLost = WhenLost.serveLocal
        var whenLostGrace = TimeAmount.seconds(5)
        /// Made from ``url``, ``tls`` and ``queue``.
        private(set) var connection = RESPConfiguration()
    }
}

extension NodeConfiguration.Adapter {
    /// - Returns: `nil` for a node alone, and for a Redis that nobody can find, which is reported.
    func connected(
        listen: NodeConfiguration.Listen,
        _ adapter: Setting,
        problems: inout [ConfigurationProblem]
    ) -> Self? {
        let redis = adapter["redis"]
        guard self.type != .memory else { return nil }
        guard let url = self.url else {
            if !problems.contains(where: { $0.path.hasPrefix("adapter.redis.url") }) {
                problems.append(
                    ConfigurationProblem(
                        path: redis["url"].path,
                        origin: adapter["type"].origin,
                        message: "is missing, and adapter.type is \(self.type.rawValue); expected a URL such as "
                            + "redis://127.0.0.1:6379"
                    )
                )
            }
            return nil
        }
        var result = self
        do {
            result.connection = try RESPConfiguration(url: url)
        } catch {
            problems.append(ConfigurationProblem(redis["url"], "(hidden) is wrong: \(error)"))
            return nil
        }
        result.connection.tls = self.tls(redis["tls"], asked: result.connection.tls != nil, problems: &problems)
        result.connection.queue = self.queue
        let graces = [self.readinessGrace] + (self.whenLost == .serveLocal ? [] : [self.whenLostGrace])
        result.connection.probe = Self.probe(grace: graces.filter { $0 > .zero }.min() ?? .zero)
        if self.cluster.address == nil {
            result.cluster.address = Self.address(of: listen, hostName: ProcessInfo.processInfo.hostName)
        }
        result.classic.cluster = result.cluster
        result.shardedAdapter.cluster = result.cluster
        result.shardedAdapter.channelPrefix = self.classic.key
        result.streamsAdapter.cluster = result.cluster
        result.streamsAdapter.channelPrefix = self.classic.key
        return result
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
    private func tls(
        _ settings: Setting,
        asked: Bool,
        problems: inout [ConfigurationProblem]
    ) -> RESPTLS? {
        guard asked else {
            for setting in ["caFile", "certificateFile", "keyFile", "serverName"].map({ settings[$0] })
            where setting.isSet {
                problems.append(
                    ConfigurationProblem(
                        setting,
                        "is set, and adapter.redis.url asks for no TLS; write rediss:// there"
                    )
                )
            }
            return nil
        }
        if (self.tls.certificateFile == nil) != (self.tls.keyFile == nil) {
            let (set, missing) =
                self.tls.keyFile == nil ? ("certificateFile", "keyFile") : ("keyFile", "certificateFile")
            problems.append(
                ConfigurationProblem(
                    settings[set],
                    "is set, and \(settings.path).\(missing) is not; both are needed"
                )
            )
        }
        return self.tls
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
