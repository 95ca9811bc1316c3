import EngineIO
import Metrics
import NIOCore
import SocketIOWire
import Synchronization

/// The part of a namespace that one event loop owns: its sockets, and which of them are in which room.
///
/// Everything that changes here is touched on that loop only, hence no locks on a packet's path.
final class NamespaceShard: Sendable {
    private struct State {
        let handlers: EventTable
        var roomObservers: [@Sendable (RoomChange) -> Void] = []
        var sockets: [SocketID: Socket] = [:]
        var connected: ContiguousArray<Socket> = []
        var rooms: [Room: RoomMembers] = [:]
        var broadcastAcknowledgements: [Int: BroadcastAcknowledgements] = [:]
        var visit: UInt32 = 0
        /// Events that the counter has not been told of.
        var uncountedEvents = 0
        /// The place in the loop's timers of telling the counter.
        var timerLinks = TimerLinks()
    }

    let eventLoop: any EventLoop
    let executor: LoopTaskExecutor
    /// The loop's timers; `nil` if the loop is none of the server's, as in some tests.
    let timers: TimingWheel?
    private let state: LoopBound<State>
    /// What all shards of the namespace share.
    private let index: NamespaceIndex
    private let eventCounter: Counter
    private static let reportInterval = TimeAmount.milliseconds(500)
    /// How many sockets are connected; readable from any thread.
    let connectedCount = Atomic<Int>(0)
    /// How far this loop is with the events that are kept for clients who were away.
    let logPosition: LogPosition

    init(
        loop: NamespaceContext.Loop,
        index: NamespaceIndex,
        eventCounter: Counter,
        handlers: HandlerSet
    ) {
        self.eventLoop = loop.executor.eventLoop
        self.executor = loop.executor
        self.timers = loop.timers
        self.index = index
        self.eventCounter = eventCounter
        let table = EventTable(handlers.events, unhandled: handlers.unhandled)
        self.state = LoopBound(State(handlers: table), eventLoop: loop.executor.eventLoop)
        self.logPosition = LogPosition(eventLoop: loop.executor.eventLoop)
    }

    /// Handlers that every socket of the namespace shares.
    var handlers: EventTable {
        @inline(__always)
        get { self.state.value.handlers }
    }

    /// The handlers for changes of rooms; usually there are none.
    var roomObservers: [@Sendable (RoomChange) -> Void] {
        _read { yield self.state.value.roomObservers }
        _modify { yield &self.state.value.roomObservers }
    }

    /// The sockets that have joined the namespace.
    var connected: ContiguousArray<Socket> {
        @inline(__always)
        _read { yield self.state.value.connected }
    }

    /// The rooms that have a member on this loop.
    var rooms: [Room: RoomMembers] {
        @inline(__always)
        _read { yield self.state.value.rooms }
    }

    /// Broadcasts whose acknowledgements are waited for.
    var broadcastAcknowledgements: [Int: BroadcastAcknowledgements] {
        _read { yield self.state.value.broadcastAcknowledgements }
        _modify { yield &self.state.value.broadcastAcknowledgements }
    }

    func socket(_ id: SocketID) -> Socket? { self.state.value.sockets[id] }

    // MARK: Order

    /// Whether this is the loop, and what it was asked for before from within itself is done.
    ///
    /// While recovery is on, events may have to wait behind those of other threads, which have lower numbers; then
    /// everything that follows waits behind them. Without recovery nothing ever waits.
    @inline(__always)
    var isNext: Bool { self.eventLoop.inEventLoop && self.logPosition.deferred == 0 }

    /// Runs on the loop, behind everything that the caller has asked it for before.
    func later(_ body: @escaping @Sendable () -> Void) {
        guard self.eventLoop.inEventLoop else { return self.eventLoop.execute(body) }
        self.logPosition.deferred += 1
        self.eventLoop.execute {
            self.logPosition.deferred -= 1
            body()
        }
    }

    /// Whether that socket is connected; from another thread this asks the namespace's shared index.
    func isConnected(_ id: SocketID) -> Bool { self.index.contains(id) }

    // MARK: Counting

    /// Counts an event; the counter is told within a second of all that have come by then.
    @inline(__always)
    func countEvent() {
        self.state.value.uncountedEvents &+= 1
        if self.state.value.uncountedEvents == 1 { self.reportLater() }
    }

    @inline(never)
    private func reportLater() {
        guard let timers = self.timers else { return self.report() }
        timers.schedule(self, in: Self.reportInterval)
    }

    private func report() {
        self.eventCounter.increment(by: Int64(self.state.value.uncountedEvents))
        self.state.value.uncountedEvents = 0
    }

    // MARK: Membership

    /// Counts a socket as connected.
    func insert(_ socket: Socket) {
        self.state.value.sockets[socket.id] = socket
        socket.index = Int32(self.connected.count)
        self.state.value.connected.append(socket)
        self.index.insert(socket.id)
        self.connectedCount.store(self.connected.count, ordering: .releasing)
        if !self.roomObservers.isEmpty {
            self.tellObservers(.created(socket.id.room))
            self.tellObservers(.joined(socket.id.room, socket.id))
        }
    }

    private func tellObservers(_ change: RoomChange) {
        for observer in self.roomObservers { observer(change) }
    }

    /// Takes a socket out of everything, connected or not.
    func forget(_ socket: Socket) {
        let memberships = socket.shared.withLock { shared in
            let memberships = shared.memberships
            shared.memberships = []
            return memberships
        }
        for membership in memberships { self.remove(membership, of: socket) }
        guard socket.index >= 0 else { return }
        let index = Int(socket.index)
        self.state.value.connected.swapAt(index, self.connected.count - 1)
        self.state.value.connected[index].index = Int32(index)
        self.state.value.connected.removeLast()
        socket.index = -1
        self.state.value.sockets[socket.id] = nil
        self.index.remove(socket.id)
        self.connectedCount.store(self.connected.count, ordering: .releasing)
        if !self.broadcastAcknowledgements.isEmpty {
            for pending in self.broadcastAcknowledgements.values { pending.left(socket) }
        }
        if !self.roomObservers.isEmpty {
            self.tellObservers(.left(socket.id.room, socket.id))
            self.tellObservers(.deleted(socket.id.room))
        }
    }

    /// Makes a socket a member of a room.
    ///
    /// - Parameters:
    ///   - socket: The socket.
    ///   - room: The room.
    ///   - limit: How many rooms it may be in.
    /// - Returns: Whether it is a member now.
    @discardableResult
    func add(_ socket: Socket, to room: Room, limit: Int = .max) -> Bool {
        // Every connected socket is in the room of its own id, without an entry.
        if SocketID(room.name) == socket.id { return true }
        guard socket.shared.withLock({ $0.memberships.count < limit || $0.isMember(of: room) }) else { return false }
        let members: RoomMembers
        if let existing = self.rooms[room] {
            members = existing
        } else {
            members = RoomMembers(room: room, eventLoop: self.eventLoop)
            self.state.value.rooms[room] = members
            if self.index.roomCreated(room) { self.tellObservers(.created(room)) }
        }
        let isNew = socket.shared.withLock { shared in
            if shared.memberships.contains(where: { $0.members === members }) { return false }
            shared.memberships.append(RoomMembership(members: members, index: members.sockets.count))
            return true
        }
        guard isNew else { return true }
        members.sockets.append(socket)
        if let ticket = socket.ticket {
            ticket.joined(room, at: self.logPosition.last)
            socket.namespace.recovery?.touch(ticket, of: socket)
        }
        self.tellObservers(.joined(room, socket.id))
        return true
    }

    func remove(_ socket: Socket, from room: Room) {
        guard let members = self.rooms[room] else { return }
        let membership: RoomMembership? = socket.shared.withLock { shared in
            guard let index = shared.memberships.firstIndex(where: { $0.members === members }) else { return nil }
            return shared.memberships.remove(at: index)
        }
        guard let membership else { return }
        if let ticket = socket.ticket {
            ticket.left(room, at: self.logPosition.last)
            socket.namespace.recovery?.touch(ticket, of: socket)
        }
        self.remove(membership, of: socket)
    }

    /// Closes the gap that a member leaves with the last one.
    private func remove(_ membership: RoomMembership, of socket: Socket) {
        let members = membership.members
        let last = members.sockets.removeLast()
        if membership.index < members.sockets.count {
            members.sockets[membership.index] = last
            last.shared.withLock { shared in
                guard let place = shared.memberships.firstIndex(where: { $0.members === members }) else { return }
                shared.memberships[place].index = membership.index
            }
        }
        self.tellObservers(.left(members.room, socket.id))
        if members.sockets.isEmpty {
            self.state.value.rooms[members.room] = nil
            if self.index.roomDeleted(members.room) { self.tellObservers(.deleted(members.room)) }
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
        self.state.value.visit &+= 1
        let visit = self.state.value.visit
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
        return self.state.value.sockets[id]
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

extension Socket.Shared {
    func isMember(of room: Room) -> Bool { self.memberships.contains { $0.members.room == room } }
}

extension NamespaceShard: TimerTarget {
    var timerLinks: TimerLinks {
        _read { yield self.state.value.timerLinks }
        _modify { yield &self.state.value.timerLinks }
    }

    // The namespace may be gone by now: only the counter is touched.
    func timerFired(at now: NIODeadline) { self.report() }
}
