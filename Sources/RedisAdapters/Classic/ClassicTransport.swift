import NIOConcurrencyHelpers
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// Carries a namespace's messages as the official adapter for publish/subscribe does.
///
/// What other nodes publish arrives on the Redis connection's loop. A namespace sends from any thread.
final class ClassicTransport: ClusterTransport {
    let dialect: ClassicDialect
    let bus: any ClusterBus
    private let link: ClusterLink
    private let makeID: @Sendable () -> String
    /// The bytes of the channels and of our own uid as they stand in messages: compared without making strings.
    let requestChannel: ByteBuffer
    let broadcastPrefix: ByteBuffer
    let ownBroadcastHeader: ByteBuffer
    let nodeID: UTF8Text
    private let state = NIOLockedValueBox(State())

    private struct State {
        var subscription: (any ClusterBusSubscription)?
        var stopObserving: (@Sendable () -> Void)?
        var isClosed = false
    }

    init(namespace: String, configuration: PubSubAdapterConfiguration, bus: any ClusterBus) {
        let dialect = ClassicDialect(namespace: namespace, configuration: configuration)
        self.dialect = dialect
        self.bus = bus
        self.makeID = configuration.makeID
        self.link = ClusterLink(
            bus: bus,
            namespace: namespace,
            rights: dialect.rights,
            advice: dialect.advice,
            // A channel like that of a node's answers, for which a user has the right: nobody else listens there.
            probeChannel: dialect.channels.response(to: "probe-\(dialect.uid)"),
            peerChannel: dialect.channels.request
        )
        self.requestChannel = ByteBuffer(string: dialect.channels.request)
        self.broadcastPrefix = ByteBuffer(string: dialect.channels.broadcast)
        self.nodeID = UTF8Text(dialect.uid)
        var header = ByteBuffer()
        header.writeMessagePackArrayHeader(count: 3)
        header.writeMessagePack(dialect.uid)
        self.ownBroadcastHeader = header
    }

    func makeRequestID() -> String { self.makeID() }

    var honoursFlagsOfAcknowledged: Bool { false }

    // MARK: Life

    func start(_ receiver: ClusterReceiver) async throws {
        do {
            try await self.link.checkRights()
            try await self.subscribe(receiver).confirmed()
            // A node that can't count the others would find that out with the first question.
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                self.bus.countSubscribers(of: self.dialect.channels.request) { result in
                    continuation.resume(with: result.map { _ in }.mapError { $0 as any Error })
                }
            }
            try await self.link.start()
        } catch let error as RESPError {
            throw self.link.startError(error)
        }
    }

    private func subscribe(_ receiver: ClusterReceiver) throws -> any ClusterBusSubscription {
        let channels = self.dialect.channels
        let subscription: (any ClusterBusSubscription)? = self.state.withLockedValue { state in
            guard state.subscription == nil, !state.isClosed else { return state.subscription }
            let subscription = self.bus.addSubscription(
                patterns: [channels.broadcastPattern],
                channels: [channels.request, channels.response, channels.response(to: self.dialect.uid)],
                handler: { [weak self] message in self?.received(message, receiver) }
            )
            state.subscription = subscription
            state.stopObserving = self.bus.onAvailabilityChange { receiver.availabilityChanged($0) }
            return subscription
        }
        guard let subscription else {
            throw ClusterError(
                code: .closed,
                message: "the adapter of namespace \(self.dialect.namespace) is closed"
            )
        }
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
    }

    // MARK: Sending

    func send(_ message: OutgoingMessage) throws(ClusterError) {
        let (channel, bytes) = self.dialect.encode(message)
        try self.publish(bytes, on: channel)
    }

    func send(
        _ messages: [OutgoingMessage],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount
    ) async -> PublishOutcome {
        let messages = messages.map { self.dialect.encode($0) }
        let outcome = await withCheckedContinuation { continuation in
            self.bus.publish(messages, keeps: policy == .queue, timeout: timeout) { continuation.resume(returning: $0) }
        }
        switch outcome {
        case .published: return .published
        case .queued: return .queued
        case .refused(let error), .unconfirmed(let error): return .refused(reason: error.brief)
        }
    }

    func encode(_ reply: ClusterReply) -> EncodedReply { self.dialect.encode(reply) }

    func send(_ reply: EncodedReply, to asker: ClusterAsker) throws(ClusterError) {
        try self.publish(reply.message(asker), on: self.dialect.responseChannel(of: reply, to: asker))
    }

    func sendLong(_ reply: EncodedReply, to asker: ClusterAsker, timeout: TimeAmount) -> EventLoopFuture<Void> {
        let promise = self.bus.eventLoop.makePromise(of: Void.self)
        let channel = self.dialect.responseChannel(of: reply, to: asker)
        self.bus.publish([(channel, reply.message(asker))], keeps: false, timeout: timeout) { outcome in
            switch outcome {
            case .published, .queued: promise.succeed()
            case .refused(let error), .unconfirmed(let error): promise.fail(error)
            }
        }
        return promise.futureResult
    }

    private func publish(_ message: ByteBuffer, on channel: String) throws(ClusterError) {
        do throws(RESPError) {
            try self.bus.publish(channel: channel, message: message)
        } catch {
            throw ClusterError(error)
        }
    }

    func countNodes() -> EventLoopFuture<Int> {
        let promise = self.bus.eventLoop.makePromise(of: Int.self)
        self.bus.countSubscribers(of: self.dialect.channels.request) { result in
            promise.completeWith(
                result.mapError { error in
                    var failure = ClusterError(error)
                    failure.message = "the nodes of the cluster can't be counted: \(error.message)"
                    return failure
                }
            )
        }
        return promise.futureResult
    }
}

extension ClusterError {
    /// Redis did not do what the cluster needs.
    init(_ error: RESPError) {
        self.init(code: error.code == .closed ? .closed : .unreachable, message: error.message)
    }
}
