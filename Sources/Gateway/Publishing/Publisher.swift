public import NIOCore
public import SocketIOServer
public import SocketIOWire

/// The verbs of ``IO``, with an answer that says what has happened on the other nodes.
///
/// ```swift
/// import Gateway
///
/// func announce(_ io: IO) async throws {
///     let report = try await io.publisher(whileUnreachable: .refuse).raw(event: "notice", data: "Maintenance at noon")
///     print(report.delivery)
/// }
/// ```
///
/// If the cluster is out of reach, and the message must not wait or cannot, a verb throws `ClusterError` with the code
/// `unreachable`. Then nothing was sent, not even to clients of this node.
public struct Publisher: Sendable {
    /// The gateway.
    public let io: IO
    /// What to do while the cluster is out of reach.
    public var whileUnreachable: UnreachablePolicy
    /// How long the broker may take to confirm.
    public var timeout: TimeAmount
    /// Whether to ask every node how many clients it sent an event to.
    public var wantsReceipt: Bool
    /// Whether this node may hold an update for a later one, as the content type asks; see ``ContentType/coalescing``.
    ///
    /// A caller that has to know that the event was sent sets it to `false`.
    public var mayHoldUpdates = true

    private var events: EventPublisher { self.io.events }

    // MARK: Events

    /// Sends an event that a back end has reported; see ``IO/emit(_:)``.
    ///
    /// - Returns: What happened to it, and what was sent to whom.
    public func emit(_ event: LifecycleEvent) async throws -> (PublishReport, EmitReport) {
        let id = event.eventID.map { EventIDMemory.Key($0, scope: []) }
        guard let id else { return try await self.emitAlways(event) }
        let result = try await self.events.eventIDs.once(id) {
            let result = try await self.emitAlways(event)
            return (result, result.0.delivery != .nobody)
        }
        if let result { return result }
        let plan = try self.events.plan(event, onlyHere: false)
        return (PublishReport(.nobody), EmitReport(.repeated, event: plan.report.event))
    }

    private func emitAlways(_ event: LifecycleEvent) async throws -> (PublishReport, EmitReport) {
        if self.mayHoldUpdates, let update = try self.io.context.rules.value.content.coalescible(event) {
            return (PublishReport(.held), self.events.hold(update, onlyHere: false))
        }
        self.events.sendHeld(before: event)
        let plan = try self.events.plan(event, onlyHere: false)
        let report = try await self.confirm(self.events.publication(of: plan, and: event, onlyHere: false))
        self.events.note(plan.report)
        return (report, plan.report)
    }

    /// Sends any event, without checks and unchanged.
    ///
    /// - Parameters:
    ///   - event: The event's name.
    ///   - rooms: Each socket in any of them receives the event once; `nil` is everybody, and an empty list is nobody.
    ///   - data: The event's argument, put into `{data}` unless the payload format is `flat`.
    /// - Returns: What happened to it.
    /// - Throws: ``GatewayError`` for a name that cannot be sent, `ClusterError` if the message was refused.
    public func raw(event: String, rooms: [Room]? = nil, data: JSONValue) async throws -> PublishReport {
        try await self.confirm(self.events.rawPublication(event: event, rooms: rooms, data: data))
    }

    /// Sends an event to sockets of a namespace.
    ///
    /// - Parameters:
    ///   - name: `main` or a configured namespace's name, with or without a leading slash.
    ///   - event: The event's name.
    ///   - rooms: Each socket in any of them receives the event once; `nil` is everybody, and an empty list is nobody.
    ///   - data: The event's argument.
    /// - Returns: `nil` if there is no such namespace.
    /// - Throws: ``GatewayError`` for a name that cannot be sent, `ClusterError` if the message was refused.
    public func emitToNamespace(
        _ name: String,
        event: String,
        rooms: [Room]? = nil,
        data: JSONValue
    ) async throws -> PublishReport? {
        guard let publication = try self.events.namespacePublication(name, event: event, rooms: rooms, data: data)
        else {
            return nil
        }
        return try await self.confirm(publication)
    }

    /// Sends an event to one socket.
    ///
    /// - Returns: `nil` if there is no such socket.
    public func sendPrivateMessage(_ socketID: String, event: String, data: JSONValue) async throws -> PublishReport? {
        let publication = try self.events.messagePublication(socketID, event: event, data: data)
        guard try await self.mayExist(socketID) else { return nil }
        return try await self.confirm(publication)
    }

    /// Sends an event to everybody except one socket.
    ///
    /// - Returns: `nil` if there is no such socket.
    public func broadcast(_ socketID: String, event: String, data: JSONValue) async throws -> PublishReport? {
        let publication = try self.events.broadcastPublication(socketID, event: event, data: data)
        guard try await self.io.sockets.find(socketID) != nil else { return nil }
        return try await self.confirm(publication)
    }

    /// Sends an event to all sockets of a user.
    public func sendToUser(_ userID: EntityID, event: String, data: JSONValue) async throws -> PublishReport {
        try await self.confirm(self.events.userPublication(userID, event: event, data: data))
    }

    /// Sends an event to those who have subscribed to an entry; see ``IO/emitToEntity(_:_:event:data:)``.
    public func emitToEntity(
        _ uid: String,
        _ id: EntityID,
        event: String,
        data: JSONValue
    ) async throws -> PublishReport {
        try await self.confirm(self.events.entityPublication(uid, id, event: event, data: data))
    }

    // MARK: Sockets

    /// Makes a socket join a room.
    ///
    /// - Returns: `nil` if there is no such socket.
    public func joinRoom(_ socketID: String, _ room: Room) async throws -> PublishReport? {
        guard let socket = try await self.io.sockets.find(socketID) else { return nil }
        return try await self.move(socket, .join([room]))
    }

    /// Makes a socket leave a room.
    ///
    /// The socket need not be in it.
    ///
    /// - Returns: `nil` if there is no such socket.
    public func leaveRoom(_ socketID: String, _ room: Room) async throws -> PublishReport? {
        guard let socket = try await self.io.sockets.find(socketID) else { return nil }
        return try await self.move(socket, .leave([room]))
    }

    /// Tells a socket why, disconnects it, and closes its connection.
    ///
    /// - Returns: `nil` if there is no such socket.
    public func disconnectSocket(_ socketID: String, reason: String) async throws -> PublishReport? {
        guard let socket = try await self.io.sockets.find(socketID) else { return nil }
        return try await self.confirm(
            self.io.context.disconnection(of: [self.io.context.main], room: socket.room, reason: reason)
        )
    }

    /// Tells all sockets of a user why, and disconnects them, in all of the gateway's namespaces.
    public func disconnectUser(_ userID: EntityID, reason: String) async throws -> PublishReport {
        try await self.confirm(self.events.userDisconnection(userID, reason: reason))
    }

    /// Subscribes a socket to an entry; see ``IO/subscribeToEntity(_:_:_:)``.
    public func subscribeToEntity(
        _ socketID: String,
        _ uid: String,
        _ id: EntityID
    ) async throws -> (EntitySubscriptionResult, PublishReport?) {
        let (result, socket, rooms) = try await self.io.subscriptions.subscription(socketID, uid, id)
        guard result.success, let socket else { return (result, nil) }
        return (result, try await self.move(socket, .join(rooms)))
    }

    /// Ends a socket's subscription to an entry, if there is one.
    public func unsubscribeFromEntity(
        _ socketID: String,
        _ uid: String,
        _ id: EntityID
    ) async throws -> (EntitySubscriptionResult, PublishReport?) {
        let (result, socket, rooms) = try await self.io.subscriptions.unsubscription(socketID, uid, id)
        guard result.success, let socket else { return (result, nil) }
        return (result, try await self.move(socket, .leave(rooms)))
    }

    // MARK: Certainty

    /// Whether a socket exists.
    ///
    /// If nobody can say, and the message may wait, the answer is yes.
    private func mayExist(_ socketID: String) async throws -> Bool {
        do {
            return try await self.io.sockets.find(socketID) != nil
        } catch let error as ClusterError where error.code == .unreachable && self.whileUnreachable == .queue {
            return true
        }
    }

    /// A change to one socket.
    private enum Move {
        case join([Room])
        case leave([Room])

        var action: ClusterOperation.Action {
            switch self {
            case .join(let rooms): .join(rooms)
            case .leave(let rooms): .leave(rooms)
            }
        }
    }

    private func move(_ socket: FoundSocket, _ move: Move) async throws -> PublishReport {
        var publication = Publication()
        publication.add(move.action, self.io.context.main.to(socket.room), self.io.context.main)
        if let local = socket.local {
            // On this node it is done at once, in the order of this task's calls.
            switch move {
            case .join(let rooms): local.join(rooms)
            case .leave(let rooms): for room in rooms { local.leave(room) }
            }
            self.events.tell(publication, outcome: PublishReport.Delivery.published.rawValue)
            return PublishReport(.published)
        }
        return try await self.confirm(publication)
    }

    /// Sends it, and waits until it is known what happens to it.
    func confirm(_ publication: Publication) async throws -> PublishReport {
        guard !publication.isEmpty else {
            self.events.tell(publication, outcome: PublishReport.Delivery.nobody.rawValue)
            return PublishReport(.nobody)
        }
        let publication = self.events.histories.recording(publication)
        var outcome = PublishOutcome.localOnly
        var additions = HistoryAdditions()
        // What may be refused must not be in a history before it is known that it is not.
        if self.whileUnreachable != .refuse { additions = self.events.histories.add(publication.records) }
        for (index, part) in publication.parts.enumerated() {
            let one = await part.namespace.perform(
                part.operations,
                whileUnreachable: self.whileUnreachable,
                timeout: self.timeout
            )
            if case .refused(let reason) = one {
                let count = publication.parts.count
                self.events.tell(publication, outcome: "refused: \(reason)")
                let done = index == 0 ? "nothing was sent" : "only \(index) of \(count) namespaces were told"
                throw ClusterError(code: .unreachable, message: "The other nodes were not told (\(reason)); \(done).")
            }
            outcome = outcome.combined(with: one)
        }
        if self.whileUnreachable == .refuse { additions = self.events.histories.add(publication.records) }
        if await !additions.areKnown() { outcome = outcome.combined(with: .queued) }
        let delivery = PublishReport.Delivery(outcome)
        self.events.tell(publication, outcome: delivery.rawValue)
        let receipt = self.wantsReceipt ? await self.events.receipt(for: publication, outcome) : nil
        return PublishReport(delivery, receipt: receipt)
    }
}

extension PublishReport.Delivery {
    /// What became of a message that was not refused.
    fileprivate init(_ outcome: PublishOutcome) {
        switch outcome {
        case .localOnly, .published: self = .published
        case .queued: self = .queued
        case .unconfirmed, .refused: self = .unconfirmed
        }
    }
}
