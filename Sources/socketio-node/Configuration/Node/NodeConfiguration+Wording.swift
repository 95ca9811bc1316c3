import EngineIO
import Gateway
import NIOCore
import SocketIOServer
import SocketIOWire

/// Properties of the libraries as the file words them.
extension SocketServerConfiguration {
    /// Whether answers to polls are compressed.
    var compressesPolls: Bool {
        get { self.engine.httpCompression != nil }
        set { self.engine.httpCompression = newValue ? self.engine.httpCompression ?? HTTPCompression() : nil }
    }

    /// Whether WebSocket messages are compressed.
    var compressesMessages: Bool {
        get { self.engine.perMessageDeflate != nil }
        set { self.engine.perMessageDeflate = newValue ? self.engine.perMessageDeflate ?? PerMessageDeflate() : nil }
    }

    /// 0: the library's share of the memory.
    var totalQueuedBytes: Int {
        get {
            let bytes = self.engine.limits.maxTotalQueuedBytes
            return bytes == Self.share.maxTotalQueuedBytes ? 0 : bytes
        }
        set { self.engine.limits.maxTotalQueuedBytes = newValue == 0 ? Self.share.maxTotalQueuedBytes : newValue }
    }

    /// 0: the library's share of the memory.
    var totalRequestBytes: Int {
        get {
            let bytes = self.engine.limits.maxTotalRequestBytes
            return bytes == Self.share.maxTotalRequestBytes ? 0 : bytes
        }
        set { self.engine.limits.maxTotalRequestBytes = newValue == 0 ? Self.share.maxTotalRequestBytes : newValue }
    }

    private static var share: EngineLimits { EngineLimits() }

    /// `nil`: no limit.
    var packetsPerSecond: Int? {
        get { self.limits.packetRate?.perSecond }
        set { self.limits.packetRate = newValue.map { RateLimit(perSecond: $0) } }
    }

    /// 0: no limit.
    var bytesPerSecond: Int {
        get { self.limits.byteRate?.perSecond ?? 0 }
        set { self.limits.byteRate = newValue == 0 ? nil : RateLimit(perSecond: newValue) }
    }
}

extension GatewayConfiguration {
    /// The roles of the file; those that always exist are added if the file lacks them.
    var declaredRoles: [Role] {
        get { self.roles }
        set {
            let defaults = Self().roles
            self.roles = newValue
            for role in defaults where !newValue.contains(where: { $0.type == role.type }) { self.roles.append(role) }
        }
    }

    /// `nil`: none.
    var declaredSalt: String? {
        get { self.apiTokenSalt.isEmpty ? nil : self.apiTokenSalt }
        set { self.apiTokenSalt = newValue ?? "" }
    }
}

extension ContentType {
    /// How long updates are held.
    var timeOfHolding: TimeAmount {
        get { TimeAmount(self.coalescing) }
        set { self.coalescing = Duration(newValue) }
    }
}

extension GatewayConfiguration.Limits {
    var questionsPerSecond: Int {
        get { self.questions.perSecond }
        set { self.questions = RateLimit(perSecond: newValue) }
    }

    var changesPerSecond: Int {
        get { self.changes.perSecond }
        set { self.changes = RateLimit(perSecond: newValue, burst: 4 * newValue) }
    }
}

extension Webhook {
    /// `nil`: none.
    var declaredSecret: String? {
        get { self.secret.isEmpty ? nil : self.secret }
        set { self.secret = newValue ?? "" }
    }
}

extension CustomEvent {
    /// `nil`: none.
    var declaredWebhook: String? {
        get { self.webhook.isEmpty ? nil : self.webhook }
        set { self.webhook = newValue ?? "" }
    }

    /// The schema as JSON.
    var schemaText: String? {
        get { self.schema?.description }
        set { self.schema = newValue.flatMap { try? JSONValue(parsing: ByteBuffer(string: $0)) } }
    }

    var eventsPerSecond: Int {
        get { self.rate.perSecond }
        set { self.rate = RateLimit(perSecond: newValue) }
    }
}

extension JWTConfiguration {
    /// How much the clocks may differ.
    var clockDifference: TimeAmount {
        get { .milliseconds(Int64((self.leeway * 1000).rounded())) }
        set { self.leeway = Double(newValue.nanoseconds / 1_000_000) / 1000 }
    }
}

extension Setting {
    /// A duration.
    var time: TimeAmount? { self.integer.map { .milliseconds(Int64($0)) } }
}
