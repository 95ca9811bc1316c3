import CoreMetrics
public import EngineIO
public import NIOCore
import OrderedCollections
public import SocketIOWire
import Synchronization

/// One client in one namespace.
///
/// A socket belongs to the event loop of its connection. Its methods may be called from anywhere: on that loop (in
/// synchronous handlers and middlewares) they act at once, elsewhere they are enqueued to it, in the order of the
/// calls. So `socket.join("a")` followed by `io.to("a").emit(…)` in the same task reaches this socket.
///
/// Follows sections 3-8 of the Socket.IO protocol as Node's server implements it.
public final class Socket: @unchecked Sendable {
    // Invariant behind `@unchecked`: what is `var` here and not inside `shared` is touched on `eventLoop` only;
    // `session` and `client` are used on `eventLoop` only.

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
    /// Marks that a broadcast which walks several rooms has seen this socket; see ``NamespaceShard/deliver(_:options:)``.
    var visited: UInt32 = 0
    /// Where this socket stands in ``NamespaceShard/connected``.
    var index: Int32 = -1
    /// Handlers, pending acknowledgements and mailbox; most sockets have none.
    @exclusivity(unchecked) var extras: SocketExtras?

    init(id: SocketID, shard: NamespaceShard, client: ClientConnection, auth: JSONValue) {
        self.id = id
        self.shard = shard
        self.namespace = shard.namespace
        self.client = client
        self.session = client.session
        self.auth = auth
        self.shared = Mutex(Shared())
    }

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
    /// Other nodes see it in `fetchSockets()`. May be read and written from any thread.
    public var data: JSONValue {
        get { self.shared.withLock { $0.data } }
        set { self.shared.withLock { $0.data = newValue } }
    }

    /// Changes ``data`` in one step, so that no other change gets lost.
    public func updateData<Result: Sendable>(_ change: (inout JSONValue) throws -> sending Result) rethrows -> Result {
        try self.shared.withLock { try change(&$0.data) }
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

    /// The transport in use now, which changes when the client upgrades; to be asked on the socket's loop only.
    public var transport: TransportName {
        self.eventLoop.preconditionInEventLoop()
        return self.session.transport
    }

    /// The same client's socket in another namespace.
    ///
    /// - Parameter namespace: The namespace's name, with its leading slash.
    /// - Returns: `nil` if the client has not joined that namespace.
    public func sibling(in namespace: String) async -> Socket? {
        // The task runs on any thread, and the connection's list of sockets belongs to the loop.
        try? await self.eventLoop.submit { self.client.connectedSocket(in: namespace) }.get()
    }

    /// Runs on the socket's loop: now, if this is that loop.
    func onLoop(_ body: @escaping @Sendable () -> Void) {
        if self.eventLoop.inEventLoop {
            body()
        } else {
            self.eventLoop.execute(body)
        }
    }

    /// The handlers and pending acknowledgements, made on first use.
    func makeExtras() -> SocketExtras {
        if let extras = self.extras { return extras }
        let extras = SocketExtras()
        self.extras = extras
        return extras
    }
}

// MARK: - Rooms

extension Socket {
    /// Joins rooms; a socket that has disconnected joins nothing.
    public func join(_ rooms: Room...) { self.join(rooms) }

    /// Joins rooms; a socket that has disconnected joins nothing.
    public func join(_ rooms: [Room]) {
        self.onLoop {
            guard self.state != .disconnected else { return }
            for room in rooms { self.shard.add(self, to: room) }
        }
    }

    /// Leaves a room; nothing happens if the socket is not in it.
    public func leave(_ room: Room) {
        self.onLoop { self.shard.remove(self, from: room) }
    }

    /// Addresses the members of these rooms, except this socket.
    public func to(_ rooms: Room...) -> BroadcastOperator { self.broadcast.to(rooms) }

    /// Addresses the members of these rooms, except this socket.
    public func to(_ rooms: [Room]) -> BroadcastOperator { self.broadcast.to(rooms) }

    /// Addresses the members of these rooms, except this socket: the same as ``to(_:)-(Room...)``.
    public func `in`(_ rooms: Room...) -> BroadcastOperator { self.broadcast.to(rooms) }

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
        self.onLoop {
            if closingConnection {
                self.client.disconnectAll()
            } else {
                self.disconnectFromNamespace()
            }
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
        let previous = self.state
        guard previous != .disconnected else { return }
        let listeners = self.extras
        if previous == .connected {
            for handler in listeners?.disconnecting ?? [] { handler(reason) }
            for handler in self.namespace.disconnectingHandlers { handler(self, reason) }
        }
        self.state = .disconnected
        self.shard.forget(self)
        self.client.forget(self)
        if previous == .connected {
            self.namespace.metrics.sockets.decrement()
            for handler in listeners?.disconnect ?? [] { handler(reason) }
            for handler in self.namespace.disconnectHandlers { handler(self, reason) }
        }
        listeners?.socketClosed()
    }
}
