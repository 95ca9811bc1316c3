import CoreMetrics
package import Logging
import NIOConcurrencyHelpers
package import NIOCore
package import SocketIOWire
import Synchronization

/// One namespace's part in a cluster, whatever carries its messages.
///
/// Messages that tell the other nodes something go to the transport at once, from any thread. Questions are kept
/// account of on the namespace's loop.
package final class ClusterAdapter: Adapter {
    let context: ClusterContext
    let core: LoopConfined<ClusterCore>
    private let receiver: ClusterReceiver
    private let lastWaiter = Atomic<Int>(0)
    /// Whether the log says already that messages are not taken.
    private let hasLoggedRefusal = Atomic<Bool>(false)

    /// Makes an adapter.
    ///
    /// - Parameters:
    ///   - host: What it may ask of the namespace.
    ///   - transport: Carries its messages, and nobody else's.
    ///   - configuration: How patient it is.
    ///   - metrics: What is counted, of all namespaces together.
    ///   - budget: What may be kept of other nodes' answers, of all namespaces together.
    ///   - logger: For what is ignored or lost.
    package init(
        host: any AdapterHost,
        transport: any ClusterTransport,
        configuration: ClusterConfiguration,
        metrics: ClusterMetrics,
        budget: AnswerBudget,
        logger: Logger
    ) {
        var logger = logger
        logger[metadataKey: "sio.namespace"] = "\(host.name)"
        logger[metadataKey: "sio.node.id"] = "\(transport.nodeID.string)"
        let context = ClusterContext(
            host: host,
            transport: transport,
            configuration: configuration,
            metrics: metrics,
            budget: budget,
            logger: logger
        )
        self.context = context
        self.core = LoopConfined(ClusterCore(context: context), on: host.eventLoop)
        self.receiver = ClusterReceiver(context: context, joins: RemoteJoins(), core: self.core)
    }

    package func start() async throws { try await self.context.transport.start(self.receiver) }

    package func close() async {
        let promise = self.context.eventLoop.makePromise(of: Void.self)
        self.core.execute { $0.close().cascade(to: promise) }
        try? await promise.futureResult.get()
        await self.context.transport.close()
    }

    package var subscribesToRooms: Bool { self.context.transport.subscribesToRooms }

    package func confirmSubscriptions(to rooms: [Room]) async {
        await self.context.transport.confirmSubscriptions(to: rooms)
    }

    // MARK: Telling

    package func publish(_ broadcast: Broadcast) { self.tell(.broadcast(broadcast)) }

    package func addSockets(_ options: BroadcastOptions, rooms: [Room]) { self.tell(.join(options, rooms: rooms)) }

    package func delSockets(_ options: BroadcastOptions, rooms: [Room]) { self.tell(.leave(options, rooms: rooms)) }

    package func disconnectSockets(_ options: BroadcastOptions, closingConnection: Bool) {
        self.tell(.disconnect(options, closingConnection: closingConnection))
    }

    package func serverSideEmit(_ arguments: [JSONValue]) {
        guard !self.isReserved(arguments) else { return }
        self.tell(.serverSideEmit(requestID: nil, arguments))
    }

    package func publish(
        _ operations: [ClusterOperation],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount
    ) async -> PublishOutcome {
        let messages = operations.map { OutgoingMessage($0) }
        let outcome = await self.context.transport.send(messages, whileUnreachable: policy, timeout: timeout)
        if case .refused(let reason) = outcome {
            self.context.metrics.unpublished("message", count: messages.count, error: reason)
        }
        return outcome
    }

    /// Whether an event is one that a server emits itself: its listeners would misread our arguments.
    private func isReserved(_ arguments: [JSONValue]) -> Bool {
        guard case .string(let event)? = arguments.first, ClusterProtocol.isReservedAmongServers(event) else {
            return false
        }
        self.context.logger.info("Did not send an event to the servers: its name is reserved")
        return true
    }

    /// Sends a message without an outcome for the caller.
    ///
    /// A failure is counted. It is logged once until the broker takes messages again.
    private func tell(_ message: OutgoingMessage) {
        do throws(ClusterError) {
            try self.context.transport.send(message)
            if self.hasLoggedRefusal.load(ordering: .relaxed) { self.hasLoggedRefusal.store(false, ordering: .relaxed) }
        } catch {
            self.context.metrics.unpublished("message", error: error.message)
            guard !self.hasLoggedRefusal.exchange(true, ordering: .relaxed) else { return }
            self.context.logger.info(
                "Other nodes will not get what is published now",
                metadata: ["error": "\(error)"]
            )
        }
    }

    // MARK: Asking

    private func deadline(_ timeout: TimeAmount?) -> NIODeadline {
        self.context.now + (timeout ?? self.context.configuration.requestsTimeout)
    }

    package func serverCount() async throws -> Int {
        let deadline = self.deadline(nil)
        let promise = self.context.eventLoop.makePromise(of: Int.self)
        self.core.execute { core in
            core.counter.count(until: deadline) { count in
                promise.completeWith(count.map(\.nodes).mapError { $0 as any Error })
            }
        }
        return try await promise.futureResult.get()
    }

    package func fetchSockets(_ options: BroadcastOptions, timeout: TimeAmount?) async throws -> [SocketDescription] {
        let asked = BroadcastOptions(rooms: options.rooms, except: options.except)
        return try await self.ask(.sockets(asked), timeout: timeout).sockets
    }

    package func findSocket(_ id: String, timeout: TimeAmount?) async throws -> SocketDescription? {
        try await self.ask(.search, wanted: UTF8Text(id), timeout: timeout).sockets.first
    }

    package func allRooms(timeout: TimeAmount?) async throws -> Set<Room> {
        try await self.ask(.rooms, timeout: timeout).rooms
    }

    package func serverSideEmitWithAck(_ arguments: [JSONValue], timeout: TimeAmount?) async throws -> [JSONValue?] {
        guard !self.isReserved(arguments) else { return [] }
        let deadline = self.deadline(timeout)
        return try await self.wait { $0.emit($1, arguments, until: deadline, $2) }.values
    }

    private func ask(
        _ inquiry: Inquiry,
        wanted: UTF8Text? = nil,
        timeout: TimeAmount?
    ) async throws -> ClusterCore.Answers {
        let deadline = self.deadline(timeout)
        return try await self.wait { $0.ask($1, inquiry, wanted: wanted, until: deadline, $2) }
    }

    /// Asks something on the loop, and waits until there is an answer or the caller's task is cancelled.
    private func wait(
        _ ask: @escaping @Sendable (ClusterCore, Int, EventLoopPromise<ClusterCore.Answers>) -> Void
    ) async throws -> ClusterCore.Answers {
        let id = self.lastWaiter.wrappingAdd(1, ordering: .relaxed).newValue
        let promise = self.context.eventLoop.makePromise(of: ClusterCore.Answers.self)
        return try await withTaskCancellationHandler {
            self.core.execute { ask($0, id, promise) }
            // It was cancelled before it was asked, which would otherwise show only at the timeout.
            if Task.isCancelled { self.core.execute { $0.cancel(id) } }
            return try await promise.futureResult.get()
        } onCancel: {
            self.core.execute { $0.cancel(id) }
        }
    }

    package func publishWithAck(
        _ broadcast: Broadcast,
        timeout: TimeAmount,
        onClientCount: @escaping @Sendable (Int) -> Void,
        onAcknowledgement: @escaping @Sendable (JSONValue?) -> Void
    ) async throws -> ClusterAudience {
        let deadline = self.deadline(timeout)
        let listener = ClusterCore.Listener(onClientCount: onClientCount, onAcknowledgement: onAcknowledgement)
        let promise = self.context.eventLoop.makePromise(of: ClusterRoll.self)
        self.core.execute { $0.publish(broadcast, until: deadline, listener, promise) }
        return ClusterAudience(try await promise.futureResult.get())
    }
}
