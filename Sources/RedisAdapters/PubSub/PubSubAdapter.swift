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
/// several touch is behind a lock of the part that owns it, held for dictionary operations only.
final class PubSubAdapter: Adapter {
    let core: AdapterCore
    let host: any AdapterHost
    let link: ClusterLink
    /// The bytes of the channels and of our own uid as they stand in messages: compared without making strings.
    let requestChannel: ByteBuffer
    let broadcastPrefix: ByteBuffer
    let ownBroadcastHeader: ByteBuffer
    let ownUID: UTF8Text
    /// What this node asks.
    let questions: Questions
    let acknowledged: AcknowledgedBroadcasts
    let counter: NodeCounter
    let budget: AnswerBudget
    private let watch: NodeWatch
    /// What this node is asked.
    let desk: AnswerDesk
    let joins: RemoteJoins
    private let state = NIOLockedValueBox(State())

    private struct State {
        var subscription: (any ClusterBusSubscription)?
        var stopObserving: (@Sendable () -> Void)?
        var isClosed = false
        var hasLoggedRefusal = false
    }

    init(
        host: any AdapterHost,
        configuration: PubSubAdapterConfiguration,
        bus: any ClusterBus,
        logger: Logger,
        metrics: PubSubAdapterMetrics,
        budget: AnswerBudget? = nil
    ) {
        let core = AdapterCore(host: host, configuration: configuration, bus: bus, logger: logger, metrics: metrics)
        let budget = budget ?? AnswerBudget(limit: configuration.maximumCollectedBytes)
        self.core = core
        self.host = host
        self.link = ClusterLink(
            bus: bus,
            namespace: host.name,
            channels: core.channels,
            encoder: core.encoder,
            uid: core.uid,
            metrics: metrics
        )
        self.budget = budget
        self.counter = NodeCounter(
            bus: bus,
            channel: core.channels.request,
            eventLoop: host.eventLoop,
            grace: configuration.reconnectGrace
        )
        self.watch = NodeWatch(core: core, counter: self.counter)
        self.questions = Questions(core: core, counter: self.counter, budget: budget, watch: self.watch)
        self.acknowledged = AcknowledgedBroadcasts(
            core: core,
            counter: self.counter,
            budget: budget,
            watch: self.watch
        )
        self.desk = AnswerDesk(core: core)
        self.joins = RemoteJoins(core: core)
        self.requestChannel = ByteBuffer(string: core.channels.request)
        self.broadcastPrefix = ByteBuffer(string: core.channels.broadcast)
        self.ownUID = UTF8Text(core.uid)
        var header = ByteBuffer()
        header.writeMessagePackArrayHeader(count: 3)
        header.writeMessagePack(core.uid)
        self.ownBroadcastHeader = header
        self.watch.add(self.questions)
        self.watch.add(self.acknowledged)
    }

    // MARK: Life

    func start() async throws {
        do {
            try await self.link.checkRights()
            try await self.subscribe().confirmed()
            try await self.counter.start()
            try await self.link.start()
        } catch let error as RESPError {
            throw self.link.startError(error)
        }
    }

    private func subscribe() throws -> any ClusterBusSubscription {
        let channels = self.core.channels
        let subscription: (any ClusterBusSubscription)? = self.state.withLockedValue { state in
            guard state.subscription == nil, !state.isClosed else { return state.subscription }
            let subscription = self.core.bus.addSubscription(
                patterns: [channels.broadcastPattern],
                channels: [channels.request, channels.response, channels.response(to: self.core.uid)],
                handler: { [weak self] message in self?.received(message) }
            )
            state.subscription = subscription
            state.stopObserving = self.core.bus.onAvailabilityChange { [weak self] isAvailable in
                self?.availabilityChanged(isAvailable)
            }
            return subscription
        }
        guard let subscription else { throw self.core.closedError }
        return subscription
    }

    func close() async {
        let state = self.state.withLockedValue { state in
            state.isClosed = true
            defer {
                state.subscription = nil
                state.stopObserving = nil
            }
            return state
        }
        state.stopObserving?()
        self.link.stop()
        await state.subscription?.cancel()
        self.watch.close()
        self.questions.close()
        self.acknowledged.close()
        await self.core.close()
    }

    private func availabilityChanged(_ isAvailable: Bool) {
        self.counter.availabilityChanged(isAvailable)
        guard isAvailable else { return }
        self.state.withLockedValue { $0.hasLoggedRefusal = false }
        // What others published meanwhile has passed this node by.
        self.host.eventsMayBeMissing()
    }

    // MARK: Telling

    func publish(_ broadcast: Broadcast) {
        let message = self.core.encoder.broadcast(
            uid: self.core.uid,
            arguments: broadcast.arguments,
            options: broadcast.options
        )
        self.tell(message, on: self.core.channels.broadcast(to: broadcast.options.rooms))
    }

    func addSockets(_ options: BroadcastOptions, rooms: [Room]) {
        self.ask(self.core.encoder.join(uid: self.core.uid, options: options, rooms: rooms))
    }

    func delSockets(_ options: BroadcastOptions, rooms: [Room]) {
        self.ask(self.core.encoder.leave(uid: self.core.uid, options: options, rooms: rooms))
    }

    func disconnectSockets(_ options: BroadcastOptions, closingConnection: Bool) {
        self.ask(
            self.core.encoder.disconnect(uid: self.core.uid, options: options, closingConnection: closingConnection)
        )
    }

    func serverSideEmit(_ arguments: [JSONValue]) {
        guard !self.isReserved(arguments) else { return }
        self.ask(self.core.encoder.serverSideEmit(uid: self.core.uid, requestID: nil, arguments: arguments))
    }

    /// Whether an event is one that a server emits itself: its listeners would trip over arguments of ours.
    private func isReserved(_ arguments: [JSONValue]) -> Bool {
        guard case .string(let event)? = arguments.first, ClusterProtocol.isReservedAmongServers(event) else {
            return false
        }
        self.core.logger.info("Did not send an event to the servers: its name is reserved")
        return true
    }

    /// Publishes a command that nobody answers.
    private func ask(_ message: ByteBuffer) { self.tell(message, on: self.core.channels.request) }

    /// Publishes what nobody waits for: a failure is counted, and logged once until Redis is back.
    private func tell(_ message: ByteBuffer, on channel: String) {
        do throws(RESPError) {
            try self.core.bus.publish(channel: channel, message: message)
        } catch {
            self.core.metrics.unpublished.increment()
            let isFirst = self.state.withLockedValue { state in
                defer { state.hasLoggedRefusal = true }
                return !state.hasLoggedRefusal
            }
            guard isFirst else { return }
            self.core.logger.info(
                "Other nodes will not get what is published now",
                metadata: ["redis.channel": "\(channel)", "error": "\(error)"]
            )
        }
    }

    // MARK: Asking

    private func patience(_ timeout: TimeAmount?) -> TimeAmount { timeout ?? self.core.configuration.requestsTimeout }

    func serverCount() async throws -> Int {
        try await self.counter.count(until: self.host.eventLoop.now + self.patience(nil))
    }

    func fetchSockets(_ options: BroadcastOptions, timeout: TimeAmount?) async throws -> [SocketDescription] {
        let asked = BroadcastOptions(rooms: options.rooms, except: options.except)
        return try await self.questions.ask(.sockets(asked), timeout: self.patience(timeout)).sockets
    }

    func findSocket(_ id: String, timeout: TimeAmount?) async throws -> SocketDescription? {
        try await self.questions.search(id, timeout: self.patience(timeout))
    }

    func allRooms(timeout: TimeAmount?) async throws -> Set<Room> {
        try await self.questions.ask(.rooms, timeout: self.patience(timeout)).rooms
    }

    func serverSideEmitWithAck(_ arguments: [JSONValue], timeout: TimeAmount?) async throws -> [JSONValue?] {
        guard !self.isReserved(arguments) else { return [] }
        return try await self.questions.emit(arguments, timeout: self.patience(timeout))
    }

    func publishWithAck(
        _ broadcast: Broadcast,
        timeout: TimeAmount,
        onClientCount: @escaping @Sendable (Int) -> Void,
        onAcknowledgement: @escaping @Sendable (JSONValue?) -> Void
    ) async throws -> Int {
        try await self.acknowledged.publish(
            broadcast,
            timeout: timeout,
            onClientCount: onClientCount,
            onAcknowledgement: onAcknowledgement
        )
    }
}
