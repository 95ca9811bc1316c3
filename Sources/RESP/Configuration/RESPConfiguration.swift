public import NIOCore

/// Where Redis is, who we are there, and how patient we are.
public struct RESPConfiguration: Sendable {
    /// A name or an address.
    public var host: String
    /// 6379 by default.
    public var port: Int
    /// The ACL user; `nil` is Redis's `default` user.
    public var username: String?
    /// Never part of a log, an error or ``redactedURL``.
    public var password: String?
    /// The database that keys live in.
    ///
    /// Publish/subscribe doesn't know databases.
    public var database: Int
    /// How this client calls itself in `CLIENT LIST`.
    ///
    /// Letters, digits and punctuation, no spaces.
    public var clientName: String?

    /// How long connecting, authenticating and restoring subscriptions may take together.
    public var connectTimeout: TimeAmount = .seconds(5)
    /// How long a command waits for its reply, unless it says otherwise.
    public var commandTimeout: TimeAmount = .seconds(5)
    /// How often Redis is asked whether it is still there, and still a primary; silent for twice as long, it is dead.
    public var keepAliveInterval: TimeAmount = .seconds(5)
    /// When to try again after a connection was lost.
    public var backoff = Backoff()
    /// What may wait for Redis.
    public var queue = Queue()
    /// How it is proven that messages arrive, where an adapter asks for that.
    public var probe = Probe()
    /// For how long after an outage what was kept waits for others that are not back yet.
    public var peerPatience: TimeAmount = .seconds(3)
    /// What is accepted of Redis.
    public var limits = RESPLimits()
    /// Whether to try RESP3 (`HELLO 3`) before RESP2.
    ///
    /// The only reason to say no is a proxy that breaks on it.
    public var prefersRESP3 = true

    /// The pauses between attempts to connect: `minimum`, doubled each time up to `maximum`, less up to a half by chance.
    public struct Backoff: Sendable, Hashable {
        /// The longest pause after the first failure.
        public var minimum: TimeAmount = .milliseconds(50)
        /// The longest pause at all.
        public var maximum: TimeAmount = .seconds(2)

        /// 50 ms to 2 s.
        public init() {}

        /// The pause before attempt number `attempt` (0: the first one after a loss); `random` is from 0 up to 1.
        package func delay(attempt: Int, random: Double) -> TimeAmount {
            let doubled =
                Double(self.minimum.nanoseconds)
                * Double(sign: .plus, exponent: min(max(attempt, 0), 40), significand: 1)
            let ceiling = min(doubled, Double(self.maximum.nanoseconds))
            return .nanoseconds(Int64(ceiling * (1 - random / 2)))
        }
    }

    /// The bounds of what waits for Redis: commands without reply yet and publishes kept while it is away.
    public struct Queue: Sendable, Hashable {
        /// How many commands and publishes.
        public var maximumCount = 100_000
        /// How many bytes of them.
        public var maximumBytes = 64 * 1024 * 1024
        /// How old a publish may become that is kept; by default as old as an event that a client can recover.
        public var maximumAge: TimeAmount = .minutes(2)

        /// 100,000 of 64 MiB, for two minutes.
        public init() {}
    }

    /// The messages that a client sends to itself to see whether messages arrive.
    public struct Probe: Sendable, Hashable {
        /// How often.
        public var interval: TimeAmount = .seconds(1)
        /// How long Redis may show no progress until that counts as an outage.
        public var timeout: TimeAmount = .seconds(2)

        /// One a second, with two seconds of patience.
        public init() {}
    }

    /// A Redis without user and password unless they are set afterwards.
    public init(host: String = "127.0.0.1", port: Int = 6379, database: Int = 0) {
        self.host = host
        self.port = port
        self.database = database
    }

    /// `redis://user:***@host:port/database`: the address as it may be shown.
    public var redactedURL: String {
        var url = "redis://"
        if self.username != nil || self.password != nil {
            url += "\(self.username ?? "")\(self.password == nil ? "" : ":***")@"
        }
        url += self.host.contains(":") ? "[\(self.host)]" : self.host
        url += ":\(self.port)"
        if self.database != 0 { url += "/\(self.database)" }
        return url
    }
}

extension RESPConfiguration: CustomStringConvertible, CustomDebugStringConvertible {
    /// ``redactedURL``.
    public var description: String { self.redactedURL }
    /// ``redactedURL``: neither may a debugger's log hold the password.
    public var debugDescription: String { self.redactedURL }
}
