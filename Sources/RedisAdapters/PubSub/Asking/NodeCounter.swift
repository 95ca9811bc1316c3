import NIOConcurrencyHelpers
import NIOCore
import RESP
import SocketIOServer

/// Counts the nodes that serve a namespace: those that subscribe its request channel.
///
/// However many ask for the count at the same time, Redis is asked once.
final class NodeCounter: Sendable {
    private struct State {
        /// Those who wait for a count that Redis has been asked for.
        var waiting: [CheckedContinuation<Int, any Error>] = []
        var isAsking = false
        /// The nodes counted when there was no doubt.
        var lastCount: Int?
        var isAvailable = true
        /// Until when counts are doubted.
        var unstableUntil: NIODeadline?
    }

    private let bus: any ClusterBus
    private let channel: String
    private let eventLoop: any EventLoop
    /// For how long after a loss of Redis counts are doubted.
    private let grace: TimeAmount
    private let state = NIOLockedValueBox(State())

    init(bus: any ClusterBus, channel: String, eventLoop: any EventLoop, grace: TimeAmount) {
        self.bus = bus
        self.channel = channel
        self.eventLoop = eventLoop
        self.grace = grace
    }

    /// How many wait for a count that somebody else has asked for.
    var waiting: Int { self.state.withLockedValue { $0.waiting.count } }

    /// Redis was lost, or is back.
    func availabilityChanged(_ isAvailable: Bool) {
        let now = self.eventLoop.now
        self.state.withLockedValue { state in
            if isAvailable && !state.isAvailable { state.unstableUntil = now + self.grace }
            state.isAvailable = isAvailable
        }
    }

    /// The count for the first time, while the node joins the cluster.
    ///
    /// - Throws: `RESPError`: a node that can't count the others would find that out with the first question.
    func start() async throws {
        let count = try await self.ask()
        self.state.withLockedValue { $0.lastCount = count }
    }

    /// The nodes, this one included.
    ///
    /// After a loss of Redis, nodes that are late in coming back would be overlooked: so it waits for as many as there
    /// were, as long as that is likely.
    ///
    /// - Throws: ``ClusterError``.
    func count(until deadline: NIODeadline) async throws -> Int {
        while true {
            // Redis may answer while our own subscriptions are away: then this node counts for nothing, and would not hear
            // the others.
            guard self.state.withLockedValue({ $0.isAvailable }) else {
                throw ClusterError(code: .unreachable, message: "the connection to Redis is being restored")
            }
            let count: Int
            do {
                count = max(1, try await self.ask())
            } catch let error as RESPError {
                throw ClusterError(error, "the nodes of the cluster can't be counted")
            }
            let now = self.eventLoop.now
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
            try await self.eventLoop.scheduleTask(in: pause) {}.futureResult.get()
        }
    }

    /// The nodes, this one included, if the count tells which of them have gone; `nil` while it doesn't.
    func reliableCount() async -> Int? {
        // Redis away tells nothing about the nodes. And the count is doubted for a while after that.
        let now = self.eventLoop.now
        let isReliable = self.state.withLockedValue { state in
            state.isAvailable && state.unstableUntil.map { now >= $0 } ?? true
        }
        return isReliable ? try? await self.ask() : nil
    }

    /// Asks Redis, or waits with somebody who has just asked.
    private func ask() async throws -> Int {
        let isFirst = self.state.withLockedValue { state in
            defer { state.isAsking = true }
            return !state.isAsking
        }
        guard isFirst else { return try await self.wait() }
        let result: Result<Int, any Error>
        do {
            result = .success(try await self.bus.subscriberCount(of: self.channel))
        } catch {
            result = .failure(error)
        }
        let waiting = self.state.withLockedValue { state in
            defer { state.waiting = [] }
            state.isAsking = false
            return state.waiting
        }
        for continuation in waiting { continuation.resume(with: result) }
        return try result.get()
    }

    private func wait() async throws -> Int {
        let count = try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Int, any Error>) in
            let isTooLate = self.state.withLockedValue { state in
                guard state.isAsking else { return true }
                state.waiting.append(continuation)
                return false
            }
            // The answer came in the moment between: one more question.
            if isTooLate { continuation.resume(returning: -1) }
        }
        return count < 0 ? try await self.ask() : count
    }
}

extension ClusterError {
    /// Redis did not do what the cluster needs.
    init(_ error: RESPError, _ what: String) {
        self.init(code: error.code == .closed ? .closed : .unreachable, message: "\(what): \(error.message)")
    }
}
