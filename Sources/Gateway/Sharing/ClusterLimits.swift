/// Keeps the token buckets that the gateways of a cluster have in common.
///
/// A node does not ask before it grants a wish. It tells once in a second what was spent, and hears how full each bucket is
/// and how large its own share of it is. Until the next time it grants wishes out of that share.
public protocol ClusterLimits: Sendable {
    /// Takes what a node's clients have spent out of the buckets, and says how full they are now.
    ///
    /// - Parameter report: The node's buckets. There may be none; then the node only tells that it is alive.
    /// - Returns: One answer for each bucket of the report, in its order.
    /// - Throws: If it is not known that the buckets have taken it.
    func exchange(_ report: LimitReport) async throws -> LimitAnswer
}

/// What a node's clients have spent and wanted.
public struct LimitReport: Sendable, Hashable {
    /// One bucket.
    public struct Bucket: Sendable, Hashable {
        /// Which one: the same text on all nodes.
        public var name: String
        /// How it fills.
        public var rate: LimitRate
        /// How much was spent since the last report.
        public var spent: Double
        /// How much was wanted in a second, granted or not.
        public var demand: Double

        /// Makes a bucket's part of a report.
        public init(name: String, rate: LimitRate, spent: Double, demand: Double) {
            self.name = name
            self.rate = rate
            self.spent = spent
            self.demand = demand
        }
    }

    /// Who reports: a name that no other node has.
    public var node: String
    /// What it reports.
    public var buckets: [Bucket]

    /// Makes a report.
    public init(node: String, buckets: [Bucket] = []) {
        self.node = node
        self.buckets = buckets
    }
}

/// How full buckets are.
public struct LimitAnswer: Sendable, Hashable {
    /// One bucket.
    public struct Bucket: Sendable, Hashable {
        /// How much it holds; less than nothing if the nodes have spent more than there was.
        public var level: Double
        /// The part that the node may take of it, by what it and the other nodes have wanted: 0 to 1.
        public var weight: Double

        /// Makes a bucket's part of an answer.
        public init(level: Double, weight: Double) {
            self.level = level
            self.weight = weight
        }
    }

    /// How many nodes share the buckets.
    public var nodes: Int
    /// One for each bucket of the report.
    public var buckets: [Bucket]

    /// Makes an answer.
    public init(nodes: Int, buckets: [Bucket]) {
        self.nodes = nodes
        self.buckets = buckets
    }
}
