import EngineIO
import NIOCore
import SocketIOWire
import Synchronization

/// The part of a namespace that one event loop owns: its sockets, and who of them is in which room.
///
/// Everything here is touched on that loop only, hence no locks on a packet's path.
final class NamespaceShard: @unchecked Sendable {
    // Invariant behind `@unchecked`: what is `var` is touched on `eventLoop` only. `namespace` outlives its shards.

    private unowned var owner: Namespace?
    let eventLoop: any EventLoop
    let executor: LoopTaskExecutor
    /// Handlers that every socket of the namespace shares.
    @exclusivity(unchecked) var handlers: [String: [EventHandler]] = [:]
    private var sockets: [SocketID: Socket] = [:]
    private(set) var connected: ContiguousArray<Socket> = []
    private(set) var rooms: [Room: RoomMembers] = [:]
    var broadcastAcknowledgements: [Int: BroadcastAcknowledgements] = [:]
    private var visit: UInt32 = 0
    /// Events that the counter has not been told of.
    @exclusivity(unchecked) var uncountedEvents = 0
    /// How many sockets are connected; readable from any thread.
    let connectedCount = Atomic<Int>(0)

    init(executor: LoopTaskExecutor) {
        self.eventLoop = executor.eventLoop
        self.executor = executor
    }

    /// The namespace that this is a part of.
    var namespace: Namespace {
        guard let owner = self.owner else { preconditionFailure("a shard is used after its namespace adopted it") }
        return owner
    }

    /// Called once, by the namespace, before any loop sees the shard.
    func adopt(by namespace: Namespace) { self.owner = namespace }

    func socket(_ id: SocketID) -> Socket? { self.sockets[id] }

    /// Whether that socket is connected; from another thread this asks the namespace's shared index.
    func isConnected(_ id: SocketID) -> Bool { self.namespace.index.contains(id) }

    // MARK: Membership

    /// Counts a socket as connected.
    func insert(_ socket: Socket) {
        self.sockets[socket.id] = socket
        socket.index = Int32(self.connected.count)
        self.connected.append(socket)
        self.namespace.index.insert(socket.id)
        self.connectedCount.store(self.connected.count, ordering: .relaxed)
    }

    /// Takes a socket out of everything, connected or not.
    func forget(_ socket: Socket) {
        let memberships = socket.shared.withLock { shared in
            let memberships = shared.memberships
            shared.memberships = []
            return memberships
        }
        for membership in memberships { self.remove(membership) }
        guard socket.index >= 0 else { return }
        let index = Int(socket.index)
        self.connected.swapAt(index, self.connected.count - 1)
        self.connected[index].index = Int32(index)
        self.connected.removeLast()
        socket.index = -1
        self.sockets[socket.id] = nil
        self.namespace.index.remove(socket.id)
        self.connectedCount.store(self.connected.count, ordering: .relaxed)
        if !self.broadcastAcknowledgements.isEmpty {
            for pending in self.broadcastAcknowledgements.values { pending.left(socket) }
        }
    }

    func add(_ socket: Socket, to room: Room) {
        // Every connected socket is in the room of its own id, without an entry.
        if SocketID(room.name) == socket.id { return }
        let members: RoomMembers
        if let existing = self.rooms[room] {
            members = existing
        } else {
            members = RoomMembers(room: room)
            self.rooms[room] = members
            self.namespace.index.roomCreated(room)
        }
        let isNew = socket.shared.withLock { shared in
            if shared.memberships.contains(where: { $0.members === members }) { return false }
            shared.memberships.append(RoomMembership(members: members, index: members.sockets.count))
            return true
        }
        if isNew { members.sockets.append(socket) }
    }

    func remove(_ socket: Socket, from room: Room) {
        guard let members = self.rooms[room] else { return }
        let membership: RoomMembership? = socket.shared.withLock { shared in
            guard let index = shared.memberships.firstIndex(where: { $0.members === members }) else { return nil }
            return shared.memberships.remove(at: index)
        }
        if let membership { self.remove(membership) }
    }

    /// Closes the gap that a member leaves with the last one.
    private func remove(_ membership: RoomMembership) {
        let members = membership.members
        let last = members.sockets.removeLast()
        if membership.index < members.sockets.count {
            members.sockets[membership.index] = last
            last.shared.withLock { shared in
                guard let place = shared.memberships.firstIndex(where: { $0.members === members }) else { return }
                shared.memberships[place].index = membership.index
            }
        }
        if members.sockets.isEmpty {
            self.rooms[members.room] = nil
            self.namespace.index.roomDeleted(members.room)
        }
    }

    // MARK: Delivery

    /// Calls `body` once for each connected socket that the options address.
    @inline(__always)
    func forEachTarget(of options: BroadcastOptions, _ body: (Socket) -> Void) {
        if options.except.isEmpty, options.rooms.count <= 1 {
            guard let room = options.rooms.first else {
                // Backwards, so that a socket which closes during the walk does not make it skip another.
                for socket in self.connected { body(socket) }
                return
            }
            let own = self.ownSocket(of: room)
            if let members = self.rooms[room] {
                for socket in members.sockets where socket.state == .connected && socket !== own { body(socket) }
            }
            if let own { body(own) }
            return
        }
        self.visit &+= 1
        let visit = self.visit
        for room in options.except {
            if let members = self.rooms[room] {
                for socket in members.sockets { socket.visited = visit }
            }
            self.ownSocket(of: room)?.visited = visit
        }
        if options.rooms.isEmpty {
            for socket in self.connected where socket.visited != visit { body(socket) }
            return
        }
        for room in options.rooms {
            if let members = self.rooms[room] {
                for socket in members.sockets where socket.visited != visit && socket.state == .connected {
                    socket.visited = visit
                    body(socket)
                }
            }
            if let own = self.ownSocket(of: room), own.visited != visit {
                own.visited = visit
                body(own)
            }
        }
    }

    /// The socket whose own room this is, if it is connected here.
    private func ownSocket(of room: Room) -> Socket? {
        guard let id = SocketID(room.name) else { return nil }
        return self.sockets[id]
    }

    /// The connected sockets that the options address.
    func targets(of options: BroadcastOptions) -> [Socket] {
        var targets: [Socket] = []
        self.forEachTarget(of: options) { targets.append($0) }
        return targets
    }

    /// Sends one encoded event to every socket that the options address.
    func deliver(_ packet: EncodedPacket, options: BroadcastOptions) {
        let isVolatile = options.flags.isVolatile
        let allowsCompression = options.flags.allowsCompression
        self.forEachTarget(of: options) { socket in
            if socket.extras != nil { socket.notifyOutgoing(packet) }
            socket.session.send(packet, volatile: isVolatile, compress: allowsCompression)
        }
    }
}
