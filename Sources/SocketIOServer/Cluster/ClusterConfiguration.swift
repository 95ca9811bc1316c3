public import NIOCore

/// How patient a node is with the other nodes, and how much of what they say it keeps; the same for every adapter.
public struct ClusterConfiguration: Sendable, Hashable {
    /// How long to wait for the other nodes' answers, unless a call says otherwise.
    public var requestsTimeout: TimeAmount = .seconds(5)

    /// For how long after a loss of the broker the count of nodes is doubted.
    ///
    /// Other nodes come back a moment sooner or later. Until as many are back as there were, or this time has passed, a
    /// question waits before it is asked, so that it doesn't overlook them.
    public var reconnectGrace: TimeAmount = .seconds(3)

    /// How often a node looks after others that may have died while it waits for their answers.
    public var livenessInterval: TimeAmount = .seconds(1)

    /// Where this node can be found, such as `10.0.0.7:3000`: the others name it when it does not answer.
    public var address: String?

    /// How often this node tells the others that it lives.
    public var leaseInterval: TimeAmount = .seconds(1)

    /// For how long a Swift node that says nothing is taken for alive.
    ///
    /// After that it is asked, and not waited for, until it speaks again. A node that has left, or whose connection to
    /// the broker has ended, is not asked at all.
    public var leaseDuration: TimeAmount = .seconds(4)

    /// How many bytes an answer to another node's question may have.
    ///
    /// A node that would have to tell more refuses with a reason: it is an error to a Swift node that asks, and an empty
    /// answer to a Node.js node. Redis cuts a subscriber off that is behind by 32 MiB, unless it is told otherwise.
    public var maximumAnswerBytes = 8 * 1024 * 1024

    /// How many bytes of other nodes' answers this server keeps while it waits for the rest of them, of all namespaces.
    ///
    /// A question that would take more fails.
    public var maximumCollectedBytes = 64 * 1024 * 1024

    /// How many may wait for other nodes' answers at a time, in one namespace.
    public var maximumQuestions = 10_000

    /// The defaults.
    public init() {}
}
