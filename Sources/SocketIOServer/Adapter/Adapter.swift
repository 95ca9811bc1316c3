public import NIOCore
public import SocketIOWire

/// Carries one namespace's broadcasts, commands and requests to the cluster's other nodes.
///
/// The namespace serves the clients of its own node itself. An adapter deals only with the *other* nodes.
/// One instance belongs to one namespace.
///
/// Calls that publish return at once and never fail. An adapter that can't reach the cluster queues messages up to its
/// limits, and counts and logs the messages that it drops. Requests throw ``ClusterError`` if the answer would be
/// incomplete.
public protocol Adapter: Sendable {
    /// Joins the cluster; returns when this node hears what others publish.
    func start() async throws

    /// Leaves the cluster, even while ``start()`` is under way. After it has returned, calls to the host have no
    /// effect.
    func close() async

    /// Whether this node hears only messages to rooms in which it has sockets.
    var subscribesToRooms: Bool { get }

    /// Returns when this node hears messages to these rooms, or can't because the broker is away.
    func confirmSubscriptions(to rooms: [Room]) async

    /// The number of nodes that serve this namespace, this one included.
    func serverCount() async throws -> Int

    /// Sends a broadcast to the sockets of the other nodes.
    func publish(_ broadcast: Broadcast)

    /// Makes the matching sockets of other nodes join rooms.
    func addSockets(_ options: BroadcastOptions, rooms: [Room])

    /// Makes the matching sockets of other nodes leave rooms.
    func delSockets(_ options: BroadcastOptions, rooms: [Room])

    /// Disconnects the matching sockets of other nodes.
    func disconnectSockets(_ options: BroadcastOptions, closingConnection: Bool)

    /// Tells the other nodes to do all of these operations, in this order, and waits until the outcome is known.
    ///
    /// If the outcome is a refusal, no operation was sent to anybody, unless the reason says otherwise. With the policy
    /// `refuse` nothing is kept for later. A message that was handed to the broker is not sent again if there is no
    /// reply.
    ///
    /// - Parameters:
    ///   - operations: What to tell; not empty.
    ///   - policy: What to do while the broker is away or silent.
    ///   - timeout: How long to wait for the broker's replies.
    /// - Returns: The worst outcome of all.
    func publish(
        _ operations: [ClusterOperation],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount
    ) async -> PublishOutcome

    /// The matching sockets of the other nodes.
    ///
    /// - Throws: ``ClusterError`` (with what was received) if a node has not answered within the timeout.
    func fetchSockets(_ options: BroadcastOptions, timeout: TimeAmount?) async throws -> [SocketDescription]

    /// The socket of that id, if another node has it.
    ///
    /// - Throws: ``ClusterError`` if no node has said that it has the socket, and at least one has not answered within
    ///   the timeout.
    func findSocket(_ id: String, timeout: TimeAmount?) async throws -> SocketDescription?

    /// The names of the rooms that exist on other nodes, ids of sockets included.
    func allRooms(timeout: TimeAmount?) async throws -> Set<Room>

    /// Sends an event to the other servers themselves: `[event, argument...]`.
    func serverSideEmit(_ arguments: [JSONValue])

    /// Sends an event to the other servers and collects one answer of each.
    ///
    /// - Throws: ``ClusterError`` (with what was received) if a node has not answered within the timeout.
    func serverSideEmitWithAck(_ arguments: [JSONValue], timeout: TimeAmount?) async throws -> [JSONValue?]

    /// Sends a broadcast whose clients acknowledge it.
    ///
    /// `onClientCount` is called once for each other node, with the number of clients to which the node has sent the
    /// packet. `onAcknowledgement` is called once for each acknowledgement, with its first argument or `nil`. Both may
    /// be called from any thread, before or after this returns.
    ///
    /// - Returns: The other nodes, each of which reports how many of its clients were sent the event.
    func publishWithAck(
        _ broadcast: Broadcast,
        timeout: TimeAmount,
        onClientCount: @escaping @Sendable (Int) -> Void,
        onAcknowledgement: @escaping @Sendable (JSONValue?) -> Void
    ) async throws -> ClusterAudience
}

extension Adapter {
    /// Hears everything.
    public var subscribesToRooms: Bool { false }

    /// Returns at once.
    public func confirmSubscriptions(to rooms: [Room]) async {}

    /// Asks for the members of the socket's own room.
    public func findSocket(_ id: String, timeout: TimeAmount?) async throws -> SocketDescription? {
        let isWanted = { (socket: SocketDescription) in UTF8Text(socket.id) == UTF8Text(id) }
        let options = BroadcastOptions(rooms: [Room(id)])
        do {
            return try await self.fetchSockets(options, timeout: timeout).first(where: isWanted)
        } catch let error as ClusterError {
            // A node has the socket, so the missing answers do not matter.
            guard let socket = error.partialSockets.first(where: isWanted) else { throw error }
            return socket
        }
    }

    /// Tells the other nodes without waiting; the outcome is not known, so it counts as queued.
    public func publish(
        _ operations: [ClusterOperation],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount
    ) async -> PublishOutcome {
        for operation in operations { self.tell(operation) }
        return .queued
    }

    /// Tells the other nodes one thing.
    package func tell(_ operation: ClusterOperation) {
        switch operation.action {
        case .emit(let arguments):
            self.publish(Broadcast(arguments: arguments, options: operation.options))
        case .join(let rooms):
            self.addSockets(operation.options, rooms: rooms)
        case .leave(let rooms):
            self.delSockets(operation.options, rooms: rooms)
        case .disconnect(let closingConnection):
            self.disconnectSockets(operation.options, closingConnection: closingConnection)
        }
    }
}

/// One broadcast event on its way to other nodes.
public struct Broadcast: Sendable {
    /// `[event, argument...]`.
    public var arguments: [JSONValue]
    /// The sockets that it addresses, and how.
    public var options: BroadcastOptions

    /// An event for the addressed sockets.
    public init(arguments: [JSONValue], options: BroadcastOptions) {
        self.arguments = arguments
        self.options = options
    }
}

/// Makes one adapter for each namespace.
public protocol AdapterFactory: Sendable {
    /// Makes the adapter of one namespace; called once, when the namespace is made.
    ///
    /// - Parameter host: The namespace as the adapter sees it. The adapter may keep it: that does not keep the
    ///   namespace alive.
    /// - Returns: The adapter, which the namespace keeps.
    func makeAdapter(for host: any AdapterHost) -> any Adapter
}

/// What an adapter may ask of, and do to, its namespace on this node.
public protocol AdapterHost: Sendable, AnyObject {
    /// The namespace's name, with its leading slash.
    var name: String { get }

    /// A loop of this server, for timers and connections.
    var eventLoop: any EventLoop { get }

    /// Whether this node has a socket in that room, or a client that may come back to it.
    ///
    /// The call is cheap, and allowed on any thread. For a moment the answer may not know of a socket that has just
    /// joined. Clients that are away count while ``SocketServerConfiguration/connectionStateRecovery`` promises them
    /// that they miss nothing.
    func hasLocalMembers(of room: Room) -> Bool

    /// Tells an observer in which rooms this node has sockets, and from now on of each change.
    ///
    /// There is one observer at a time. The host keeps it until another one or `nil` takes its place.
    func observeRooms(_ observer: (any RoomObserver)?)

    /// Whether a socket of that id is connected to this node; cheap, and allowed on any thread.
    func hasLocalSocket(_ id: String) -> Bool

    /// Delivers an encoded event to the matching sockets of this node.
    func deliver(_ packet: EncodedPacket, options: BroadcastOptions)

    /// Takes note that other nodes may have sent events that did not arrive here.
    ///
    /// Clients that are away now must not be told later that they have missed nothing.
    func eventsMayBeMissing()

    /// Delivers an event that wants acknowledgements to the matching sockets of this node.
    ///
    /// `onClientCount` is called once, then `onAcknowledgement` for each acknowledgement that arrives within the
    /// timeout, which the server may shorten. If too many broadcasts are waiting, neither is called, and the node that
    /// asked runs into its own timeout.
    func deliverWithAck(
        arguments: [JSONValue],
        options: BroadcastOptions,
        timeout: TimeAmount,
        onClientCount: @escaping @Sendable (Int) -> Void,
        onAcknowledgement: @escaping @Sendable (JSONValue?) -> Void
    )

    /// Makes the matching sockets of this node join rooms.
    func addLocalSockets(_ options: BroadcastOptions, rooms: [Room])

    /// Makes the matching sockets of this node leave rooms.
    func delLocalSockets(_ options: BroadcastOptions, rooms: [Room])

    /// Disconnects the matching sockets of this node.
    func disconnectLocalSockets(_ options: BroadcastOptions, closingConnection: Bool)

    /// Describes the matching sockets of this node.
    func localSockets(_ options: BroadcastOptions) -> EventLoopFuture<[SocketDescription]>

    /// Describes the matching sockets of this node, some at a time, until the body returns `false`.
    ///
    /// A description takes some kilobytes, so the descriptions of all sockets together may take too much memory. The
    /// body is called on ``eventLoop``.
    func visitLocalSockets(
        _ options: BroadcastOptions,
        _ body: @escaping @Sendable ([SocketDescription]) -> Bool
    ) -> EventLoopFuture<Void>

    /// The names of the rooms of this node, ids of sockets included.
    func localRooms() -> EventLoopFuture<Set<Room>>

    /// Runs this node's listeners for an event that another server sent: `[event, argument...]`.
    ///
    /// `reply` is there if the sender waits for an answer. Only its first call counts.
    func serverSideEvent(_ arguments: [JSONValue], reply: (@Sendable (JSONValue?) -> Void)?)
}

extension AdapterHost {
    /// Does nothing, because the host has no rooms to tell of.
    public func observeRooms(_ observer: (any RoomObserver)?) {}

    /// Whether a socket is in the room of that name.
    public func hasLocalSocket(_ id: String) -> Bool { self.hasLocalMembers(of: Room(id)) }

    /// Describes all of them at once.
    public func visitLocalSockets(
        _ options: BroadcastOptions,
        _ body: @escaping @Sendable ([SocketDescription]) -> Bool
    ) -> EventLoopFuture<Void> {
        self.localSockets(options).hop(to: self.eventLoop).map { _ = body($0) }
    }
}
