import Console
import EngineIO
import Foundation
import Gateway
import Logging
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// The configuration as the node uses it.
struct NodeConfiguration: Sendable {
    struct Listen: Sendable {
        var host: String
        var port: Int
        var threads: Int
    }

    struct Publish: Sendable {
        var host: String
        var port: Int
        var api: PublishAPI.Configuration
    }

    struct Logging: Sendable {
        enum Format: String, Sendable { case text, json }
        var level: Logger.Level
        var format: Format
    }

    struct Shutdown: Sendable {
        var delay: TimeAmount
        var deadline: TimeAmount
    }

    var listen: Listen
    var server: SocketServerConfiguration
    /// `nil`: this node alone.
    var redis: Redis?
    var gateway: GatewayConfiguration
    /// `nil`: no publish API.
    var publish: Publish?
    var logging: Logging
    var shutdown: Shutdown
}

extension NodeConfiguration {
    /// Makes the configuration from checked settings, and checks what concerns several of them together.
    ///
    /// Settings that were reported as wrong count as their defaults here, so that one run finds every problem.
    init(_ settings: Setting, problems: inout [ConfigurationProblem]) {
        let listen = settings["listen"]
        self.listen = Listen(
            host: listen["host"].text ?? "127.0.0.1",
            port: listen["port"].integer ?? 3000,
            threads: listen["threads"].integer ?? 0
        )
        self.server = SocketServerConfiguration(host: self.listen.host, port: self.listen.port)
        self.server.apply(settings)
        self.redis = Redis(settings["adapter"], listen: self.listen, problems: &problems)
        self.gateway = GatewayConfiguration(settings["gateway"])
        let publish = settings["publish"]
        if publish["enabled"].bool == true {
            self.publish = Publish(
                host: publish["host"].text ?? "127.0.0.1",
                port: publish["port"].integer ?? 3001,
                api: PublishAPI.Configuration(publish)
            )
        }
        let logging = settings["logging"]
        self.logging = Logging(
            level: logging["level"].text.flatMap { Logger.Level(rawValue: $0) } ?? .info,
            format: logging["format"].text.flatMap { Logging.Format(rawValue: $0) } ?? .text
        )
        let shutdown = settings["shutdown"]
        self.shutdown = Shutdown(
            delay: shutdown["delay"].time ?? .zero,
            deadline: shutdown["deadline"].time ?? .seconds(20)
        )
        self.check(settings, problems: &problems)
    }

    private func check(_ settings: Setting, problems: inout [ConfigurationProblem]) {
        if let publish = self.publish, publish.port != 0, publish.port == self.listen.port {
            problems.append(
                ConfigurationProblem(
                    settings["publish"]["port"],
                    value: "\(publish.port)",
                    "is also listen.port; expected another port, or 0 for a free one"
                )
            )
        }
        if self.shutdown.delay >= self.shutdown.deadline {
            problems.append(
                ConfigurationProblem(
                    settings["shutdown"]["delay"],
                    "leaves no time before shutdown.deadline; expected a shorter delay"
                )
            )
        }
        if self.server.engine.transports.isEmpty {
            problems.append(
                ConfigurationProblem(settings["listen"]["transports"], "is empty; expected polling, websocket or both")
            )
        }
        let cors = settings["cors"]
        if cors["credentials"].bool == true, cors["origins"].texts.contains("*") {
            problems.append(
                ConfigurationProblem(
                    cors["origins"],
                    value: "*",
                    "would let every page in the world act with its visitors' cookies; expected the origins by name, "
                        + "or cors.credentials: false"
                )
            )
        }
        let jwt = settings["gateway"]["authentication"]["jwt"]
        for key in jwt["keys"].list where ["secret", "publicKey", "keySet"].filter({ key[$0].isSet }).count > 1 {
            problems.append(
                ConfigurationProblem(key, "has several keys; expected one of secret, publicKey and keySet an entry")
            )
        }
        for key in jwt["keys"].list where !["secret", "publicKey", "keySet"].contains(where: { key[$0].isSet }) {
            problems.append(ConfigurationProblem(key, "has no key; expected secret, publicKey or keySet"))
        }
        self.checkFields(settings["gateway"], problems: &problems)
        let locator = GatewayProblemLocator(settings: settings["gateway"])
        for problem in self.gateway.validate() {
            let located = locator.locate(problem)
            // A value that is wrong in itself was reported by the reader already.
            if problems.contains(where: { $0.path == located.path }) { continue }
            problems.append(located)
        }
    }

    /// What a field's type needs: a target, a component.
    private func checkFields(_ gateway: Setting, problems: inout [ConfigurationProblem]) {
        let owners = Array(gateway["contentTypes"].members.values) + Array(gateway["components"].members.values)
        for field in owners.flatMap({ $0["fields"].members.values }) {
            switch field["type"].text {
            case "component"? where !field["component"].isSet:
                problems.append(ConfigurationProblem(field, "has no component; expected component: <name>"))
            case "dynamiczone"? where field["components"].list.isEmpty:
                problems.append(ConfigurationProblem(field, "has no components; expected components: [<name>, …]"))
            case "relation"?, "component"?, "dynamiczone"?, nil:
                break
            case let type?:
                for name in ["target", "component"] where field[name].isSet {
                    problems.append(
                        ConfigurationProblem(field[name], "has no meaning for a field of type \(type); remove it")
                    )
                }
            }
        }
    }
}

extension ConfigurationProblem {
    init(_ setting: Setting, value: String? = nil, _ message: String) {
        self.init(path: setting.path, origin: setting.origin, value: value, message: message)
    }
}

extension Setting {
    /// A duration.
    var time: TimeAmount? { self.integer.map { .milliseconds(Int64($0)) } }

    /// A number of which 0 stands for none.
    var limit: Int? { self.integer.flatMap { $0 > 0 ? $0 : nil } }
}

extension SocketServerConfiguration {
    fileprivate mutating func apply(_ settings: Setting) {
        let listen = settings["listen"]
        let limits = settings["limits"]
        let heartbeat = settings["heartbeat"]
        if let path = listen["path"].text {
            // `/socket.io` and `/socket.io/` are the same path.
            self.engine.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        }
        self.engine.transports = listen["transports"].texts.compactMap { TransportName(rawValue: $0) }
        self.engine.allowUpgrades = listen["allowUpgrades"].bool ?? true
        self.engine.allowEIO3 = listen["allowEIO3"].bool ?? false
        self.engine.httpCompression = listen["compressPolls"].bool ?? true ? HTTPCompression() : nil
        self.engine.perMessageDeflate = listen["compressMessages"].bool ?? false ? PerMessageDeflate() : nil
        self.connectTimeout = listen["connectTimeout"].time ?? self.connectTimeout
        self.engine.pingInterval = heartbeat["interval"].time ?? self.engine.pingInterval
        self.engine.pingTimeout = heartbeat["timeout"].time ?? self.engine.pingTimeout
        self.engine.upgradeTimeout = heartbeat["upgradeTimeout"].time ?? self.engine.upgradeTimeout
        self.engine.maxHTTPBufferSize = limits["messageSize"].integer ?? self.engine.maxHTTPBufferSize
        self.engine.limits.maxQueuedBytes = limits["queuedBytes"].integer ?? self.engine.limits.maxQueuedBytes
        self.engine.limits.maxTotalQueuedBytes =
            limits["totalQueuedBytes"].limit ?? self.engine.limits.maxTotalQueuedBytes
        self.engine.limits.maxTotalRequestBytes =
            limits["totalRequestBytes"].limit ?? self.engine.limits.maxTotalRequestBytes
        self.engine.limits.volatileThreshold =
            limits["volatileBytes"].integer ?? self.engine.limits.volatileThreshold
        self.engine.limits.requestTimeout = limits["requestTimeout"].time ?? self.engine.limits.requestTimeout
        self.engine.limits.keepAliveTimeout = limits["keepAliveTimeout"].time ?? self.engine.limits.keepAliveTimeout
        self.packetLimits.maximumAttachments = limits["attachments"].integer ?? self.packetLimits.maximumAttachments
        // As many bytes as that number of messages of the greatest length.
        self.packetLimits.maximumAttachmentBytes =
            max(1, self.packetLimits.maximumAttachments) * self.engine.maxHTTPBufferSize
        self.limits.waitingEvents = limits["waitingEvents"].integer ?? self.limits.waitingEvents
        self.limits.waitingBytes = limits["waitingBytes"].integer ?? self.limits.waitingBytes
        self.limits.namespacesPerConnection =
            limits["namespacesPerConnection"].integer ?? self.limits.namespacesPerConnection
        self.limits.roomsPerSocket = limits["roomsPerSocket"].integer ?? self.limits.roomsPerSocket
        self.limits.pendingAcknowledgements =
            limits["pendingAcknowledgements"].integer ?? self.limits.pendingAcknowledgements
        self.limits.authBytes = limits["authSize"].integer ?? self.limits.authBytes
        self.limits.packetRate = limits["packetsPerSecond"].limit.map { RateLimit(perSecond: $0) }
        // A message of the greatest length must pass.
        self.limits.byteRate = limits["bytesPerSecond"].limit.map {
            RateLimit(perSecond: $0, burst: max(2 * $0, self.engine.maxHTTPBufferSize))
        }
        self.engine.limits.maxControlPacketsPerSecond = limits["controlPacketsPerSecond"].limit
        self.engine.limits.maxConnections = limits["connections"].limit
        self.engine.limits.maxConnectionsPerAddress = limits["connectionsPerAddress"].limit
        self.engine.limits.maxSessionsPerAddress = limits["sessionsPerAddress"].limit
        self.connectionStateRecovery = ConnectionStateRecovery(settings["recovery"])
        self.engine.cors = CORSConfiguration.from(settings["cors"])
        self.engine.refusesForeignOrigins = true
        self.engine.proxyProtocolSources = listen["proxyProtocol"].texts.compactMap { AddressRange($0) }
    }
}

extension ConnectionStateRecovery {
    fileprivate init?(_ settings: Setting) {
        guard settings["enabled"].bool == true else { return nil }
        self.init(skipMiddlewares: settings["skipMiddlewares"].bool ?? false)
        self.maxDisconnectionDuration = settings["maxDisconnectionDuration"].time ?? self.maxDisconnectionDuration
        self.maximumSessions = settings["sessions"].integer ?? self.maximumSessions
        self.maximumEvents = settings["events"].integer ?? self.maximumEvents
        self.maximumBytes = settings["bytes"].integer ?? self.maximumBytes
    }
}

extension CORSConfiguration {
    /// The headers for pages of other origins; `nil` if none are allowed, for then no header is to be sent.
    fileprivate static func from(_ settings: Setting) -> CORSConfiguration? {
        let origins = settings["origins"].texts
        guard !origins.isEmpty else { return nil }
        var cors = CORSConfiguration(origin: origins.contains("*") ? .any : .list(origins))
        cors.credentials = settings["credentials"].bool ?? false
        cors.methods = settings["methods"].texts.joined(separator: ",")
        let headers = settings["allowedHeaders"].texts
        cors.allowedHeaders = headers.isEmpty ? nil : headers.joined(separator: ",")
        // Not `.integer.flatMap { … }`: the optimiser of Swift 6.3.1 crashes on that (in CopyPropagation).
        let milliseconds = settings["maxAge"].integer ?? 0
        cors.maxAge = milliseconds == 0 ? nil : milliseconds / 1000
        return cors
    }
}

extension PublishAPI.Configuration {
    /// The settings of the publish API.
    init(_ settings: Setting) {
        self.init()
        self.maximumBodyBytes = settings["bodySize"].integer ?? self.maximumBodyBytes
        self.maximumAnswerBytes = settings["answerSize"].integer ?? self.maximumAnswerBytes
        self.maximumTotalBytes = settings["totalSize"].integer ?? self.maximumTotalBytes
        self.maximumBatch = settings["batchSize"].integer ?? self.maximumBatch
        self.headTimeout = settings["headTimeout"].time ?? self.headTimeout
        self.bodyTimeout = settings["requestTimeout"].time ?? self.bodyTimeout
        self.maximumConnections = settings["maximumConnections"].integer ?? self.maximumConnections
        self.requestsPerToken = settings["requestsPerToken"].integer ?? self.requestsPerToken
        self.whileDisconnected =
            settings["whileDisconnected"].text.flatMap { UnreachablePolicy(rawValue: $0) } ?? self.whileDisconnected
    }
}
