public import NIOCore

/// How long a node waits for the other nodes, and how much of their answers it keeps; the same for every adapter.
public struct ClusterConfiguration: Sendable, Hashable {
    /// How long to wait for the other nodes' answers, unless a call says otherwise.
    public var requestsTimeout: TimeAmount = .seconds(5)

    /// For how long after a loss of the broker a count of nodes is uncertain.
    ///
    /// Other nodes come back a moment sooner or later. So that a question does not overlook them, it waits until as
    /// many nodes are back as there were, or until this time has passed.
    public var reconnectGrace: TimeAmount = .seconds(3)

    /// How often a node looks after others that may have died while it waits for their answers.
    public var livenessInterval: TimeAmount = .seconds(1)

    /// Where this node can be found, such as `10.0.0.7:3000`: the others name it when it does not answer.
    public var address: String?

    /// How often this node tells the others that it lives.
    public var leaseInterval: TimeAmount = .seconds(1)

    /// For how long a Swift node that says nothing counts as alive.
    ///
    /// After that it is still asked, but questions do not wait for it until it speaks again. A node that has left, or
    /// whose connection to the broker has ended, is not asked at all.
    public var leaseDuration: TimeAmount = .seconds(4)

    /// How many bytes an answer to another node's question may have.
    ///
    /// If the answer would be longer, the node refuses with a reason. A Swift node that asks gets an error, and a
    /// Node.js node an empty answer. By default Redis cuts a subscriber off that is 32 MiB behind.
    public var maximumAnswerBytes = 8 * 1024 * 1024

    /// How many bytes of other nodes' answers this server keeps, for all namespaces, while it waits for the rest.
    ///
    /// A question that would take more fails.
    public var maximumCollectedBytes = 64 * 1024 * 1024

    /// How many calls may wait for other nodes' answers at a time, in one namespace.
    public var maximumQuestions = 10_000

    /// The defaults.
    public init() {}
}
