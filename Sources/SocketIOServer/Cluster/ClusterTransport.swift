package import NIOCore
package import SocketIOWire

/// Carries one namespace's messages between this node and the others: a dialect, and the way that it travels.
///
/// The cluster core decides what is asked and answered, and knows nothing of channels, bytes or Redis. A transport
/// knows nothing of questions: it hands everything that arrives to its ``ClusterReceiver``.
package protocol ClusterTransport: AnyObject, Sendable {
    /// What this node calls itself in this namespace.
    var nodeID: UTF8Text { get }

    /// Makes the id of a request.
    func makeRequestID() -> String

    /// The other nodes that are known by name; the others are only counted.
    var peers: [ClusterPeer] { get }

    /// Whether a broadcast that clients acknowledge keeps its flags on other nodes; official adapters differ.
    var honoursFlagsOfAcknowledged: Bool { get }

    /// Whether this node hears only messages to rooms in which it has sockets.
    var subscribesToRooms: Bool { get }

    /// Returns when this node hears messages to these rooms, or can't because the broker is away.
    func confirmSubscriptions(to rooms: [Room]) async

    /// Joins the cluster; returns when this node hears what others send, and they hear what it sends.
    ///
    /// - Throws: ``ClusterError``.
    func start(_ receiver: ClusterReceiver) async throws

    /// Leaves the cluster; nothing is received after it returned.
    func close() async

    /// Sends a message to the nodes that it is for, without waiting.
    ///
    /// - Throws: ``ClusterError`` if it was not taken.
    func send(_ message: OutgoingMessage) throws(ClusterError)

    /// Sends messages, all or none, and returns when their outcome is known.
    func send(
        _ messages: [OutgoingMessage],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount
    ) async -> PublishOutcome

    /// Writes a reply, once for all nodes that asked the same.
    func encode(_ reply: ClusterReply) -> EncodedReply

    /// Sends a reply without waiting.
    ///
    /// - Throws: ``ClusterError`` if it was not taken.
    func send(_ reply: EncodedReply, to asker: ClusterAsker) throws(ClusterError)

    /// Sends a long reply.
    ///
    /// - Returns: When neither the reply nor anything that was sent before takes memory here any more.
    func sendLong(_ reply: EncodedReply, to asker: ClusterAsker, timeout: TimeAmount) -> EventLoopFuture<Void>

    /// Counts the nodes that serve the namespace now, and looks which of some are among them.
    ///
    /// - Parameters:
    ///   - named: Nodes of ``peers``, by what they call themselves.
    ///   - isConfirmation: Whether this is only to see that an earlier count still holds.
    /// - Returns: All numbers of one moment.
    func countNodes(_ named: [UTF8Text], isConfirmation: Bool) -> EventLoopFuture<ClusterCount>
}

extension ClusterTransport {
    package var peers: [ClusterPeer] { [] }
    package var honoursFlagsOfAcknowledged: Bool { true }
    package var subscribesToRooms: Bool { false }
    package func confirmSubscriptions(to rooms: [Room]) async {}
}

/// What a node tells or asks the others.
package enum OutgoingMessage: Sendable {
    case broadcast(Broadcast)
    case join(BroadcastOptions, rooms: [Room])
    case leave(BroadcastOptions, rooms: [Room])
    case disconnect(BroadcastOptions, closingConnection: Bool)
    case fetchSockets(requestID: String, BroadcastOptions)
    case allRooms(requestID: String)
    /// `[event, argument...]`; answered if there is the id of a request.
    case serverSideEmit(requestID: String?, [JSONValue])
    /// A broadcast whose clients acknowledge it.
    case acknowledgedBroadcast(requestID: String, Broadcast)

    /// What a command does, as a message.
    package init(_ operation: ClusterOperation) {
        switch operation.action {
        case .emit(let arguments):
            self = .broadcast(Broadcast(arguments: arguments, options: operation.options))
        case .join(let rooms): self = .join(operation.options, rooms: rooms)
        case .leave(let rooms): self = .leave(operation.options, rooms: rooms)
        case .disconnect(let closing): self = .disconnect(operation.options, closingConnection: closing)
        }
    }
}

/// What a node answers.
package enum ClusterReply: Sendable {
    case sockets([SocketDescription])
    /// Old nodes of Node.js ask for these.
    case socketIDs([String])
    case rooms(Set<Room>)
    /// The answer to another server's event; `nil` if that was nothing.
    case serverSide(JSONValue?)
    /// How many clients were sent a broadcast that they acknowledge.
    case clientCount(Int)
    /// The first argument of a client's acknowledgement; `nil` if it had none.
    case acknowledgement(JSONValue?)
    /// It was carried out.
    case done
    /// This node refuses to answer, for that reason.
    case refusal(of: ClusterResponse.Question, reason: String)
}

/// A reply in the transport's own form, to which the id of a request is added.
package struct EncodedReply: Sendable {
    /// How many bytes of a message the reply takes.
    package let byteCount: Int
    /// Whether every node gets the reply, and not only the one that asked.
    package let isForAll: Bool
    /// Makes the message for a request.
    package let message: @Sendable (ClusterAsker) -> ByteBuffer

    package init(
        byteCount: Int,
        isForAll: Bool = false,
        message: @escaping @Sendable (ClusterAsker) -> ByteBuffer
    ) {
        self.byteCount = byteCount
        self.isForAll = isForAll
        self.message = message
    }
}

/// The node that asks this node something.
package struct ClusterAsker: Sendable {
    /// What the node calls itself; some don't say.
    package var nodeID: UTF8Text?
    /// The id that the answer repeats; only the asking node knows what it means.
    package var requestID: JSONValue?

    package init(nodeID: UTF8Text?, requestID: JSONValue?) {
        self.nodeID = nodeID
        self.requestID = requestID
    }
}
