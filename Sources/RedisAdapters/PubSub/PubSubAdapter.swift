import CoreMetrics
import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// One namespace's part in a cluster of the classic Redis adapter.
///
/// What other nodes publish arrives on the Redis connection's loop; calls of the namespace come from any thread. What
/// both touch is behind one lock, held for dictionary operations only.
final class PubSubAdapter: Adapter {
    let uid: String
    let channels: ClassicChannels
    let encoder: ClassicEncoder
    let host: any AdapterHost
    let bus: any ClusterBus
    let configuration: PubSubAdapterConfiguration
    let metrics: PubSubAdapterMetrics
    let logger: Logger
    let link: ClusterLink
    private let ownResponses: String
    /// The bytes of ``channels`` and of our own uid as they stand in messages: compared without making strings.
    private let requestChannel: ByteBuffer
    private let broadcastPrefix: ByteBuffer
    private let ownBroadcastHeader: ByteBuffer
    private let state = NIOLockedValueBox(State())

    private enum Pending {
        case answers(AnswerCollection, CheckedContinuation<AnswerCollection.Answers, any Error>, Timers)
        case acknowledgements(PendingAcknowledgements, Timers)
    }

    private struct Timers {
        let deadline: Scheduled<Void>
        /// The next look after the nodes.
        var look: Scheduled<Void>?

        func cancel() {
            self.deadline.cancel()
            self.look?.cancel()
        }
    }

    private struct State {
        var subscription: (any ClusterBusSubscription)?
        var stopObserving: (@Sendable () -> Void)?
        var isClosed = false
        var pending: [String: Pending] = [:]
        /// Answers to other nodes that are being prepared.
        var tasks: [Int: Task<Void, Never>] = [:]
        var nextTask = 0
        /// The nodes counted when there was no doubt.
        var lastCount: Int?
        var isAvailable = true
        /// Until when counts are doubted.
        var unstableUntil: NIODeadline?
        var hasLoggedRefusal = false
        /// Rooms that sockets of this node are being made to join, by how many commands.
        var joining: [Room: Int] = [:]
    }

    init(
        host: any AdapterHost,
        configuration: PubSubAdapterConfiguration,
        bus: any ClusterBus,
        logger: Logger,
        metrics: PubSubAdapterMetrics
    ) {
        self.host = host
        self.configuration = configuration
        self.bus = bus
        self.metrics = metrics
        self.uid = configuration.makeID()
        self.channels = ClassicChannels(key: configuration.key, namespace: host.name)
        self.encoder = ClassicEncoder(namespace: host.name, writesNumericRooms: configuration.writesNumericRooms)
        self.link = ClusterLink(
            bus: bus,
            namespace: host.name,
            channels: self.channels,
            encoder: self.encoder,
            uid: self.uid,
            metrics: metrics
        )
        self.ownResponses = self.channels.response(to: self.uid)
        self.requestChannel = ByteBuffer(string: self.channels.request)
        self.broadcastPrefix = ByteBuffer(string: self.channels.broadcast)
        var header = ByteBuffer()
        header.writeMessagePackArrayHeader(count: 3)
        header.writeMessagePack(self.uid)
        self.ownBroadcastHeader = header
        var logger = logger
        logger[metadataKey: "sio.namespace"] = "\(host.name)"
        logger[metadataKey: "sio.node.id"] = "\(self.uid)"
        self.logger = logger
    }

    // MARK: Life

    func start() async throws {
        do {
            try await self.link.checkRights()
            try await self.subscribe().confirmed()
            // Who can't count the nodes would find that out with the first question.
            let count = try await self.bus.subscriberCount(of: self.channels.request)
            self.state.withLockedValue { $0.lastCount = count }
            try await self.link.start()
        } catch let error as RESPError {
            throw self.link.startError(error)
        }
    }

    private func subscribe() throws -> any ClusterBusSubscription {
        let subscription: (any ClusterBusSubscription)? = self.state.withLockedValue { state in
            guard state.subscription == nil, !state.isClosed else { return state.subscription }
            let subscription = self.bus.addSubscription(
                patterns: [self.channels.broadcastPattern],
                channels: [self.channels.request, self.channels.response, self.ownResponses],
                handler: { [weak self] message in self?.received(message) }
            )
            state.subscription = subscription
            state.stopObserving = self.bus.onAvailabilityChange { [weak self] isAvailable in
                self?.availabilityChanged(isAvailable)
            }
            return subscription
        }
        guard let subscription else { throw self.closedError }
        return subscription
    }

    func close() async {
        let (state, pending, tasks) = self.state.withLockedValue { state in
            state.isClosed = true
            let old = (state, Array(state.pending.values), Array(state.tasks.values))
            state.pending = [:]
            state.subscription = nil
            state.stopObserving = nil
            return old
        }
        state.stopObserving?()
        self.link.stop()
        await state.subscription?.cancel()
        for pending in pending {
            switch pending {
            case .answers(_, let continuation, let timers):
                timers.cancel()
                continuation.resume(throwing: self.closedError)
            case .acknowledgements(_, let timers):
                timers.cancel()
            }
        }
        for task in tasks { await task.value }
    }

    private var closedError: ClusterError {
        ClusterError(code: .closed, message: "the adapter of namespace \(self.host.name) is closed")
    }

    private func availabilityChanged(_ isAvailable: Bool) {
        let now = self.host.eventLoop.now
        self.state.withLockedValue { state in
            if isAvailable {
                if !state.isAvailable { state.unstableUntil = now + self.configuration.reconnectGrace }
                state.hasLoggedRefusal = false
            }
            state.isAvailable = isAvailable
        }
        // What others published meanwhile has passed this node by.
        if isAvailable { self.host.eventsMayBeMissing() }
    }

    // MARK: Telling

    func publish(_ broadcast: Broadcast) {
        let message = self.encoder.broadcast(
            uid: self.uid,
            arguments: broadcast.arguments,
            options: broadcast.options
        )
        self.tell(message, on: self.channels.broadcast(to: broadcast.options.rooms))
    }

    func addSockets(_ options: BroadcastOptions, rooms: [Room]) {
        self.tell(self.encoder.join(uid: self.uid, options: options, rooms: rooms), on: self.channels.request)
    }

    func delSockets(_ options: BroadcastOptions, rooms: [Room]) {
        self.tell(self.encoder.leave(uid: self.uid, options: options, rooms: rooms), on: self.channels.request)
    }

    func disconnectSockets(_ options: BroadcastOptions, closingConnection: Bool) {
        let message = self.encoder.disconnect(uid: self.uid, options: options, closingConnection: closingConnection)
        self.tell(message, on: self.channels.request)
    }

    func serverSideEmit(_ arguments: [JSONValue]) {
        guard !self.isReserved(arguments) else { return }
        let message = self.encoder.serverSideEmit(uid: self.uid, requestID: nil, arguments: arguments)
        self.tell(message, on: self.channels.request)
    }

    /// Whether an event is one that a Node.js server emits itself: its listeners would trip over arguments of ours.
    private func isReserved(_ arguments: [JSONValue]) -> Bool {
        switch arguments.first {
        case .string("connect"), .string("connection"), .string("new_namespace"):
            self.logger.info("Did not send an event to the servers: its name is reserved")
            return true
        default: return false
        }
    }

    /// Publishes what nobody waits for: a failure is counted, and logged once until Redis is back.
    private func tell(_ message: ByteBuffer, on channel: String) {
        do throws(RESPError) {
            try self.bus.publish(channel: channel, message: message)
        } catch {
            self.metrics.unpublished.increment()
            let isFirst = self.state.withLockedValue { state in
                defer { state.hasLoggedRefusal = true }
                return !state.hasLoggedRefusal
            }
            guard isFirst else { return }
            self.logger.info(
                "Other nodes will not get what is published now",
                metadata: ["redis.channel": "\(channel)", "error": "\(error)"]
            )
        }
    }

    // MARK: Asking

    func serverCount() async throws -> Int {
        try await self.countNodes(until: self.host.eventLoop.now + self.configuration.requestsTimeout)
    }

    func fetchSockets(_ options: BroadcastOptions, timeout: TimeAmount?) async throws -> [SocketDescription] {
        try await self.ask(timeout, "fetchSockets") { id in
            self.encoder.fetchSockets(uid: self.uid, requestID: id, options: options)
        }.sockets
    }

    func allRooms(timeout: TimeAmount?) async throws -> Set<Room> {
        try await self.ask(timeout, "allRooms") { id in self.encoder.allRooms(uid: self.uid, requestID: id) }.rooms
    }

    func serverSideEmitWithAck(_ arguments: [JSONValue], timeout: TimeAmount?) async throws -> [JSONValue?] {
        guard !self.isReserved(arguments) else { return [] }
        return try await self.ask(timeout, "serverSideEmit") { id in
            self.encoder.serverSideEmit(uid: self.uid, requestID: id, arguments: arguments)
        }.values
    }

    func publishWithAck(
        _ broadcast: Broadcast,
        timeout: TimeAmount,
        onClientCount: @escaping @Sendable (Int) -> Void,
        onAcknowledgement: @escaping @Sendable (JSONValue?) -> Void
    ) async throws -> Int {
        let deadline = self.host.eventLoop.now + timeout
        let id = self.configuration.makeID()
        let message = self.encoder.broadcastRequest(
            uid: self.uid,
            requestID: id,
            arguments: broadcast.arguments,
            options: broadcast.options
        )
        let timer = self.host.eventLoop.scheduleTask(in: timeout) { [weak self] in
            self?.forget(id) ?? ()
        }
        let isClosed = self.state.withLockedValue { state in
            guard !state.isClosed else { return true }
            let pending = PendingAcknowledgements(onClientCount: onClientCount, onAcknowledgement: onAcknowledgement)
            state.pending[id] = .acknowledgements(pending, Timers(deadline: timer))
            return false
        }
        guard !isClosed else {
            timer.cancel()
            throw self.closedError
        }
        do throws(RESPError) {
            try self.bus.publish(channel: self.channels.request, message: message)
        } catch {
            self.forget(id)
            throw self.unreachable(error, "the broadcast was not published")
        }
        // The nodes are counted after that, as official nodes do it. If that fails, answers still count.
        let others = max(0, try await self.countNodes(until: deadline) - 1)
        let isComplete = self.state.withLockedValue { state -> Bool in
            guard case .acknowledgements(var pending, let timer)? = state.pending[id] else { return true }
            var reports = AnswerCollection(expected: others)
            for _ in 0..<pending.earlyReports { reports.add(.clientCount(0)) }
            pending.reports = reports
            state.pending[id] = .acknowledgements(pending, timer)
            return reports.isComplete
        }
        if !isComplete { self.lookAfterNodesLater(for: id) }
        return others
    }

    private func forget(_ id: String) {
        if case .acknowledgements(_, let timers)? = self.state.withLockedValue({ $0.pending.removeValue(forKey: id) }) {
            timers.cancel()
        }
    }

    private func unreachable(_ error: RESPError, _ what: String) -> ClusterError {
        ClusterError(code: error.code == .closed ? .closed : .unreachable, message: "\(what): \(error.message)")
    }

    /// Asks all other nodes, and waits until each has answered.
    private func ask(
        _ timeout: TimeAmount?,
        _ name: String,
        makeMessage: (String) -> ByteBuffer
    ) async throws -> AnswerCollection.Answers {
        let timeout = timeout ?? self.configuration.requestsTimeout
        let deadline = self.host.eventLoop.now + timeout
        let others = try await self.countNodes(until: deadline) - 1
        guard others > 0 else { return AnswerCollection.Answers() }
        let id = self.configuration.makeID()
        let message = makeMessage(id)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                self.ask(id, message, name, expected: others, deadline: deadline, continuation)
            }
        } onCancel: {
            self.finish(id) { _ in .failure(CancellationError()) }
        }
    }

    private func ask(
        _ id: String,
        _ message: ByteBuffer,
        _ name: String,
        expected: Int,
        deadline: NIODeadline,
        _ continuation: CheckedContinuation<AnswerCollection.Answers, any Error>
    ) {
        let timer = self.host.eventLoop.scheduleTask(deadline: deadline) { [weak self] in
            self?.timedOut(id, name) ?? ()
        }
        let isClosed = self.state.withLockedValue { state in
            guard !state.isClosed else { return true }
            state.pending[id] = .answers(AnswerCollection(expected: expected), continuation, Timers(deadline: timer))
            return false
        }
        guard !isClosed else {
            timer.cancel()
            return continuation.resume(throwing: self.closedError)
        }
        // Cancelled before it was pending: nobody would notice until the timeout.
        guard !Task.isCancelled else { return self.finish(id) { _ in .failure(CancellationError()) } }
        do throws(RESPError) {
            try self.bus.publish(channel: self.channels.request, message: message)
        } catch {
            let failure = self.unreachable(error, "\(name): the request was not published")
            return self.finish(id) { _ in .failure(failure) }
        }
        self.lookAfterNodesLater(for: id)
    }

    private func timedOut(_ id: String, _ name: String) {
        self.finish(id) { answers in
            self.metrics.timeouts.increment()
            var error = ClusterError(
                code: .timeout,
                message: "timeout reached while waiting for \(name) response: "
                    + "only \(answers.received) responses received out of \(answers.expected)"
            )
            error.partialSockets = answers.answers.sockets
            error.partialResponses = answers.answers.values
            return .failure(error)
        }
    }

    /// Ends a question, if it is still open: whoever takes it out of the table resumes it, and nobody else.
    private func finish(
        _ id: String,
        _ result: (AnswerCollection) -> Result<AnswerCollection.Answers, any Error>
    ) {
        let pending = self.state.withLockedValue { state -> Pending? in
            guard case .answers? = state.pending[id] else { return nil }
            return state.pending.removeValue(forKey: id)
        }
        guard case .answers(let answers, let continuation, let timers)? = pending else { return }
        timers.cancel()
        continuation.resume(with: result(answers))
    }

    // MARK: Counting

    /// The nodes that serve this namespace, this one included.
    ///
    /// After a loss of Redis, nodes that are late in coming back would be overlooked: so it waits for as many as there
    /// were, as long as that is likely.
    private func countNodes(until deadline: NIODeadline) async throws -> Int {
        while true {
            // Redis may answer while our own subscriptions are away: then this node counts for nothing, and would not hear
            // the others.
            guard self.state.withLockedValue({ $0.isAvailable }) else {
                throw ClusterError(code: .unreachable, message: "the connection to Redis is being restored")
            }
            let count: Int
            do {
                count = max(1, try await self.bus.subscriberCount(of: self.channels.request))
            } catch let error as RESPError {
                throw self.unreachable(error, "the nodes of the cluster can't be counted")
            }
            let now = self.host.eventLoop.now
            let pause = self.state.withLockedValue { state -> TimeAmount? in
                guard let unstableUntil = state.unstableUntil, now < unstableUntil,
                    count < state.lastCount ?? .max, now < deadline
                else {
                    state.unstableUntil = nil
                    state.lastCount = count
                    return nil
                }
                return min(.milliseconds(100), unstableUntil - now, deadline - now)
            }
            guard let pause else { return count }
            try await self.host.eventLoop.scheduleTask(in: pause) {}.futureResult.get()
        }
    }

    /// Looks, again and again while a question is open, whether those who have not answered are still there.
    private func lookAfterNodesLater(for id: String) {
        let look = self.host.eventLoop.scheduleTask(in: self.configuration.livenessInterval) { [weak self] in
            // Ends with the reply, which has a deadline; `close()` waits for it.
            self?.runTask { adapter in await adapter.lookAfterNodes(for: id) } ?? ()
        }
        let isOver = self.state.withLockedValue { state in
            switch state.pending[id] {
            case .answers(let answers, let continuation, var timers):
                timers.look = look
                state.pending[id] = .answers(answers, continuation, timers)
                return false
            case .acknowledgements(let pending, var timers):
                timers.look = look
                state.pending[id] = .acknowledgements(pending, timers)
                return false
            case nil:
                return true
            }
        }
        if isOver { look.cancel() }
    }

    private func lookAfterNodes(for id: String) async {
        // Redis away tells nothing about the nodes. And the count is doubted for a while after that.
        let now = self.host.eventLoop.now
        let isReliable = self.state.withLockedValue { state in
            state.isAvailable && state.unstableUntil.map { now >= $0 } ?? true
        }
        var isOver = false
        var missing = 0
        var onClientCount: (@Sendable (Int) -> Void)?
        if isReliable, let count = try? await self.bus.subscriberCount(of: self.channels.request) {
            (isOver, missing, onClientCount) = self.state.withLockedValue { state in
                switch state.pending[id] {
                case .answers(var answers, let continuation, let timer):
                    let isOver = answers.looked(alive: max(0, count - 1))
                    state.pending[id] = .answers(answers, continuation, timer)
                    return (isOver, 0, nil)
                case .acknowledgements(var pending, let timer):
                    guard var reports = pending.reports, !reports.isComplete else { return (true, 0, nil) }
                    let missing = reports.expected - reports.received
                    let isOver = reports.looked(alive: max(0, count - 1))
                    pending.reports = reports
                    state.pending[id] = .acknowledgements(pending, timer)
                    return (isOver, missing, pending.onClientCount)
                case nil:
                    return (true, 0, nil)
                }
            }
        }
        guard isOver else { return self.lookAfterNodesLater(for: id) }
        // Who is gone sent the broadcast to nobody; so the sender need not wait for the report.
        if let onClientCount { for _ in 0..<missing { onClientCount(0) } }
        self.finish(id) { .success($0.answers) }
    }

    /// Runs something that `close()` waits for.
    func runTask(_ body: @escaping @Sendable (PubSubAdapter) async -> Void) {
        self.state.withLockedValue { state in
            guard !state.isClosed else { return }
            state.nextTask += 1
            let id = state.nextTask
            // Awaited by `close()`; takes itself off the list, which it can't do before it is on it: the lock is held.
            state.tasks[id] = Task {
                await body(self)
                self.state.withLockedValue { _ = $0.tasks.removeValue(forKey: id) }
            }
        }
    }

    // MARK: Listening

    /// Called on the Redis connection's loop.
    func received(_ message: RESPMessage) {
        do throws(ClassicProtocolError) {
            if message.pattern != nil {
                try self.receivedBroadcast(message)
            } else if message.channel == self.requestChannel {
                try self.receivedRequest(message.payload)
            } else {
                try self.receivedResponse(message.payload)
            }
        } catch {
            self.metrics.rejected(error.reason)
            self.logger.debug(
                "Ignored a message of the cluster",
                metadata: ["redis.channel": "\(String(buffer: message.channel))", "error": "\(error)"]
            )
        }
    }

    private func receivedBroadcast(_ message: RESPMessage) throws(ClassicProtocolError) {
        guard !message.payload.readableBytesView.starts(with: self.ownBroadcastHeader.readableBytesView) else { return }
        guard let room = self.room(of: message.channel) else {
            throw ClassicProtocolError(.wrongChannel, "a channel that only looks like one of ours")
        }
        if !room.name.isEmpty, !self.host.hasLocalMembers(of: room), !self.isBeingJoined(room) {
            self.metrics.filtered.increment()
            return
        }
        let broadcast = try ClassicBroadcast(parsing: message.payload)
        guard broadcast.uid != self.uid else { return }
        guard broadcast.namespace == self.host.name else {
            throw ClassicProtocolError(.wrongChannel, "a broadcast for another namespace")
        }
        let packet = try broadcast.packet()
        self.metrics.delivered.increment()
        self.host.deliver(packet, options: broadcast.options)
    }

    /// Makes sockets of this node join rooms on behalf of another node, which may broadcast to them in the same breath.
    ///
    /// Sockets join on their own loops, a moment later than this returns; until then their rooms have to look as if they
    /// had members.
    func join(_ options: BroadcastOptions, _ rooms: [Room]) {
        self.state.withLockedValue { state in
            for room in rooms { state.joining[room, default: 0] += 1 }
        }
        self.host.addLocalSockets(options, rooms: rooms)
        self.runTask { adapter in
            // A question to every loop, behind the command, about sockets in a room that only a bug could make.
            _ = await adapter.host.localSockets(BroadcastOptions(rooms: [Self.nobodysRoom]))
            adapter.state.withLockedValue { state in
                for room in rooms {
                    guard let count = state.joining[room] else { continue }
                    state.joining[room] = count > 1 ? count - 1 : nil
                }
            }
        }
    }

    private static let nobodysRoom = Room("\u{0}")

    private func isBeingJoined(_ room: Room) -> Bool {
        self.state.withLockedValue { $0.joining[room] != nil }
    }

    /// The room that a channel is for; empty for that of the namespace, `nil` if the channel is none of ours.
    private func room(of channel: ByteBuffer) -> Room? {
        let prefix = self.broadcastPrefix.readableBytes
        guard channel.readableBytesView.starts(with: self.broadcastPrefix.readableBytesView) else { return nil }
        guard channel.readableBytes > prefix else { return Room("") }
        guard channel.readableBytesView.last == UInt8(ascii: "#"),
            let name = channel.getString(
                at: channel.readerIndex + prefix,
                length: channel.readableBytes - prefix - 1
            )
        else { return nil }
        return Room(name)
    }

    private func receivedResponse(_ message: ByteBuffer) throws(ClassicProtocolError) {
        // Most answers are for others.
        if let id = ClassicResponse.peekRequestID(message), !self.state.withLockedValue({ $0.pending[id] != nil }) {
            return
        }
        let response = try ClassicResponse(parsing: message)
        let id = response.requestID
        enum Effect {
            case none
            case complete
            case clientCount(Int, @Sendable (Int) -> Void)
            case acknowledgement(JSONValue?, @Sendable (JSONValue?) -> Void)
        }
        let effect = self.state.withLockedValue { state -> Effect in
            switch state.pending[id] {
            case .answers(var answers, let continuation, let timer):
                // Out of the table while it changes, or its lists would be copied.
                state.pending[id] = nil
                answers.add(response.body)
                state.pending[id] = .answers(answers, continuation, timer)
                return answers.isComplete ? .complete : .none
            case .acknowledgements(var pending, let timer):
                switch response.body {
                case .clientCount(let count):
                    pending.earlyReports += 1
                    pending.reports?.add(response.body)
                    state.pending[id] = .acknowledgements(pending, timer)
                    return .clientCount(count, pending.onClientCount)
                case .acknowledgement(let value): return .acknowledgement(value, pending.onAcknowledgement)
                case .sockets, .rooms, .serverSideAnswer: return .none
                }
            case nil: return .none
            }
        }
        switch effect {
        case .none: break
        case .complete: self.finish(id) { .success($0.answers) }
        case .clientCount(let count, let onClientCount): onClientCount(count)
        case .acknowledgement(let value, let onAcknowledgement): onAcknowledgement(value)
        }
    }
}
