import EngineIO
import Incidents
import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOWire

/// The state of rooms on this node: what its members see, what it holds for its sockets, and what it wants to change.
///
/// All of it belongs to one event loop, so that members hear of changes in the order in which the cluster made them.
final class RoomStates: Sendable {
    /// What other parts do with the changes of their rooms.
    struct Listeners: Sendable {
        /// Tells members of changes; with the state after them.
        var changed: @Sendable (Room, [StateChange], RoomRecord?) -> Void
        /// Tells members that what they know may be wrong: the state, and what is different.
        var replaced: @Sendable (Room, [StateChange], RoomRecord) -> Void
    }

    /// Whom an operation is for.
    struct Ticket: Sendable {
        /// Who waits for it.
        var promise: EventLoopPromise<StateAnswer>?
        /// The socket that holds the entry only since then, and does not if the operation is refused.
        var newHolder: SocketID?

        func succeed(_ answer: StateAnswer) { self.promise?.succeed(answer) }
    }

    struct State {
        /// The node's name while its lease lasts; a new one after that.
        var node: UTF8Text
        var hasLease = false
        /// Whether the node takes part: it does from the first time that somebody here has to do with any state.
        var isActive = false
        /// Whether the shared state is out of reach.
        var isAway = false
        var isSending = false
        var isRenewing = false
        var isWithdrawn = false
        var mirrors: [Room: RoomMirror] = [:]
        /// Rooms whose state is kept without members.
        var kept: Set<Room> = []
        var readers: [Room: [EventLoopPromise<StateSnapshot>]] = [:]
        var book = HolderBook()
        /// The rooms in which the node may hold something, as the others know.
        var attached: Set<Room> = []
        var queue = StateQueue<Ticket>(capacity: 10_000)
        /// When rooms may change again that have reached their limit.
        var throttled: [Room: RateLimit] = [:]
        var timer: Scheduled<Void>?
        /// Who waits until nothing is left to be done.
        var drained: [EventLoopPromise<Void>] = []
    }

    /// What the loops of sockets look at before they tell this one.
    struct Interest {
        var sockets: Set<SocketID> = []
        var rooms: Set<Room> = []
    }

    let eventLoop: any EventLoop
    let store: any SharedState
    let incidents: IncidentLog
    let lease: @Sendable () -> TimeAmount
    /// Unix time in seconds.
    let now: @Sendable () -> Double
    let state: LoopBound<State>
    let interest = NIOLockedValueBox(Interest())
    private let listeners = NIOLockedValueBox<Listeners?>(nil)
    private let subscription = NIOLockedValueBox<SignalSubscription?>(nil)
    private let throttle: NIOLockedValueBox<DeadlineTimer<Room>?>

    init(
        eventLoop: any EventLoop,
        store: any SharedState,
        incidents: IncidentLog,
        lease: @escaping @Sendable () -> TimeAmount,
        now: @escaping @Sendable () -> Double
    ) {
        self.eventLoop = eventLoop
        self.store = store
        self.incidents = incidents
        self.lease = lease
        self.now = now
        self.state = LoopBound(State(node: Self.makeNodeID()), eventLoop: eventLoop)
        self.throttle = NIOLockedValueBox(nil)
    }

    static func makeNodeID() -> UTF8Text {
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        return UTF8Text(String(repeating: "0", count: 16 - digits.utf8.count) + digits)
    }

    /// Listens to the other nodes.
    func start(_ listeners: Listeners) {
        self.listeners.withLockedValue { $0 = listeners }
        self.throttle.withLockedValue {
            $0 = DeadlineTimer(eventLoop: self.eventLoop) { [weak self] in self?.advance($0) }
        }
        let subscription = self.store.receive { [weak self] signal in
            guard let self else { return }
            self.eventLoop.execute { self.heard(signal) }
        }
        self.subscription.withLockedValue { $0 = subscription }
    }

    /// The milliseconds since 1970.
    var milliseconds: Int { Int(self.now() * 1000) }

    // MARK: Telling

    func tell(_ room: Room, _ changes: [StateChange], _ record: RoomRecord?) {
        guard !changes.isEmpty else { return }
        self.listeners.withLockedValue { $0 }?.changed(room, changes, record)
    }

    private func heard(_ signal: Signal) {
        switch signal {
        case .gap:
            for room in self.state.value.mirrors.keys { self.state.value.mirrors[room]?.missed() }
            self.readMirrors()
            // What could not be done may be possible now.
            if self.state.value.isAway { self.renew() }
        case .message(let bytes):
            guard let changes = RoomChanges(signal: bytes) else {
                return self.incidents.record(
                    "Changes of room state could not be read",
                    reason: "malformed",
                    pace: .failures
                )
            }
            self.activate()
            self.received(changes)
        }
    }

    private func received(_ changes: RoomChanges) {
        let room = changes.room
        for change in changes.changes where change.entry == nil && !change.isSwept {
            let key = StateKey(room: room, key: change.key)
            // What this node is about to do with the key comes after that.
            if !self.state.value.isSending, !self.state.value.queue.contains(key) {
                self.clear(key)
                self.detachIfIdle(room)
            }
        }
        guard self.state.value.mirrors[room] != nil else {
            return self.tell(room, changes.changes.filter { $0.version != nil }, nil)
        }
        let told = self.state.value.mirrors[room]?.received(changes.changes) ?? []
        self.tell(room, told, self.state.value.mirrors[room]?.record)
        if self.state.value.mirrors[room]?.isStale == true { self.read(room) }
    }

    // MARK: Reading

    /// The state of a room, from now on as this node hears of its changes.
    ///
    /// - Parameters:
    ///   - room: The room.
    ///   - member: A socket that is in it, so that the state is kept until the room has no member here; `nil` if it is
    ///     read only once.
    /// - Returns: The state, with all changes that members have been told of.
    /// - Throws: `ClusterError` if it cannot be read.
    func snapshot(of room: Room, for member: Socket?) async throws -> StateSnapshot {
        if member != nil { self.interest.withLockedValue { _ = $0.rooms.insert(room) } }
        let isMember = member.map { $0.rooms.contains(room) } ?? false
        let promise = self.eventLoop.makePromise(of: StateSnapshot?.self)
        self.eventLoop.execute {
            self.activate()
            if isMember, self.state.value.mirrors[room] == nil { self.state.value.mirrors[room] = RoomMirror() }
            guard let mirror = self.state.value.mirrors[room] else { return promise.succeed(nil) }
            if mirror.isWhole || (self.state.value.isAway && mirror.record != nil), let record = mirror.record {
                return promise.succeed(record.snapshot)
            }
            let reader = self.eventLoop.makePromise(of: StateSnapshot.self)
            reader.futureResult.map { $0 }.cascade(to: promise)
            self.state.value.readers[room, default: []].append(reader)
            self.read(room)
        }
        if let snapshot = try await promise.futureResult.get() { return snapshot }
        return try await self.store.snapshot(of: room)
    }

    /// Keeps the state of a room that has no members, until ``drop(_:)``.
    func keep(_ room: Room) {
        self.eventLoop.assertInEventLoop()
        self.activate()
        self.state.value.kept.insert(room)
        guard self.state.value.mirrors[room] == nil else { return }
        self.state.value.mirrors[room] = RoomMirror()
        self.read(room)
    }

    /// What this node knows of a room, if it keeps it and has read it.
    func record(of room: Room) -> RoomRecord? {
        self.eventLoop.assertInEventLoop()
        return self.state.value.mirrors[room]?.record
    }

    /// Nobody here needs the state of a room any more.
    func drop(_ room: Room) {
        self.eventLoop.assertInEventLoop()
        self.state.value.kept.remove(room)
        self.dropIfUnused(room)
    }

    private func dropIfUnused(_ room: Room) {
        // What is being read is dropped when it has been read. Whoever has come meanwhile needs it.
        guard self.state.value.mirrors[room]?.isLoading == false, !self.state.value.kept.contains(room),
            !self.interest.withLockedValue({ $0.rooms.contains(room) })
        else { return }
        self.state.value.mirrors[room] = nil
    }

    func readMirrors() {
        for (room, mirror) in self.state.value.mirrors where mirror.isStale { self.read(room) }
    }

    private func read(_ room: Room) {
        guard self.state.value.mirrors[room]?.beginLoading() == true else { return }
        // Nobody waits for this task. It ends with the answer of the store, which has a time limit.
        Task {
            do {
                let snapshot = try await self.store.snapshot(of: room)
                self.eventLoop.execute { self.loaded(room, snapshot) }
            } catch {
                self.eventLoop.execute { self.loadingFailed(room, error) }
            }
        }
    }

    private func loaded(_ room: Room, _ snapshot: StateSnapshot) {
        let difference = self.state.value.mirrors[room]?.loaded(snapshot)
        guard let record = self.state.value.mirrors[room]?.record else { return self.finish(room, snapshot) }
        // What waits here is a part of what this node's members have seen.
        if case .snapshot(let changes) = difference {
            self.listeners.withLockedValue { $0 }?.replaced(room, changes, record)
        }
        self.finish(room, record.snapshot)
        if self.state.value.mirrors[room]?.isStale == true { self.read(room) }
        self.dropIfUnused(room)
    }

    private func finish(_ room: Room, _ snapshot: StateSnapshot) {
        for reader in self.state.value.readers.removeValue(forKey: room) ?? [] { reader.succeed(snapshot) }
    }

    private func loadingFailed(_ room: Room, _ error: any Error) {
        self.state.value.mirrors[room]?.loadingFailed()
        for reader in self.state.value.readers.removeValue(forKey: room) ?? [] { reader.fail(error) }
        self.dropIfUnused(room)
    }

    // MARK: Leaving

    /// A socket has left a room, on any loop.
    func roomChanged(_ change: RoomChange) {
        switch change {
        case .left(let room, let socket):
            guard self.interest.withLockedValue({ $0.sockets.contains(socket) }) else { return }
            let isGone = room == socket.room
            if isGone { self.interest.withLockedValue { _ = $0.sockets.remove(socket) } }
            self.eventLoop.execute { self.releaseAll(of: socket, in: isGone ? nil : room) }
        case .deleted(let room):
            guard self.interest.withLockedValue({ $0.rooms.remove(room) }) != nil else { return }
            self.eventLoop.execute { self.drop(room) }
        case .created, .joined: break
        }
    }

    // MARK: Timers

    func wakeThrottled(_ room: Room, _ delay: TimeAmount) {
        self.throttle.withLockedValue { $0 }?.set(room, after: delay)
    }
}
