import NIOConcurrencyHelpers
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// Joins, leaves, publishes and counts for one namespace on a bus, in any dialect.
final class BusAttachment: Sendable {
    private struct State {
        var subscription: (any ClusterBusSubscription)?
        var rooms: RoomSubscriptions?
        var stopObserving: [@Sendable () -> Void] = []
        var isClosed = false
    }

    let bus: any ClusterBus
    private let namespace: String
    private let link: ClusterLink
    /// The channel whose subscribers are the nodes.
    private let countedChannel: BusChannel
    private let nodeID: UTF8Text
    /// The channel that a node alone subscribes to, on the same connection as ``countedChannel``.
    private let channelOfNode: @Sendable (UTF8Text) -> BusChannel
    private let state = NIOLockedValueBox(State())

    init(
        bus: any ClusterBus,
        namespace: String,
        link: ClusterLink,
        countedChannel: BusChannel,
        nodeID: UTF8Text,
        channelOfNode: @escaping @Sendable (UTF8Text) -> BusChannel
    ) {
        self.bus = bus
        self.namespace = namespace
        self.link = link
        self.countedChannel = countedChannel
        self.nodeID = nodeID
        self.channelOfNode = channelOfNode
    }

    // MARK: Life

    /// Subscribes, and proves that messages arrive.
    ///
    /// - Parameters:
    ///   - receiver: Hears when the bus is lost and back, and tells of the rooms.
    ///   - rooms: The rooms that are subscribed one by one, if they are.
    ///   - losesEvents: Whether this node misses events of others while its subscriptions are away.
    ///   - subscribe: Subscribes to everything else.
    ///   - prepare: What is to be done besides, behind the subscription.
    /// - Throws: ``ClusterError`` with what is wrong and what to do.
    func start(
        _ receiver: ClusterReceiver,
        rooms: RoomSubscriptions? = nil,
        losesEvents: Bool = true,
        subscribe: () -> any ClusterBusSubscription,
        prepare: () async throws -> Void = {}
    ) async throws {
        do {
            try await self.link.checkRights()
            try await self.subscription(receiver, rooms, losesEvents: losesEvents, subscribe).confirmed()
            // Otherwise a node that can't count the others would find that out only with its first question.
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                self.bus.countSubscribers(of: [self.countedChannel], isConfirmation: false) { result in
                    continuation.resume(with: result.map { _ in }.mapError { $0 as any Error })
                }
            }
            try await prepare()
            try await self.link.start()
        } catch let error as RESPError {
            throw self.link.startError(error)
        }
    }

    private func subscription(
        _ receiver: ClusterReceiver,
        _ rooms: RoomSubscriptions?,
        losesEvents: Bool,
        _ subscribe: () -> any ClusterBusSubscription
    ) throws -> any ClusterBusSubscription {
        let (subscription, isNew) = self.state.withLockedValue { state -> ((any ClusterBusSubscription)?, Bool) in
            guard state.subscription == nil, !state.isClosed else { return (state.subscription, false) }
            let subscription = subscribe()
            state.subscription = subscription
            state.rooms = rooms
            state.stopObserving = [
                self.bus.onAvailabilityChange { receiver.availabilityChanged($0, losesEvents: losesEvents) }
            ]
            if losesEvents { state.stopObserving.append(self.bus.onGap { receiver.eventsMayBeMissing() }) }
            return (subscription, true)
        }
        guard let subscription else {
            throw ClusterError(code: .closed, message: "the adapter of namespace \(self.namespace) is closed")
        }
        if isNew, let rooms { receiver.observeRooms(rooms) }
        return subscription
    }

    func close() async {
        let state = self.state.withLockedValue { state in
            state.isClosed = true
            defer {
                state.subscription = nil
                state.rooms = nil
                state.stopObserving = []
            }
            return state
        }
        for stop in state.stopObserving { stop() }
        self.link.stop()
        await state.rooms?.cancel()
        await state.subscription?.cancel()
    }

    /// Returns when Redis has confirmed the channels of these rooms, or can't now.
    func confirm(_ rooms: [Room]) async {
        await self.state.withLockedValue { $0.rooms }?.confirm(rooms)
    }

    // MARK: Publishing

    func publish(_ message: ByteBuffer, to channel: BusChannel) throws(ClusterError) {
        do throws(RESPError) {
            try self.bus.publish(message, to: channel)
        } catch {
            throw ClusterError(error)
        }
    }

    func publish(
        _ messages: [(channel: BusChannel, message: ByteBuffer)],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount
    ) async -> PublishOutcome {
        let outcome = await withCheckedContinuation { continuation in
            self.bus.publish(messages, keeps: policy == .queue, timeout: timeout) { continuation.resume(returning: $0) }
        }
        switch outcome {
        case .published: return .published
        case .queued: return .queued
        case .refused(let error): return .refused(reason: error.brief)
        case .unconfirmed(let error): return .unconfirmed(reason: error.brief)
        }
    }

    /// Publishes something long.
    ///
    /// - Returns: When it takes no memory of this node any more.
    func publishLong(_ message: ByteBuffer, to channel: BusChannel, timeout: TimeAmount) -> EventLoopFuture<Void> {
        let promise = self.bus.eventLoop.makePromise(of: Void.self)
        self.bus.publish([(channel, message)], keeps: false, timeout: timeout) { outcome in
            switch outcome {
            case .published, .queued: promise.succeed()
            case .refused(let error), .unconfirmed(let error): promise.fail(error)
            }
        }
        return promise.futureResult
    }

    /// Counts the subscribers of the counted channel, of this node's own and of other nodes' own channels, all at once.
    ///
    /// This node counts once, however often Redis counts it: not at all while its subscriptions are gone and it has not
    /// noticed yet, twice while Redis has not noticed that an earlier connection is gone.
    func countNodes(_ named: [UTF8Text], isConfirmation: Bool) -> EventLoopFuture<ClusterCount> {
        let promise = self.bus.eventLoop.makePromise(of: ClusterCount.self)
        let channels = [self.countedChannel, self.channelOfNode(self.nodeID)] + named.map(self.channelOfNode)
        self.bus.countSubscribers(of: channels, isConfirmation: isConfirmation) { result in
            switch result {
            case .success(let counts) where counts.count == channels.count:
                var connections: [UTF8Text: Int] = [:]
                for (node, count) in zip(named, counts.dropFirst(2)) { connections[node] = count }
                promise.succeed(ClusterCount(nodes: max(0, counts[0] - counts[1]) + 1, connections: connections))
            case .success(let counts):
                promise.fail(Self.failure("\(counts.count) counts for \(channels.count) channels"))
            case .failure(let error):
                var failure = ClusterError(error)
                failure.message = "the nodes of the cluster can't be counted: \(error.message)"
                promise.fail(failure)
            }
        }
        return promise.futureResult
    }

    private static func failure(_ reason: String) -> ClusterError {
        ClusterError(code: .unreachable, message: "the nodes of the cluster can't be counted: \(reason)")
    }
}

extension ClusterError {
    /// Redis did not do what the cluster needs.
    init(_ error: RESPError) {
        self.init(code: error.code == .closed ? .closed : .unreachable, message: error.message)
    }
}
