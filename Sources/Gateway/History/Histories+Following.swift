import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// Sockets that follow histories.
extension Histories {
    /// A socket that is about to join what a history is about.
    struct Beginning: Sendable {
        fileprivate var key: HistoryKey
        fileprivate var wish: HistoryWish
        /// `nil` if there is no history.
        fileprivate var stream: HistoryAddition.Stream?
    }

    /// What a wish comes to, which costs the client one of its questions.
    ///
    /// - Returns: What to hand to ``join(_:_:_:_:)`` and then to ``answer(_:socket:_:acknowledge:)``; `nil` if nothing is
    ///   asked of the history.
    /// - Throws: ``ClientRefusal`` if the client asks too often.
    func beginning(
        _ key: HistoryKey,
        _ wish: HistoryWish?,
        socket: Socket,
        _ rules: Rules
    ) throws(ClientRefusal) -> Beginning? {
        guard let wish else { return nil }
        guard let stream = rules.stream(of: key) else { return Beginning(key: key, wish: wish, stream: nil) }
        try self.budgets.spend(.questions, 1, of: socket, limits: rules.configuration.limits)
        return Beginning(key: key, wish: wish, stream: stream)
    }

    /// Makes a socket join what a history is about, on its loop.
    ///
    /// If it has a wish, it follows the history from now on, and is held back until ``answer(_:socket:_:acknowledge:)``. All
    /// of that happens in one turn: whoever follows a history gets nothing of it with everybody else.
    func join(_ socket: Socket, _ rooms: [Room], _ key: HistoryKey, _ beginning: Beginning?) {
        guard let beginning, beginning.stream != nil else {
            self.unfollow(key, socket: socket)
            return socket.join(rooms)
        }
        let id = WaiterID(socket: SocketKey(socket: socket), key: key)
        self.state.withLockedValue { $0.waiters[id] = Waiter() }
        if beginning.wish.wantsPositions {
            socket.join([key.positionsRoom, key.followersRoom] + rooms)
        } else {
            socket.leave(key.positionsRoom)
            socket.join([key.followersRoom] + rooms)
        }
    }

    /// The socket has not joined after all.
    func giveUp(_ beginning: Beginning, socket: Socket) {
        guard beginning.stream != nil else { return }
        let id = WaiterID(socket: SocketKey(socket: socket), key: beginning.key)
        self.state.withLockedValue { _ = $0.waiters.removeValue(forKey: id) }
        self.leave(beginning.key, socket: socket)
    }

    /// A socket has joined or left something without a wish: then it gets events with everybody else.
    func unfollow(_ key: HistoryKey, socket: Socket) {
        if socket.isMember(of: key.followersRoom) { self.leave(key, socket: socket) }
    }

    /// A socket does not follow a history any more.
    func leave(_ key: HistoryKey, socket: Socket) {
        self.state.withLockedValue { _ = $0.answered[SocketKey(socket: socket)]?.removeValue(forKey: key) }
        socket.leave([key.followersRoom, key.positionsRoom])
    }

    /// Tells a socket where the history is, and what it has missed.
    ///
    /// What was added meanwhile follows behind the answer.
    ///
    /// - Parameters:
    ///   - beginning: What ``beginning(_:_:socket:_:)`` returned.
    ///   - socket: The socket, which has joined the rooms.
    ///   - answer: The answer so far.
    ///   - acknowledge: Sends the answer; it is called on the socket's loop.
    func answer(
        _ beginning: Beginning,
        socket: Socket,
        _ answer: JSONValue,
        acknowledge: @escaping @Sendable (JSONValue) -> Void
    ) async {
        var members = answer.objectValue ?? [:]
        guard let stream = beginning.stream else {
            members["position"] = .null
            if beginning.wish.since != nil { Self.add(.disabled, to: &members) }
            return acknowledge(.object(members))
        }
        // Behind the join: what is added from here on finds the socket among the followers.
        try? await socket.eventLoop.submit {}.get()
        let question = HistoryQuestion(
            stream,
            since: beginning.wish.since,
            limit: self.context.rules.value.histories.maximumMissed
        )
        let read = try? await self.context.sharing.history.read(question)
        if let read { self.begin(beginning.key, at: read.position) }
        let key = beginning.key
        socket.perform { [members] in
            var members = members
            self.add(read, beginning, socket, to: &members)
            let id = WaiterID(socket: SocketKey(socket: socket), key: key)
            let isConnected = socket.isConnected
            let waiter = self.state.withLockedValue { state in
                if let read, isConnected { state.noteAnswer(to: id.socket, of: key, read.position) }
                return state.waiters.removeValue(forKey: id)
            }
            acknowledge(.object(members))
            for (position, content) in waiter?.events ?? [] where !(read?.position.includes(position) ?? false) {
                self.send(content, position, of: key, to: socket)
            }
            if waiter?.hasLost ?? false { self.tellGap(key, read?.position, to: socket) }
        }
    }

    private static func add(_ loss: HistoryLoss, to members: inout JSONObject) {
        members["recovered"] = false
        members["reason"] = .string(loss.rawValue)
    }

    /// Adds the position and, if the client has asked for it, what it has missed.
    private func add(_ read: HistoryAnswer?, _ beginning: Beginning, _ socket: Socket, to members: inout JSONObject) {
        members["position"] = read?.position.value ?? .null
        guard beginning.wish.since != nil else { return }
        guard let read else { return Self.add(.unavailable, to: &members) }
        if let loss = read.loss { return Self.add(HistoryLoss(loss), to: &members) }
        let view = self.view(self.context.rules(for: socket))
        let reader = HistoryReader(
            principal: self.context.principal(of: socket),
            // Those who wait until the entity's owner is known are not in its room.
            seesRaw: socket.isMember(of: beginning.key.basicRooms[0])
        )
        guard let missed = view.events(of: read, for: reader) else { return Self.add(.epoch, to: &members) }
        members["recovered"] = true
        members["missed"] = .array(missed.map(\.value))
    }
}

extension HistoryPosition {
    /// Whether an event at that other place is among those up to this place.
    func includes(_ other: HistoryPosition) -> Bool { self.epoch == other.epoch && other.offset <= self.offset }
}
