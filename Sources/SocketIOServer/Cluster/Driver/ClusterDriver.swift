public import NIOCore

/// Carries bytes between the nodes of a cluster: what the author of an adapter for another broker writes.
///
/// A driver knows nothing of rooms, questions and acknowledgements. ``ClusterAdapterFactory`` makes an adapter of it. Each
/// namespace is a group of its own, which nodes join and leave. What a node sends reaches the others at most once, and what
/// one node sends to another arrives in the order in which it was sent.
public protocol ClusterDriver: Sendable {
    /// Joins a namespace's group; returns when this node hears what the others send, and they hear what it sends.
    ///
    /// - Parameters:
    ///   - member: This node in that namespace.
    ///   - inbox: Takes what the others send, from now on and until ``leave(_:)`` returns.
    /// - Throws: Why the node can't join: the server does not start then.
    func join(_ member: ClusterMember, _ inbox: ClusterInbox) async throws

    /// Leaves the group; nothing is received after it returned.
    func leave(_ member: ClusterMember) async

    /// Sends bytes without waiting; callable from any thread.
    ///
    /// What this node sends may come back to it: the adapter ignores that.
    ///
    /// - Parameters:
    ///   - bytes: What to send.
    ///   - destination: Whom they are for.
    ///   - member: This node in the namespace.
    /// - Throws: Why they were not taken, for example because too many wait already.
    func send(_ bytes: ByteBuffer, to destination: ClusterDestination, from member: ClusterMember) throws

    /// Returns when the broker has confirmed everything that this node sent before in the namespace.
    ///
    /// - Throws: Why nobody knows whether it has it.
    func confirm(_ member: ClusterMember) async throws

    /// Counts the members of the group now, this node included.
    ///
    /// - Throws: Why they can't be counted. A count that may be too small must not be returned.
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

/// Whom a message between nodes is for.
public enum ClusterDestination: Sendable, Hashable {
    /// All members of the group.
    case all
    /// The member of that id; nobody, if it has gone.
    case node(String)
}

/// What a driver hands over whatever arrives to; callable from any thread, one at a time.
public final class ClusterInbox: Sendable {
    private let reader: ClusterEnvelopeReader
    private let receiver: ClusterReceiver

    init(_ reader: ClusterEnvelopeReader, _ receiver: ClusterReceiver) {
        self.reader = reader
        self.receiver = receiver
    }

    /// Takes what another member sent, or what nobody should have sent: that is ignored, counted and logged.
    public func receive(_ bytes: ByteBuffer) {
        self.reader.received(bytes, from: "the driver")
    }

    /// Takes note that the broker was lost, or that it is back and this node hears the others again.
    ///
    /// While it is lost, the count of members is in doubt. After it, clients may have missed something.
    public func availabilityChanged(isAvailable: Bool) { self.receiver.availabilityChanged(isAvailable) }

    /// Takes note that others may have sent something that did not arrive.
    public func messagesMayBeMissing() { self.receiver.eventsMayBeMissing() }

    /// Takes note that the group may have another number of members now, as far as the driver hears of that.
    public func membersChanged() { self.receiver.peersChanged() }
}
