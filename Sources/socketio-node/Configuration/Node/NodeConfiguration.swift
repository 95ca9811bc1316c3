import EngineIO
import Gateway
import Logging
import NIOCore
import SocketIOServer

/// The configuration as the node uses it.
///
/// ``SettingTable`` declares the settings that set its properties. Those that the file words in another way than the
/// libraries have a property of their own here, and ``complete(_:problems:)`` makes the libraries' out of it.
struct NodeConfiguration: Sendable {
    var listen = Listen()
    var server = SocketServerConfiguration()
    var cors = CORS()
    var adapter = Adapter()
    var recovery = Recovery()
    var gateway = GatewayConfiguration()
    var jwt = JWT()
    var lookup = Lookup()
    var publishing = Publish()
    var outgoing = Outgoing()
    var internalListener = Console()
    var logging = Logging()
    var shutdown = Shutdown()
    /// ``adapter`` with its Redis; `nil`: this node alone.
    private(set) var redis: Adapter?

    /// `nil`: no publish API.
    var publish: Publish? { self.publishing.isEnabled ? self.publishing : nil }

    /// `nil`: no internal listener, and nothing is counted.
    var console: Console? { self.internalListener.isEnabled ? self.internalListener : nil }

    /// The defaults.
    init() {
        self.server.engine.refusesForeignOrigins = true
    }
}

extension NodeConfiguration {
    /// Makes the configuration from checked settings, and checks what concerns several of them together.
    ///
    /// Settings that were reported as wrong count as their defaults here, so that one run finds every problem.
    init(_ settings: Setting, problems: inout [ConfigurationProblem]) {
        self.init()
        for group in SettingTable.declarations { group.store(settings[group.name], &self) }
        self.complete(settings, problems: &problems)
        self.check(settings, problems: &problems)
    }

    /// Makes what several settings say together.
    private mutating func complete(_ settings: Setting, problems: inout [ConfigurationProblem]) {
        self.server.listeners = [.init(host: self.listen.host, port: self.listen.port)]
        self.server.engine.proxyProtocolSources = self.listen.proxyProtocol.compactMap { AddressRange($0) }
        let path = self.server.engine.path.utf8
        // `/socket.io` and `/socket.io/` are the same path.
        if path.count > 1, path.last == UInt8(ascii: "/") {
            self.server.engine.path = String(Substring(path.dropLast()))
        }
        // As many bytes as that number of messages of the greatest length.
        self.server.packetLimits.maximumAttachmentBytes =
            max(1, self.server.packetLimits.maximumAttachments) * self.server.engine.maxHTTPBufferSize
        if let rate = self.server.limits.byteRate {
            // A message of the greatest length must pass.
            let burst = max(2 * rate.perSecond, self.server.engine.maxHTTPBufferSize)
            self.server.limits.byteRate = RateLimit(perSecond: rate.perSecond, burst: burst)
        }
        self.server.engine.cors = self.cors.headers
        self.server.connectionStateRecovery = self.recovery.isEnabled ? self.recovery.events : nil
        self.redis = self.adapter.connected(listen: self.listen, settings["adapter"], problems: &problems)
        self.gateway.authentication.jwt = self.jwt.verification
        self.gateway.authentication.lookup = self.lookup.directory
    }
}

extension ConfigurationProblem {
    init(_ setting: Setting, value: String? = nil, _ message: String) {
        self.init(path: setting.path, origin: setting.origin, value: value, message: message)
    }
}
