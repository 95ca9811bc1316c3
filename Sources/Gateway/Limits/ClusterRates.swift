public import NIOCore

/// How much of each kind a user, an address, an API token and a tenant may have, on all nodes of the cluster together.
///
/// Each pair of these has a token bucket. It fills at the rate, and holds as much as comes in ``burst``. Zero is no limit.
public struct ClusterRates: Sendable, Hashable {
    /// Amounts of one minute; zero is no limit.
    public struct PerMinute: Sendable, Hashable {
        /// Clients that connect to the main namespace.
        public var connections = 0
        /// Credentials that are wrong.
        public var failedLogins = 0
        /// Events of any name that clients send.
        public var events = 0
        /// Bytes of the arguments of such events.
        public var bytes = 0
        /// Rooms that clients join or leave.
        public var joins = 0
        /// Entities that clients subscribe to or unsubscribe from.
        public var subscriptions = 0
        /// Messages of one client to another.
        public var privateMessages = 0
        /// Questions to the other nodes that a client causes.
        public var clusterQuestions = 0
        /// Operations of the publish API.
        public var publishes = 0

        /// No limits.
        public init() {}

        /// The amount of one kind.
        public subscript(action: LimitedAction) -> Int {
            get {
                switch action {
                case .connections: self.connections
                case .failedLogins: self.failedLogins
                case .events: self.events
                case .bytes: self.bytes
                case .joins: self.joins
                case .subscriptions: self.subscriptions
                case .privateMessages: self.privateMessages
                case .clusterQuestions: self.clusterQuestions
                case .publishes: self.publishes
                }
            }
            set {
                switch action {
                case .connections: self.connections = newValue
                case .failedLogins: self.failedLogins = newValue
                case .events: self.events = newValue
                case .bytes: self.bytes = newValue
                case .joins: self.joins = newValue
                case .subscriptions: self.subscriptions = newValue
                case .privateMessages: self.privateMessages = newValue
                case .clusterQuestions: self.clusterQuestions = newValue
                case .publishes: self.publishes = newValue
                }
            }
        }
    }

    /// For all clients of one user.
    ///
    /// By default 6,000 joins, 6,000 subscriptions, 1,200 private messages and 1,200 questions.
    public var user = PerMinute()
    /// For all clients of one address.
    ///
    /// Joins, subscriptions, private messages and questions of an address are those of clients that are neither a user's
    /// nor an API token's, because many users may share an address. By default 120 failed logins, ten times as much as a
    /// user's of these, and no other limit.
    public var address = PerMinute()
    /// For all clients and publishers with one API token.
    ///
    /// By default ten times as much as a user's.
    public var token = PerMinute()
    /// For all users and API tokens of one tenant.
    ///
    /// By default there is no limit.
    public var tenant = PerMinute()
    /// How long it takes until an empty bucket is full: as much as comes in this time may be had at once.
    public var burst = TimeAmount.seconds(10)

    /// The defaults.
    public init() {
        self.user.joins = 6000
        self.user.subscriptions = 6000
        self.user.privateMessages = 1200
        self.user.clusterQuestions = 1200
        self.token.joins = 60_000
        self.token.subscriptions = 60_000
        self.token.privateMessages = 12_000
        self.token.clusterQuestions = 12_000
        self.address = self.token
        self.address.failedLogins = 120
    }

    /// The amounts of one scope.
    public subscript(scope: LimitScope) -> PerMinute {
        get {
            switch scope {
            case .user: self.user
            case .address: self.address
            case .token: self.token
            case .tenant: self.tenant
            }
        }
        set {
            switch scope {
            case .user: self.user = newValue
            case .address: self.address = newValue
            case .token: self.token = newValue
            case .tenant: self.tenant = newValue
            }
        }
    }

    /// The bucket for a scope and an action; `nil` if there is no limit.
    func rate(_ scope: LimitScope, _ action: LimitedAction) -> LimitRate? {
        let amount = self[scope][action]
        guard amount > 0 else { return nil }
        let perSecond = Double(amount) / 60
        let seconds = Double(self.burst.nanoseconds) / 1e9
        return LimitRate(perSecond: perSecond, capacity: max(1, perSecond * seconds))
    }

    /// What cannot be: paths and values.
    var problems: [(path: String, value: String)] {
        var problems: [(path: String, value: String)] = []
        for scope in LimitScope.allCases {
            for action in LimitedAction.allCases where self[scope][action] < 0 {
                problems.append(("\(scope.rawValue).\(action.rawValue)", "\(self[scope][action])"))
            }
        }
        if self.burst < .seconds(1) || self.burst > .hours(1) {
            problems.append(("burst", "\(self.burst.nanoseconds / 1_000_000) ms"))
        }
        return problems
    }

    /// Whether anybody's events or their bytes are limited.
    var limitsEvents: Bool {
        LimitScope.allCases.contains { self[$0].events > 0 || self[$0].bytes > 0 }
    }
}

/// How fast a bucket fills, and how much it holds.
public struct LimitRate: Sendable, Hashable {
    /// How much comes in a second.
    public var perSecond: Double
    /// The most that it holds.
    public var capacity: Double

    /// Makes a rate.
    public init(perSecond: Double, capacity: Double) {
        self.perSecond = perSecond
        self.capacity = capacity
    }
}
