import Incidents
import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOWire

/// What this node wants to change.
extension RoomStates {
    /// How many operations go to the shared state in one step.
    private static let mostAtOnce = 256
    /// How long to wait before it is tried again, if the shared state is out of reach.
    private static let pause = TimeAmount.seconds(1)

    /// Makes a change, and returns when it is known what became of it.
    func change(_ request: StateRequest) async -> StateAnswer {
        let promise = self.eventLoop.makePromise(of: StateAnswer.self)
        if let holder = request.holder { self.interest.withLockedValue { _ = $0.sockets.insert(holder.id) } }
        self.eventLoop.execute { self.accept(request, Ticket(promise: promise)) }
        // It never fails.
        return (try? await promise.futureResult.get()) ?? .busy
    }

    private func accept(_ request: StateRequest, _ ticket: Ticket) {
        guard !self.state.value.isWithdrawn else { return ticket.succeed(.busy) }
        if request.mustNotWait, self.state.value.isAway { return ticket.succeed(.unreachable) }
        self.activate()
        let key = StateKey(room: request.room, key: request.key)
        var ticket = ticket
        if let holder = request.holder, !self.state.value.book.isHeld(key, by: holder.id) {
            ticket.newHolder = holder.id
        }
        let action: StateOperation.Action
        switch request.wish {
        case .set(let value, let lifetime):
            if let refusal = self.hold(key, request, value, replaces: true) { return ticket.succeed(refusal) }
            action = .set(value, lifetime: lifetime)
        case .acquire(let value):
            if let refusal = self.hold(key, request, value, replaces: false) { return ticket.succeed(refusal) }
            action = .acquire(value)
        case .release:
            guard let holder = request.holder, self.state.value.book.release(key, by: holder.id) else {
                return ticket.succeed(.unchanged(version: 0))
            }
            self.forgetIfIdle(holder.id)
            action = .release
        case .remove:
            self.clear(key)
            action = .remove
        }
        self.append(key, action, by: request.by, limits: request.limits, rate: request.rate, ticket)
    }

    /// Notes that a socket holds an entry.
    ///
    /// - Returns: Why it cannot.
    private func hold(
        _ key: StateKey,
        _ request: StateRequest,
        _ value: JSONValue,
        replaces: Bool
    ) -> StateAnswer? {
        guard let holder = request.holder else {
            // The entry is nobody's from now on.
            self.clear(key)
            return nil
        }
        // A socket that leaves after this moment is seen leaving.
        guard request.membership.map({ holder.rooms.contains($0) }) ?? holder.isConnected else {
            self.forgetIfIdle(holder.id)
            return .notAMember
        }
        if let most = request.most, !self.state.value.book.isHeld(key, by: holder.id) {
            let kind = RoomKind(key.room)
            guard self.state.value.book.count(of: holder.id, where: { RoomKind($0) == kind }) < most else {
                self.forgetIfIdle(holder.id)
                return .tooMany
            }
        }
        self.state.value.book.hold(
            key,
            by: holder.id,
            as: HolderBook.Hold(value: value, by: request.by, limits: request.limits),
            replaces: replaces
        )
        return nil
    }

    /// The entry is gone, or nobody's.
    func clear(_ key: StateKey) {
        let sockets = self.state.value.book.holds[key]?.sockets ?? []
        self.state.value.book.clear(key)
        for socket in sockets { self.forgetIfIdle(socket) }
    }

    private func forgetIfIdle(_ socket: SocketID) {
        guard self.state.value.book.keys(of: socket, in: nil).isEmpty else { return }
        self.interest.withLockedValue { _ = $0.sockets.remove(socket) }
    }

    /// A socket has left a room, or all of them.
    func releaseAll(of socket: SocketID, in room: Room?) {
        self.eventLoop.assertInEventLoop()
        for key in self.state.value.book.keys(of: socket, in: room) {
            guard let hold = self.state.value.book.holds[key], self.state.value.book.release(key, by: socket) else {
                continue
            }
            self.append(key, .release, by: hold.by, limits: hold.limits, rate: nil, Ticket())
        }
        if room != nil { self.forgetIfIdle(socket) }
    }

    // MARK: The queue

    private func append(
        _ key: StateKey,
        _ action: StateOperation.Action,
        by: JSONValue,
        limits: StateLimits,
        rate: RateLimit?,
        _ ticket: Ticket
    ) {
        let operation = StateOperation(
            room: key.room,
            key: key.key,
            action: action,
            by: by,
            holders: self.state.value.book.count(of: key),
            limits: limits
        )
        let isNext = self.append(operation, rate: rate, ticket)
        // Behind the release, and not before it.
        if case .release = action, isNext { self.detachIfIdle(key.room) }
        self.pump()
    }

    /// - Returns: Whether it is done next.
    @discardableResult
    private func append(_ operation: StateOperation, rate: RateLimit?, _ ticket: Ticket) -> Bool {
        let isAway = self.state.value.isAway
        if operation.asksForHolders { self.state.value.attached.insert(operation.room) }
        let entrance: StateQueue<Ticket>.Entrance = self.state.value.queue.append(
            operation,
            ticket,
            rate: rate,
            isNecessary: !operation.isReplaceable,
            isHeld: isAway,
            at: self.eventLoop.now
        )
        switch entrance {
        case .ready: return true
        case .waits(let replaced):
            replaced?.succeed(.replaced)
            if isAway {
                self.showHere(operation, ticket)
            } else if let rate {
                self.state.value.throttled[operation.room] = rate
                self.advance(operation.room)
            }
        case .refused:
            self.undo(operation, ticket)
            ticket.succeed(.busy)
        }
        return false
    }

    /// An operation was not done, so whoever holds the entry only because of it does not.
    private func undo(_ operation: StateOperation, _ ticket: Ticket) {
        let key = StateKey(operation)
        guard operation.asksForHolders, let holder = ticket.newHolder,
            let hold = self.state.value.book.holds[key], self.state.value.book.release(key, by: holder)
        else { return }
        self.forgetIfIdle(holder)
        // Others on this node may hold it nevertheless.
        self.append(key, .release, by: hold.by, limits: hold.limits, rate: nil, Ticket())
    }

    /// The node holds nothing in a room any more, so it need not be cleared of it some day.
    func detachIfIdle(_ room: Room) {
        guard !self.state.value.book.holdsAnything(in: room), self.state.value.attached.remove(room) != nil else {
            return
        }
        self.append(
            StateOperation(
                room: room,
                key: "",
                action: .detach,
                by: .null,
                holders: 0,
                limits: StateLimits(keys: 0, bytes: 0)
            ),
            rate: nil,
            Ticket()
        )
        self.pump()
    }

    /// A room may change again.
    func advance(_ room: Room) {
        guard let rate = self.state.value.throttled[room] else { return }
        if let delay = self.state.value.queue.advance(room, rate: rate, at: self.eventLoop.now) {
            self.wakeThrottled(room, delay)
        } else {
            self.state.value.throttled[room] = nil
        }
        self.pump()
    }

    // MARK: Sending

    /// Hands over what is to be done next, one step after the other.
    func pump() {
        guard !self.state.value.isSending, !self.state.value.isAway else { return }
        let next = self.state.value.queue.ready.prefix(Self.mostAtOnce)
        guard !next.isEmpty else {
            if self.state.value.queue.isEmpty {
                for promise in self.state.value.drained { promise.succeed() }
                self.state.value.drained = []
            }
            return
        }
        if !self.state.value.hasLease, next.contains(where: \.operation.asksForHolders) { return self.renew() }
        let items = self.state.value.queue.take(Self.mostAtOnce)
        let node = self.state.value.node
        self.state.value.isSending = true
        // Nobody waits for this task. It ends with the answer of the store, which has a time limit.
        Task {
            do {
                let outcomes = try await self.store.apply(items.map(\.operation), of: node)
                self.eventLoop.execute { self.done(items, outcomes) }
            } catch {
                self.eventLoop.execute { self.failed(items, error) }
            }
        }
    }

    private func done(_ items: [StateQueue<Ticket>.Item], _ outcomes: [StateOutcome]) {
        self.state.value.isSending = false
        var lost: [StateQueue<Ticket>.Item] = []
        for (item, outcome) in zip(items, outcomes) {
            switch outcome {
            case .changed(let version): item.ticket.succeed(.changed(version: version))
            case .unchanged(let version): item.ticket.succeed(.unchanged(version: version))
            case .refused(let refusal):
                self.undo(item.operation, item.ticket)
                item.ticket.succeed(.refused(refusal))
            case .leaseLost: lost.append(item)
            }
        }
        for item in items { self.detachIfIdle(item.operation.room) }
        if !lost.isEmpty {
            self.state.value.queue.putBack(lost)
            self.leaseLost()
        }
        self.pump()
    }

    private func failed(_ items: [StateQueue<Ticket>.Item], _ error: any Error) {
        self.state.value.isSending = false
        self.state.value.queue.putBack(items)
        self.away(error)
    }

    // MARK: The shared state is out of reach

    /// Shows a change to the members on this node.
    ///
    /// What all will see is read when the shared state is back.
    private func showHere(_ operation: StateOperation, _ ticket: Ticket) {
        ticket.succeed(.queued)
        let room = operation.room
        guard var mirror = self.state.value.mirrors.removeValue(forKey: room) else { return }
        let change = mirror.change(operation, of: self.state.value.node, at: self.milliseconds)
        self.state.value.mirrors[room] = mirror
        if let change { self.tell(room, [change], mirror.record) }
    }

    func away(_ error: any Error) {
        let wasAway = self.state.value.isAway
        self.state.value.isAway = true
        self.incidents.record(
            "The shared state of rooms is out of reach; changes are shown to clients of this node and wait",
            reason: "unreachable",
            pace: .failures,
            details: ["error": "\(error)"]
        )
        for room in self.state.value.mirrors.keys { self.state.value.mirrors[room]?.missed() }
        if !wasAway { for item in self.state.value.queue.items { self.showHere(item.operation, item.ticket) } }
        self.wake(in: Self.pause)
    }

    func isBack() {
        guard self.state.value.isAway else { return }
        self.state.value.isAway = false
        self.state.value.queue.advanceAll()
        self.pump()
        // Behind what waited: so members see that.
        self.whenDrained { self.readMirrors() }
    }

    private func whenDrained(_ body: @escaping @Sendable () -> Void) {
        let promise = self.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { _ in body() }
        self.state.value.drained.append(promise)
        self.pump()
    }

    // MARK: The lease

    /// Takes part from now on.
    func activate() {
        self.eventLoop.assertInEventLoop()
        guard !self.state.value.isActive, !self.state.value.isWithdrawn else { return }
        self.state.value.isActive = true
        self.renew()
    }

    private func wake(in delay: TimeAmount) {
        self.state.value.timer?.cancel()
        guard !self.state.value.isWithdrawn else { return }
        self.state.value.timer = self.eventLoop.scheduleTask(in: delay) { [weak self] in self?.renew() }
    }

    /// Prolongs the lease, and clears away what is over.
    func renew() {
        guard !self.state.value.isRenewing, !self.state.value.isWithdrawn else { return }
        self.state.value.isRenewing = true
        self.state.value.queue.forgetQuiet(at: self.eventLoop.now)
        let (node, isKnown, lease) = (self.state.value.node, self.state.value.hasLease, self.lease())
        // Nobody waits for this task. It ends with the answer of the store, which has a time limit.
        Task {
            do {
                let renewal = try await self.store.renew(node, lease: lease, isKnown: isKnown)
                self.eventLoop.execute { self.renewed(renewal, node: node, lease: lease) }
            } catch {
                self.eventLoop.execute {
                    self.state.value.isRenewing = false
                    self.away(error)
                }
            }
        }
    }

    private func renewed(_ renewal: StateRenewal, node: UTF8Text, lease: TimeAmount) {
        self.state.value.isRenewing = false
        // Meanwhile an operation may have shown that the lease is lost.
        guard node == self.state.value.node else { return self.renew() }
        if renewal.isLost {
            self.leaseLost()
        } else {
            self.state.value.hasLease = true
        }
        self.isBack()
        if renewal.hasMore || renewal.isLost { return self.renew() }
        let third = lease.nanoseconds / 3
        // Not all at the same moment: one of the nodes clears away, and the others find that it is done.
        let jitter = Int64.random(in: 1_000_000...50_000_000)
        let next = renewal.nextEnd.map { Int64(min($0, 86_400_000)) * 1_000_000 + jitter } ?? third
        self.wake(in: .nanoseconds(min(third, next)))
        self.pump()
    }

    /// Others have cleared away what this node held, or will: it begins anew, under another name.
    private func leaseLost() {
        self.state.value.node = Self.makeNodeID()
        self.state.value.hasLease = false
        self.state.value.attached = []
        for (key, hold) in self.state.value.book.holds {
            self.append(
                StateOperation(
                    room: key.room,
                    key: key.key,
                    action: .acquire(hold.value),
                    by: hold.by,
                    holders: hold.sockets.count,
                    limits: hold.limits
                ),
                rate: nil,
                Ticket()
            )
        }
    }

    /// Ends what this node holds, when the server ends: so others need not wait for the end of its lease.
    func withdraw(timeout: TimeAmount = .seconds(2)) async {
        let done = self.eventLoop.makePromise(of: Void.self)
        self.eventLoop.execute {
            guard self.state.value.isActive, !self.state.value.isAway else { return done.succeed() }
            self.whenDrained { done.succeed() }
            // Nobody waits for longer.
            self.eventLoop.scheduleTask(in: timeout) { done.succeed() }
        }
        try? await done.futureResult.get()
        let end = self.eventLoop.makePromise(of: (UTF8Text, Bool).self)
        self.eventLoop.execute {
            self.state.value.isWithdrawn = true
            self.state.value.timer?.cancel()
            for item in self.state.value.queue.items { item.ticket.succeed(.busy) }
            for (room, readers) in self.state.value.readers {
                for reader in readers { reader.fail(ClusterError(code: .closed, message: "The gateway has ended")) }
                self.state.value.readers[room] = nil
            }
            end.succeed((self.state.value.node, self.state.value.hasLease))
        }
        guard let (node, hasLease) = try? await end.futureResult.get(), hasLease else { return }
        _ = try? await self.store.renew(node, lease: .zero, isKnown: true)
    }
}
