/// What is known about a message that was published.
public struct PublishReport: Sendable, Hashable {
    /// What happened to the message on its way to the other nodes.
    public enum Delivery: String, Sendable, Hashable {
        /// The cluster's broker has confirmed the message, or there are no other nodes. This node's clients have it.
        case published
        /// The broker is away or silent. This node's clients have the message. For the others it waits, within bounds.
        case queued
        /// The broker was handed the message, and no reply came. This node's clients have the message. The others get it, or
        /// they don't; it is not sent again.
        case unconfirmed
        /// This node holds the message for a later one about the same entry, for the time that the content type asks for.
        /// Nobody has it yet. If the cluster is out of reach then, the message waits, within bounds.
        case held
        /// Nothing was sent, because nobody is addressed.
        case nobody = "none"
    }

    /// What happened to the message on its way to the other nodes.
    public var delivery: Delivery
    /// How many clients it was sent to, if the caller asked for that.
    public var receipt: PublishReceipt?

    /// Makes a report.
    public init(_ delivery: Delivery, receipt: PublishReceipt? = nil) {
        self.delivery = delivery
        self.receipt = receipt
    }
}

/// How many clients a message was sent to.
public struct PublishReceipt: Sendable, Hashable {
    /// How many clients got it from the nodes that answered.
    ///
    /// A client that several events address counts for each of them.
    public var receivers: Int
    /// How many nodes have answered, this one included.
    public var nodes: Int
    /// The nodes that have not: the name of each one that did not answer in time, `unknown` for one without a name, and
    /// `cluster` if nobody knows how many there are.
    public var missing: [String]

    /// Makes a receipt.
    public init(receivers: Int, nodes: Int, missing: [String]) {
        self.receivers = receivers
        self.nodes = nodes
        self.missing = missing
    }
}
