public import NIOCore

/// Carries bytes between the nodes of a cluster; you write one for an adapter over another broker.
///
/// A driver knows nothing of rooms, questions and acknowledgements. ``ClusterAdapterFactory`` makes an adapter of it.
/// Each namespace is a group of its own, which nodes join and leave. Each message reaches the other nodes at most once.
/// The messages from one node to another arrive in the order in which they were sent.
public protocol ClusterDriver: Sendable {
    /// Joins a namespace's group; returns when this node hears the others and the others hear this node.
    ///
    /// - Parameters:
    ///   - member: This node in that namespace.
    ///   - inbox: Takes the messages of the others, from now on and until ``leave(_:)`` returns.
    /// - Throws: Why the node can't join. Then the server does not start.
    func join(_ member: ClusterMember, _ inbox: ClusterInbox) async throws

    /// Leaves the group; nothing is received after it has returned.
    func leave(_ member: ClusterMember) async

    /// Sends bytes without waiting; callable from any thread.
    ///
    /// The driver may hand a node's own messages back to it: the adapter ignores them.
    ///
    /// - Parameters:
    ///   - bytes: What to send.
    ///   - destination: The members for which they are.
    ///   - member: This node in the namespace.
    /// - Throws: Why they were not taken, for example because too many bytes wait already.
    func send(_ bytes: ByteBuffer, to destination: ClusterDestination, from member: ClusterMember) throws

    /// Returns when the broker has confirmed everything that this node has sent in the namespace so far.
    ///
    /// - Throws: Why it is unknown whether the broker has it.
    func confirm(_ member: ClusterMember) async throws

    /// Counts the members of the group now, this node included.
    ///
    /// - Throws: Why they can't be counted. Never return a count that may be too small.
    func countMembers(of namespace: String) async throws -> Int
}

/// A node in a namespace's group.
public struct ClusterMember: Sendable, Hashable {
    /// The namespace, with its slash.
    public var namespace: String
    /// What the node calls itself there: 16 hexadecimal digits, another one in each namespace.
    public var id: String

    /// A node in a namespace.
    public init(namespace: String, id: String) {
        self.namespace = namespace
        self.id = id
    }
}

/// The members for which a message is.
public enum ClusterDestination: Sendable, Hashable {
    /// All members of the group.
    case all
    /// The member of that id, if it is still there.
    case node(String)
}

/// Takes everything that arrives at a driver; callable from any thread, but from one at a time.
public final class ClusterInbox: Sendable {
    private let reader: ClusterEnvelopeReader
    private let receiver: ClusterReceiver

    init(_ reader: ClusterEnvelopeReader, _ receiver: ClusterReceiver) {
        self.reader = reader
        self.receiver = receiver
    }

    /// Takes a message of another member; anything else is ignored, counted and logged.
    public func receive(_ bytes: ByteBuffer) {
        self.reader.received(bytes, from: "the driver")
    }

    /// Takes note that the broker was lost, or that it is back and this node hears the others again.
    ///
    /// While it is lost, the count of members is uncertain. After that, clients may have missed something.
    public func availabilityChanged(isAvailable: Bool) { self.receiver.availabilityChanged(isAvailable) }

    /// Takes note that others may have sent something that did not arrive.
    public func messagesMayBeMissing() { self.receiver.eventsMayBeMissing() }

    /// Takes note that the number of members may have changed, if the driver hears of that.
    public func membersChanged() { self.receiver.peersChanged() }
}
