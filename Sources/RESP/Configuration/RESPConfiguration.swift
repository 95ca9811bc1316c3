public import NIOCore

/// Where Redis is, who the client is there, and how long it waits.
public struct RESPConfiguration: Sendable {
    /// A name or an address.
    public var host: String
    /// The port; 6379 by default.
    public var port: Int
    /// The path of the Unix socket that Redis listens on, in the place of ``host`` and ``port``.
    public var unixSocketPath: String?
    /// How connections over TCP are encrypted; `nil` is not at all.
    public var tls: RESPTLS?
    /// The ACL user; `nil` is Redis's `default` user.
    public var username: String?
    /// The password.
    ///
    /// No log, no error and no ``redactedURL`` shows it.
    public var password: String?
    /// The database of the keys.
    ///
    /// Publish/subscribe does not know databases.
    public var database: Int
    /// The name of this client in `CLIENT LIST`.
    ///
    /// It may have letters, digits and punctuation, but no spaces.
    public var clientName: String?

    /// How long it may take to connect, authenticate and restore subscriptions, all together.
    public var connectTimeout: TimeAmount = .seconds(5)
    /// How long a command waits for its reply, unless it says otherwise.
    public var commandTimeout: TimeAmount = .seconds(5)
    /// How often the client asks Redis whether it is still there and still a primary.
    ///
    /// If Redis is silent for twice as long, it counts as dead.
    public var keepAliveInterval: TimeAmount = .seconds(5)
    /// When to try again after a connection has been lost.
    public var backoff = Backoff()
    /// What may wait for Redis.
    public var queue = Queue()
    /// How the client proves that messages arrive, if an adapter asks for that.
    public var probe = Probe()
    /// How long kept messages wait after an outage for clients that are not back yet.
    public var peerPatience: TimeAmount = .seconds(3)
    /// The limits for what Redis sends.
    public var limits = RESPLimits()
    /// Whether to try RESP3 (`HELLO 3`) before RESP2.
    ///
    /// Set this to `false` only if a proxy cannot handle it.
    public var prefersRESP3 = true

    /// The limits of what waits for Redis: commands without a reply, and messages that are kept while Redis is away.
    public struct Queue: Sendable, Hashable {
        /// How many commands and messages may wait.
        public var maximumCount = 100_000
        /// How many bytes they may have.
        public var maximumBytes = 64 * 1024 * 1024
        /// How old a kept message may become.
        ///
        /// By default it is as old as an event that a client can recover.
        public var maximumAge: TimeAmount = .minutes(2)

        /// The defaults: 100,000 with 64 MiB, for two minutes.
        public init() {}
    }

    /// The messages that a client sends to itself to see whether messages arrive.
    public struct Probe: Sendable, Hashable {
        /// How often the client sends one.
        public var interval: TimeAmount = .seconds(1)
        /// How long Redis may show no progress before that counts as an outage.
        public var timeout: TimeAmount = .seconds(2)

        /// The defaults: one a second, and two seconds without progress.
        public init() {}
    }

    /// Makes a configuration without user and password.
    ///
    /// You may set these afterwards.
    public init(host: String = "127.0.0.1", port: Int = 6379, database: Int = 0) {
        self.host = host
        self.port = port
        self.database = database
    }

    /// Where a connection leads.
    public var endpoint: RESPEndpoint {
        self.unixSocketPath.map { .unixSocket(path: $0) } ?? .host(self.host, port: self.port)
    }

    /// The address in a form that may be shown: `redis://user:***@host:port/database`.
    public var redactedURL: String {
        var user = ""
        if self.username != nil || self.password != nil {
            user = "\(self.username ?? "")\(self.password == nil ? "" : ":***")@"
        }
        switch self.endpoint {
        case .unixSocket(let path):
            return "unix://\(user)\(path)" + (self.database == 0 ? "" : "?db=\(self.database)")
        case .host(let host, let port):
            let address = host.contains(":") ? "[\(host)]" : host
            let database = self.database == 0 ? "" : "/\(self.database)"
            return (self.tls == nil ? "redis://" : "rediss://") + "\(user)\(address):\(port)\(database)"
        }
    }
}

extension RESPConfiguration: CustomStringConvertible, CustomDebugStringConvertible {
    /// ``redactedURL``.
    public var description: String { self.redactedURL }
    /// ``redactedURL``.
    ///
    /// The log of a debugger must not show the password either.
    public var debugDescription: String { self.redactedURL }
}
