import CoreMetrics
public import EngineIO
import Logging
public import NIOCore
import OrderedCollections
public import SocketIOWire
import Synchronization

/// One client in one namespace.
///
/// A socket belongs to the event loop of its connection. You may call its methods from anywhere. On that loop, as in
/// synchronous handlers, they act at once; elsewhere they are enqueued to it, in the order of the calls. So after
/// `socket.join("a")`, `io.to("a").emit("x")` in the same task reaches this socket.
///
/// Follows sections 3-8 of the Socket.IO protocol as Node's server implements it.
public final class Socket: @unchecked Sendable {
    // Invariant behind `@unchecked`: what is `var` here and not inside `shared` is touched on `eventLoop` only. The
    // same is true for `session` and `client`, but for their constants. Debug builds assert that where a socket is
    // changed. A `LoopBound` instead would cost every connection one more allocation.

    enum State { case connecting, connected, disconnected }

    /// What may be read from any thread; written on the loop, `data` from anywhere.
    struct Shared {
        var data = JSONValue.object([:])
        var memberships: [RoomMembership] = []
    }

    /// Identifies the socket in the whole cluster; not the id of its connection, which is secret.
    public let id: SocketID
    /// The namespace that the client connected to.
    public let namespace: Namespace
    let shard: NamespaceShard
    let session: EngineSession
    let client: ClientConnection
    let auth: JSONValue
    let shared: Mutex<Shared>

    @exclusivity(unchecked) var state = State.connecting
    /// Whether the client was away for a moment and has got everything that it missed: it has the id, the rooms and the
    /// ``data`` that it had before.
    public let isRecovered: Bool
    /// Whether the namespace is `/`: asked for every packet that names none.
    let isInMainNamespace: Bool
    /// What the client can come back with; empty while recovery is off, and before the socket has connected.
    private let ticketReference = AtomicLazyReference<RecoveryTicket>()
    /// Whether the handlers are being told that the socket is about to leave.
    private var isEnding = false
    /// Marks that a broadcast which walks several rooms has seen this socket; see
    /// ``NamespaceShard/deliver(_:options:)``.
    var visited: UInt32 = 0
    /// Where this socket stands in ``NamespaceShard/connected``.
    var index: Int32 = -1
    /// What a layer above this one remembers of the socket, on its loop.
    ///
    /// Nothing here depends on it.
    @exclusivity(unchecked) package var mark: UInt32 = 0
    /// Handlers, pending acknowledgements and mailboxes; most sockets have none.
    @exclusivity(unchecked) var extras: SocketExtras?

    init(id: SocketID, in namespace: Namespace, client: ClientConnection, auth: JSONValue) {
        self.id = id
        self.shard = namespace.shard(on: client.session.eventLoop)
        self.namespace = namespace
        self.isInMainNamespace = namespace.text == "/"
        self.client = client
        self.session = client.session
        self.auth = auth
        self.isRecovered = false
        self.shared = Mutex(Shared())
    }

    /// A client that comes back; it gets its data with the ticket.
    init(recovering ticket: RecoveryTicket, in namespace: Namespace, client: ClientConnection, auth: JSONValue) {
        self.id = ticket.socketID
        self.shard = namespace.shard(on: client.session.eventLoop)
        self.namespace = namespace
        self.isInMainNamespace = namespace.text == "/"
        self.client = client
        self.session = client.session
        self.auth = auth
        self.isRecovered = true
        self.shared = Mutex(Shared())
        self.remember(ticket)
    }

    /// What the client can come back with; may be asked for on any thread.
    @inline(__always)
    var ticket: RecoveryTicket? { self.ticketReference.load() }

    /// Called once, when the socket connects.
    func remember(_ ticket: RecoveryTicket) { _ = self.ticketReference.storeIfNil(ticket) }

    /// Whether no earlier packet for this socket waits behind events of other threads; on its loop.
    ///
    /// Without recovery none ever waits, so the check costs a packet one look at the socket.
    @inline(__always)
    var isUpToDate: Bool { self.ticket == nil || self.shard.logPosition.deferred == 0 }

    /// The rooms that it is in, its own not counted.
    var memberships: [Room] { self.shared.withLock { $0.memberships.map(\.members.room) } }

    /// The event loop of the socket's connection: synchronous handlers run on it.
    public var eventLoop: any EventLoop { self.shard.eventLoop }

    /// How the client connected: headers, query, address, and the `auth` that it sent.
    public var handshake: Handshake { Handshake(request: self.session.request, auth: self.auth) }

    /// Whether the client has joined the namespace and not left it.
    ///
    /// On the socket's loop this is exact; elsewhere it may lag behind by a moment.
    public var isConnected: Bool {
        if self.eventLoop.inEventLoop { return self.state == .connected }
        return self.shard.isConnected(self.id)
    }

    /// What the application wants to remember about the client, an object by default.
    ///
    /// Other nodes see it in `fetchSockets()`. Any thread may read and write it.
    public var data: JSONValue {
        get { self.shared.withLock { $0.data } }
        set {
            self.shared.withLock { $0.data = newValue }
            self.dataChanged()
        }
    }

    /// Changes ``data`` in one step, so that no other change gets lost.
    public func updateData<Result: Sendable>(_ change: (inout JSONValue) throws -> sending Result) rethrows -> Result {
        defer { self.dataChanged() }
        return try self.shared.withLock { try change(&$0.data) }
    }

    /// Tells the cluster, if it keeps the client's session.
    private func dataChanged() {
        guard let recovery = self.namespace.recovery, recovery.cluster != nil else { return }
        self.onLoop {
            guard self.state == .connected, let ticket = self.ticket else { return }
            recovery.touch(ticket, of: self)
        }
    }

    /// The rooms that the socket is in, the room of its own id included; empty once it has disconnected.
    public var rooms: Set<Room> {
        self.shared.withLock { shared in
            var rooms = Set(shared.memberships.map { $0.members.room })
            if self.hasOwnRoom { rooms.insert(self.id.room) }
            return rooms
        }
    }

    private var hasOwnRoom: Bool { self.isConnected }

    /// The transport in use now, which changes when the client upgrades; ask on the socket's loop only.
    public var transport: TransportName {
        self.eventLoop.preconditionInEventLoop()
        return self.session.transport
    }

    /// How many bytes wait to be sent to the client, in all namespaces; ask on the socket's loop only.
    ///
    /// Above the engine's `limits.volatileThreshold` the server drops volatile events; above its
    /// `limits.maxQueuedBytes` it closes the connection.
    public var queuedBytes: Int {
        self.eventLoop.preconditionInEventLoop()
        return self.session.queuedBytes
    }

    /// The same client's socket in another namespace.
    ///
    /// - Parameter namespace: The namespace's name, with its leading slash.
    /// - Returns: `nil` if the client has not joined that namespace.
    public func sibling(in namespace: String) async -> Socket? {
        // The task runs on any thread, and the connection's list of sockets belongs to the loop.
        try? await self.eventLoop.submit { self.client.connectedSocket(in: namespace) }.get()
    }

    /// Runs on the socket's loop, after what the caller has asked for before: now, if this is that loop.
    func onLoop(_ body: @escaping @Sendable () -> Void) {
        if self.shard.isNext {
            body()
        } else {
            self.shard.later(body)
        }
    }

    /// The handlers and pending acknowledgements, made on first use.
    func makeExtras() -> SocketExtras {
        self.eventLoop.assertInEventLoop()
        if let extras = self.extras { return extras }
        let extras = SocketExtras()
        self.extras = extras
        return extras
    }
}

// MARK: - Rooms

extension Socket {
    /// Joins rooms, up to ``SocketLimits/roomsPerSocket``; a socket that has disconnected joins nothing.
    public func join(_ rooms: Room...) { self.join(rooms) }

    /// Joins rooms, up to ``SocketLimits/roomsPerSocket``; a socket that has disconnected joins nothing.
    public func join(_ rooms: [Room]) {
        self.onLoop { self.enter(rooms) }
    }

    /// Joins rooms, and returns when this node hears what other nodes send to them.
    ///
    /// See ``joinConfirmed(_:)-([Room])``.
    public func joinConfirmed(_ rooms: Room...) async { await self.joinConfirmed(rooms) }

    /// Joins rooms, and returns when this node hears what other nodes send to them.
    ///
    /// This node's own events reach the socket from the join on. Those of other nodes do, too, unless the adapter
    /// subscribes to single rooms (`subscriptions: rooms`, or the sharded adapter): then it takes a round trip to the
    /// broker. While the broker is away this returns at once: the socket misses what other nodes send meanwhile.
    public func joinConfirmed(_ rooms: [Room]) async {
        self.join(rooms)
        await self.confirm(rooms)
    }

    /// Returns when this node hears what other nodes send to rooms that the socket has joined before.
    package func confirm(_ rooms: [Room]) async {
        let adapter = self.namespace.adapter
        guard adapter.subscribesToRooms else { return }
        // Behind the join itself.
        try? await self.eventLoop.submit {}.get()
        await adapter.confirmSubscriptions(to: rooms)
    }

    /// The same, on the socket's loop.
    func enter(_ rooms: [Room]) {
        self.eventLoop.assertInEventLoop()
        guard self.state != .disconnected else { return }
        let limit = self.namespace.limits.roomsPerSocket
        for room in rooms where !self.shard.add(self, to: room, limit: limit) {
            self.exceeded(LimitExceeded(code: .roomsPerSocket, limit: limit))
            return
        }
    }

    /// Leaves a room; nothing happens if the socket is not in it.
    public func leave(_ room: Room) {
        self.onLoop { self.shard.remove(self, from: room) }
    }

    /// Leaves rooms; nothing happens for those that the socket is not in.
    public func leave(_ rooms: [Room]) {
        self.onLoop {
            for room in rooms { self.shard.remove(self, from: room) }
        }
    }

    /// Addresses the members of these rooms, except this socket.
    public func to(_ rooms: Room...) -> BroadcastOperator { self.broadcast.to(rooms) }

    /// Addresses the members of these rooms, except this socket.
    public func to(_ rooms: [Room]) -> BroadcastOperator { self.broadcast.to(rooms) }

    /// Addresses the members of these rooms, except this socket: the same as ``to(_:)-(Room...)``.
    public func `in`(_ rooms: Room...) -> BroadcastOperator { self.broadcast.to(rooms) }

    /// Addresses the members of these rooms, except this socket: the same as ``to(_:)-([Room])``.
    public func `in`(_ rooms: [Room]) -> BroadcastOperator { self.broadcast.to(rooms) }

    /// Addresses everybody but this socket and the members of these rooms.
    public func except(_ rooms: [Room]) -> BroadcastOperator { self.broadcast.except(rooms) }

    /// Addresses everybody but this socket and the members of these rooms.
    public func except(_ rooms: Room...) -> BroadcastOperator { self.broadcast.except(rooms) }

    /// Addresses everybody but this socket.
    public var broadcast: BroadcastOperator {
        BroadcastOperator(namespace: self.namespace, options: BroadcastOptions(except: [self.id.room]))
    }

    /// Addresses the other sockets of this node.
    public var local: BroadcastOperator { self.broadcast.local }
}

// MARK: - Leaving

extension Socket {
    /// Disconnects the client from the namespace; it does not reconnect by itself.
    ///
    /// - Parameter closingConnection: Also leaves the connection's other namespaces and closes the connection.
    public func disconnect(closingConnection: Bool = false) {
        self.onLoop { self.sendAway(closingConnection: closingConnection) }
    }

    /// The same, on the socket's loop.
    func sendAway(closingConnection: Bool) {
        if closingConnection {
            self.client.disconnectAll()
        } else {
            self.disconnectFromNamespace()
        }
    }

    /// Tells the client that it was disconnected, and forgets it.
    func disconnectFromNamespace() {
        guard self.state == .connected else { return }
        self.session.send(PacketEncoder.disconnect(namespace: self.namespace.name))
        self.close(.serverNamespaceDisconnect)
    }

    /// Ends the socket: handlers hear of it while it still has its rooms, then it leaves them.
    func close(_ reason: DisconnectReason) {
        self.eventLoop.assertInEventLoop()
        let previous = self.state
        guard previous != .disconnected, !self.isEnding else { return }
        // A handler of the end may ask for the end.
        self.isEnding = true
        let listeners = self.extras
        if previous == .connected {
            for handler in listeners?.disconnecting ?? [] { handler.body(reason) }
            for handler in self.namespace.disconnectingHandlers { handler(self, reason) }
        }
        self.state = .disconnected
        if previous == .connected, let ticket = self.ticket { self.namespace.recovery?.suspend(ticket, of: self) }
        self.shard.forget(self)
        self.client.forget(self)
        if let ticket = self.ticket {
            self.namespace.recovery?.release(ticket, of: self, mayComeBack: reason.isRecoverable)
        }
        if previous == .connected {
            self.namespace.metrics.sockets.decrement()
            self.namespace.logger.debug(
                "A client left a namespace",
                metadata: [
                    "sio.socket.id": "\(self.id)", "sio.namespace": "\(self.namespace.name)",
                    "reason": "\(reason.rawValue)",
                ]
            )
            for handler in listeners?.disconnect ?? [] { handler.body(reason) }
            for handler in self.namespace.disconnectHandlers { handler(self, reason) }
        }
        listeners?.socketClosed()
        self.client.left(self.namespace)
    }

    /// The client went beyond a limit: tells it, and the application.
    func exceeded(_ limit: LimitExceeded) {
        self.client.rejected(limit.code.rawValue)
        self.namespace.logger.debug(
            "A client is over a limit",
            metadata: [
                "sio.socket.id": "\(self.id)", "sio.namespace": "\(self.namespace.name)",
                "reason": "\(limit.code.rawValue)",
            ]
        )
        self.tellApplication(limit, nil)
        guard self.state == .connected else { return }
        self.session.send(
            PacketEncoder.event(LimitExceeded.event, arguments: [limit.json], namespace: self.namespace.name)
        )
    }
}
