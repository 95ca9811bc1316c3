import NIOCore
import RESP
import RedisAdapters

/// What a node's adapter sees of its client.
struct SimulatedBus: ClusterBus {
    let client: SimulatedClient

    var eventLoop: any EventLoop { self.client.loop }
    private var history: History { self.client.redis.history }

    func publish(_ message: ByteBuffer, to channel: BusChannel) throws(RESPError) {
        let client = self.client
        guard !client.isClosed else { throw SimulatedClient.closed }
        if client.isAvailable { return client.transmit(message, to: channel) }
        guard client.queue.count < SimulatedClient.longestQueue else {
            if let event = History.event(in: message) { self.history.dropped(event) }
            throw RESPError(code: .queueFull, message: "too much is waiting")
        }
        client.queue.append((message, channel))
    }

    func publish(
        _ messages: [(channel: BusChannel, message: ByteBuffer)],
        keeps: Bool,
        timeout: TimeAmount,
        completion: @escaping @Sendable (RESPPublishOutcome) -> Void
    ) {
        let client = self.client
        guard !client.isClosed else { return self.refuse(messages, SimulatedClient.closed, completion) }
        guard client.isAvailable else {
            guard keeps else { return self.refuse(messages, SimulatedClient.disconnected, completion) }
            guard client.queue.count + messages.count <= SimulatedClient.longestQueue else {
                return self.refuse(messages, RESPError(code: .queueFull, message: "too much is waiting"), completion)
            }
            client.queue += messages.map { ($0.message, $0.channel) }
            return completion(.queued)
        }
        let ticket = SimulatedTicket(missing: messages.count, completion)
        let end = client.world.now + timeout.nanoseconds
        ticket.timer = client.world.schedule(client.loop.place, at: end) {
            ticket.end(.unconfirmed(RESPError(code: .timeout, message: "no reply")))
        }
        ticket.cancel = { [world = client.world] in world.cancel($0) }
        for (channel, message) in messages { client.transmit(message, to: channel) { ticket.done($0) } }
    }

    private func refuse(
        _ messages: [(channel: BusChannel, message: ByteBuffer)],
        _ error: RESPError,
        _ completion: @Sendable (RESPPublishOutcome) -> Void
    ) {
        for (_, message) in messages {
            if let event = History.event(in: message) { self.history.dropped(event) }
        }
        completion(.refused(error))
    }

    func missingRights(_ rights: [ClusterRight]) async throws -> [ClusterRight] { [] }

    func watchLink(probeChannel: String, peerChannel: BusChannel) -> any ClusterLinkWatch { Watch() }

    private struct Watch: ClusterLinkWatch {
        func proven() async throws {}
        func cancel() {}
    }

    func addSubscription(
        patterns: [String],
        channels: [BusChannel],
        handler: @escaping @Sendable (RESPMessage) -> Void
    ) -> any ClusterBusSubscription {
        let id = self.client.nextID()
        var subscription = SimulatedClient.Subscription(handler: handler)
        subscription.channels = Set(channels)
        subscription.patterns = Set(patterns)
        self.client.subscriptions[id] = subscription
        self.client.subscribe(id, subscription.channels, subscription.patterns)
        return SimulatedSubscription(client: self.client, id: id, isSharded: false)
    }

    func addRoster(isSharded: Bool, handler: @escaping @Sendable (RESPMessage) -> Void) -> any ClusterBusRoster {
        let id = self.client.nextID()
        self.client.subscriptions[id] = SimulatedClient.Subscription(handler: handler)
        return SimulatedSubscription(client: self.client, id: id, isSharded: isSharded)
    }

    func countSubscribers(
        of channels: [BusChannel],
        isConfirmation: Bool,
        completion: @escaping @Sendable (Result<[Int], RESPError>) -> Void
    ) {
        let client = self.client
        guard let connection = client.publishing else { return completion(.failure(SimulatedClient.disconnected)) }
        let id = client.nextID()
        client.underWay[id] = { completion(.failure(SimulatedClient.lost)) }
        client.redis.execute(from: connection) { [redis = client.redis] in
            let counts = redis.count(channels)
            redis.answer(connection) {
                if client.underWay.removeValue(forKey: id) != nil { completion(.success(counts)) }
            }
        }
    }

    func onAvailabilityChange(_ handler: @escaping @Sendable (Bool) -> Void) -> @Sendable () -> Void {
        let id = self.client.nextID()
        self.client.observers[id] = handler
        return { [client] in client.observers[id] = nil }
    }

    func onGap(_ handler: @escaping @Sendable () -> Void) -> @Sendable () -> Void { {} }
}

/// Messages that somebody waits for.
///
/// `@unchecked Sendable`: see ``SimulatedWorld``.
private final class SimulatedTicket: @unchecked Sendable {
    private var missing: Int
    private var completion: (@Sendable (RESPPublishOutcome) -> Void)?
    private var worst = RESPPublishOutcome.published
    var timer: Int?
    var cancel: ((Int) -> Void)?

    init(missing: Int, _ completion: @escaping @Sendable (RESPPublishOutcome) -> Void) {
        self.missing = missing
        self.completion = completion
    }

    func done(_ outcome: RESPPublishOutcome) {
        if outcome != .published { self.worst = outcome }
        self.missing -= 1
        if self.missing == 0 { self.end(self.worst) }
    }

    func end(_ outcome: RESPPublishOutcome) {
        guard let completion = self.completion else { return }
        self.completion = nil
        if let timer = self.timer { self.cancel?(timer) }
        completion(outcome)
    }
}

private struct SimulatedSubscription: ClusterBusSubscription, ClusterBusRoster {
    let client: SimulatedClient
    let id: Int
    let isSharded: Bool

    func confirmed() async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            guard !self.client.isClosed, let subscription = self.client.subscriptions[self.id] else {
                return continuation.resume(throwing: SimulatedClient.closed)
            }
            guard !subscription.isConfirmed else { return continuation.resume() }
            self.client.subscriptions[self.id]?.waiting.append { result in
                continuation.resume(with: result.mapError { $0 as any Error })
            }
        }
    }

    func insert(_ channel: String, heard: (@Sendable () -> Void)?) {
        let channel = BusChannel(name: channel, isSharded: self.isSharded)
        guard let subscription = self.client.subscriptions[self.id], !self.client.isClosed else {
            heard?()
            return
        }
        let isNew = !subscription.channels.contains(channel)
        self.client.subscriptions[self.id]?.channels.insert(channel)
        if let heard {
            let isHeard = subscription.confirmed.contains(channel) || self.client.redis.mutation == .confirmsTooEarly
            // Confirmed, or it can't be now.
            if isHeard || self.client.subscribing == nil {
                heard()
            } else {
                self.client.subscriptions[self.id]?.listeners[channel, default: []].append(heard)
            }
        }
        if isNew { self.client.subscribe(self.id, [channel], []) }
    }

    func remove(_ channel: String) {
        let channel = BusChannel(name: channel, isSharded: self.isSharded)
        guard self.client.subscriptions[self.id]?.channels.remove(channel) != nil else { return }
        self.client.subscriptions[self.id]?.confirmed.remove(channel)
        for heard in self.client.subscriptions[self.id]?.listeners.removeValue(forKey: channel) ?? [] { heard() }
        self.client.unsubscribe([channel], [])
    }

    func cancel() async {
        guard let subscription = self.client.subscriptions.removeValue(forKey: self.id) else { return }
        for channel in subscription.listeners.keys { for heard in subscription.listeners[channel] ?? [] { heard() } }
        for done in subscription.waiting { done(.failure(SimulatedClient.closed)) }
        self.client.unsubscribe(subscription.channels, subscription.patterns)
    }
}
