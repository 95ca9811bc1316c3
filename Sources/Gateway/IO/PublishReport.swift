/// What is known of something that was published.
public struct PublishReport: Sendable, Hashable {
    /// What became of it on its way to the other nodes.
    public enum Delivery: String, Sendable, Hashable {
        /// The cluster's broker has confirmed it, or there are no other nodes; this node's clients have it.
        case published
        /// The broker is away or silent: this node's clients have it, for the others it waits, within bounds.
        case queued
        /// Nothing was sent, because nobody is addressed.
        case nobody = "none"
    }

    /// What became of it on its way to the other nodes.
    public var delivery: Delivery
    /// How many clients it was sent to, if that was asked for.
    public var receipt: PublishReceipt?

    /// A report about something that was published, or not.
    public init(_ delivery: Delivery, receipt: PublishReceipt? = nil) {
        self.delivery = delivery
        self.receipt = receipt
    }
}

/// How many clients something was sent to.
public struct PublishReceipt: Sendable, Hashable {
    /// How many clients the nodes that answered sent it to; one that several events address counts for each.
    public var receivers: Int
    /// How many nodes have answered, this one included.
    public var nodes: Int
    /// Who has not: `unknown` for each other node that did not answer in time, and `cluster` if it is not known how many
    /// there are.
    public var missing: [String]

    /// A receipt.
    public init(receivers: Int, nodes: Int, missing: [String]) {
        self.receivers = receivers
        self.nodes = nodes
        self.missing = missing
    }
}
