import CoreMetrics
public import NIOCore
public import SocketIOWire

/// Addresses some of a namespace's sockets, on all nodes; a value, so it may be kept and refined.
public struct BroadcastOperator: Sendable {
    /// Whose sockets are addressed.
    enum Audience: Sendable {
        case namespace(Namespace)
        /// The sockets of all namespaces that are a parent's children when something is sent.
        case children(ParentNamespace)

        var namespaces: [Namespace] {
            switch self {
            case .namespace(let namespace): [namespace]
            case .children(let parent): parent.children
            }
        }
    }

    let audience: Audience
    package var options: BroadcastOptions

    init(namespace: Namespace, options: BroadcastOptions) {
        self.audience = .namespace(namespace)
        self.options = options
    }

    init(audience: Audience, options: BroadcastOptions) {
        self.audience = audience
        self.options = options
    }

    // MARK: Refining

    /// Adds the members of these rooms; each socket is addressed once, however many of the rooms it is in.
    public func to(_ rooms: Room...) -> BroadcastOperator { self.to(rooms) }

    /// Adds the members of these rooms; each socket is addressed once, however many of the rooms it is in.
    public func to(_ rooms: [Room]) -> BroadcastOperator {
        var copy = self
        copy.options.rooms.appendNew(rooms)
        return copy
    }

    /// Adds the members of these rooms: the same as ``to(_:)-(Room...)``.
    public func `in`(_ rooms: Room...) -> BroadcastOperator { self.to(rooms) }

    /// Adds the members of these rooms: the same as ``to(_:)-([Room])``.
    public func `in`(_ rooms: [Room]) -> BroadcastOperator { self.to(rooms) }

    /// Leaves the members of these rooms out.
    public func except(_ rooms: Room...) -> BroadcastOperator { self.except(rooms) }

    /// Leaves the members of these rooms out.
    public func except(_ rooms: [Room]) -> BroadcastOperator {
        var copy = self
        copy.options.except.appendNew(rooms)
        return copy
    }

    /// Restricts the operation to the sockets of this node.
    public var local: BroadcastOperator { self.setting(.local(true)) }

    /// Drops the event for clients to whom more than the engine's `limits.volatileThreshold` of bytes wait.
    public var volatile: BroadcastOperator { self.setting(.volatile(true)) }

    /// Whether the event may be compressed, in answers to polls and in WebSocket messages; `true` unless said otherwise.
    public func compress(_ allowed: Bool) -> BroadcastOperator { self.setting(.compress(allowed)) }

    /// How long to wait for acknowledgements, and for answers of other nodes.
    public func timeout(_ timeout: TimeAmount) -> BroadcastOperator {
        self.setting(.timeout(milliseconds: Int(timeout.nanoseconds / 1_000_000)))
    }

    func setting(_ flag: BroadcastFlags.Flag) -> BroadcastOperator {
        var copy = self
        copy.options.flags.set(flag)
        return copy
    }

    // MARK: Sending

    /// Sends an event: `[event, argument...]`.
    ///
    /// An event that can't be encoded, or has a name that the protocol keeps for itself, is not sent. The server logs
    /// that, and counts it in `socketio_unencodable_events_total`.
    public func emit<each Argument: Encodable & Sendable>(_ event: String, _ arguments: repeat each Argument) {
        guard let values = self.values(event, repeat each arguments) else { return }
        self.emit(values: values)
    }

    /// Sends an event with these arguments.
    public func emit(_ event: String, values: [JSONValue]) {
        self.emit(values: [.string(event)] + values)
    }

    /// Sends the event `message`.
    public func send<each Argument: Encodable & Sendable>(_ arguments: repeat each Argument) {
        self.emit("message", repeat each arguments)
    }

    func values<each Argument: Encodable & Sendable>(
        _ event: String,
        _ arguments: repeat each Argument
    ) -> [JSONValue]? {
        var values: [JSONValue] = [.string(event)]
        do {
            guard !isReservedEventName(event) else { throw ReservedEventName(name: event) }
            for argument in repeat each arguments { values.append(try JSONValue(encoding: argument)) }
        } catch {
            self.audience.namespaces.first?.reportUnencodable(event: event, error: error)
            return nil
        }
        return values
    }

    private func emit(values: [JSONValue]) {
        switch self.audience {
        case .namespace(let namespace): self.emit(values, in: namespace)
        case .children(let parent): for child in parent.children { self.emit(values, in: child) }
        }
    }

    /// Delivers here at once, and tells the other nodes; or has the cluster's log deliver to all.
    private func emit(_ values: [JSONValue], in namespace: Namespace) {
        guard let packet = namespace.encode(values) else { return }
        namespace.metrics.broadcasts.increment()
        if let (recovery, cluster) = namespace.log(for: self.options) {
            recovery.publish(packet, Broadcast(arguments: values, options: self.options), to: cluster)
            return
        }
        if !self.options.flags.isLocal {
            namespace.adapter.publish(Broadcast(arguments: values, options: self.options))
        }
        namespace.deliver(packet, options: self.options)
    }

    /// Sends an event and gathers the acknowledgements of all addressed clients, on all nodes.
    ///
    /// - Returns: The first argument of each acknowledgement, in the order in which they arrived. A client that leaves
    ///   before it answers is not waited for.
    /// - Throws: ``AcknowledgementError`` with the answers that did arrive: when the time is up, when no timeout is set
    ///   (``timeout(_:)``, or ``SocketServerConfiguration/acknowledgementTimeout``), or when an answer is no `Answer`.
    public func emitWithAck<each Argument: Encodable & Sendable, Answer: Decodable & Sendable>(
        _ event: String,
        _ arguments: repeat each Argument,
        returning answer: Answer.Type = Answer.self
    ) async throws -> [Answer] {
        try await self.emitCollectingAnswers(event, repeat each arguments, returning: answer).map { $0.value }
    }

    /// Sends an event and gathers the acknowledgements of all addressed clients, on all nodes, whatever is in them.
    ///
    /// - Returns: The first argument of each acknowledgement, `null` for one that has none, in the order in which they
    ///   arrived.
    /// - Throws: ``AcknowledgementError``, as ``emitWithAck(_:_:returning:)`` does.
    @discardableResult
    public func emitWithAck<each Argument: Encodable & Sendable>(
        _ event: String,
        _ arguments: repeat each Argument
    ) async throws -> [JSONValue] {
        try await self.emitCollectingAnswers(event, repeat each arguments, returning: JSONValue.self).map { $0.value }
    }

    /// Sends an event and gathers the acknowledgements of all addressed clients, on all nodes, with whose they are.
    ///
    /// - Returns: The first argument of each acknowledgement, and the id of its socket if that is on this node, in the
    ///   order in which they arrived. A client that leaves before it answers is not waited for.
    /// - Throws: What ``emitWithAck(_:_:returning:)`` throws.
    public func emitCollectingAnswers<each Argument: Encodable & Sendable, Answer: Decodable & Sendable>(
        _ event: String,
        _ arguments: repeat each Argument,
        returning answer: Answer.Type = Answer.self
    ) async throws -> [ClientAnswer<Answer>] {
        guard let values = self.values(event, repeat each arguments) else {
            throw AcknowledgementError.unencodable
        }
        let answers = try await self.answers(to: values)
        do {
            return try answers.map { ClientAnswer(socketID: $0.socketID, value: try $0.value.decode(Answer.self)) }
        } catch {
            throw AcknowledgementError(
                code: .unexpectedAnswer,
                message: "an acknowledgement of \"\(event)\" is no \(Answer.self): \(error)",
                answers: answers
            )
        }
    }

    private func answers(to values: [JSONValue]) async throws -> [ClientAnswer<JSONValue>] {
        switch self.audience {
        case .namespace(let namespace):
            return try await self.answers(to: values, in: namespace)
        case .children(let parent):
            return try await withThrowingTaskGroup(of: [ClientAnswer<JSONValue>].self) { group in
                for child in parent.children {
                    group.addTask { try await self.answers(to: values, in: child) }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
        }
    }

    private func answers(
        to values: [JSONValue],
        in namespace: Namespace
    ) async throws -> [ClientAnswer<JSONValue>] {
        let asked = self.options.flags.timeoutMilliseconds.map { TimeAmount.milliseconds(Int64($0)) }
        guard let timeout = asked ?? namespace.acknowledgementTimeout else {
            throw AcknowledgementError(
                code: .missingTimeout,
                message: "a broadcast that waits for acknowledgements needs a timeout: call timeout(_:) before"
            )
        }
        let collector = AcknowledgementCollector(expectsSingleAnswer: self.options.flags.expectsSingleResponse)
        namespace.metrics.broadcasts.increment()
        let timer = namespace.eventLoop.scheduleTask(in: timeout) { collector.timeOut() }
        defer { timer.cancel() }
        namespace.deliverWithAck(
            arguments: values,
            options: self.options,
            timeout: timeout,
            onClientCount: { collector.localClients($0) },
            onAcknowledgement: { collector.answered($1, by: $0) },
            onLeft: { collector.left() }
        )
        if self.options.flags.isLocal {
            collector.otherNodes(ClusterAudience(nodes: 0))
        } else {
            let adapter = namespace.adapter
            let broadcast = Broadcast(arguments: values, options: self.options)
            // Ends when the adapter has counted the nodes; the collector's own timeout does not depend on it.
            Task {
                let others = try? await adapter.publishWithAck(
                    broadcast,
                    timeout: timeout,
                    onClientCount: { collector.remoteClients($0) },
                    onAcknowledgement: { collector.answered($0) }
                )
                // An adapter that can't tell leaves the question open, and the timeout answers it.
                if let others { collector.otherNodes(others) }
            }
        }
        return try await collector.answers()
    }

    // MARK: Sockets of all nodes

    /// The addressed sockets, on all nodes.
    ///
    /// - Throws: ``ClusterError``, with the sockets that were received and who is missing, if a node does not answer in
    ///   time.
    public func fetchSockets() async throws -> [RemoteSocket] {
        var sockets: [RemoteSocket] = []
        for namespace in self.audience.namespaces {
            sockets += try await self.descriptions(in: namespace).map {
                RemoteSocket(description: $0, namespace: namespace)
            }
        }
        return sockets
    }

    /// The addressed sockets, on all nodes that answer.
    ///
    /// - Returns: The sockets that were received, and which nodes are missing.
    /// - Throws: ``ClusterError`` if the other nodes could not be asked at all.
    public func fetchSocketsAllowingPartial() async throws -> ClusterAnswer<[RemoteSocket]> {
        var answer = ClusterAnswer<[RemoteSocket]>([])
        for namespace in self.audience.namespaces {
            var descriptions: [SocketDescription]
            do {
                descriptions = try await self.descriptions(in: namespace)
            } catch let error as ClusterError where error.isPartial {
                descriptions = error.partialSockets
                answer.missing += error.missing.filter { !answer.missing.contains($0) }
                answer.error = answer.error ?? error
            }
            answer.value += descriptions.map { RemoteSocket(description: $0, namespace: namespace) }
        }
        return answer
    }

    private func descriptions(in namespace: Namespace) async throws -> [SocketDescription] {
        let local = await namespace.localSockets(self.options)
        guard !self.options.flags.isLocal else { return local }
        let timeout = self.options.flags.timeoutMilliseconds.map { TimeAmount.milliseconds(Int64($0)) }
        do {
            return local + (try await namespace.adapter.fetchSockets(self.options, timeout: timeout))
        } catch var error as ClusterError {
            error.partialSockets = local + error.partialSockets
            throw error
        }
    }

    /// Makes the addressed sockets join these rooms.
    public func socketsJoin(_ rooms: [Room]) {
        for namespace in self.audience.namespaces {
            namespace.addLocalSockets(self.options, rooms: rooms)
            if !self.options.flags.isLocal { namespace.adapter.addSockets(self.options, rooms: rooms) }
        }
    }

    /// Makes the addressed sockets leave these rooms.
    public func socketsLeave(_ rooms: [Room]) {
        for namespace in self.audience.namespaces {
            namespace.delLocalSockets(self.options, rooms: rooms)
            if !self.options.flags.isLocal { namespace.adapter.delSockets(self.options, rooms: rooms) }
        }
    }

    /// Disconnects the addressed sockets.
    ///
    /// - Parameter closingConnection: Also leaves the connections' other namespaces and closes them.
    public func disconnectSockets(closingConnection: Bool = false) {
        for namespace in self.audience.namespaces {
            namespace.disconnectLocalSockets(self.options, closingConnection: closingConnection)
            if !self.options.flags.isLocal {
                namespace.adapter.disconnectSockets(self.options, closingConnection: closingConnection)
            }
        }
    }
}
