import CoreMetrics
import NIOConcurrencyHelpers
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// Broadcasts of this node that clients of other nodes acknowledge.
final class AcknowledgedBroadcasts: NodeWatcher {
    private struct Pending {
        let onClientCount: @Sendable (Int) -> Void
        let onAcknowledgement: @Sendable (JSONValue?) -> Void
        let deadline: Scheduled<Void>
        /// How many nodes will report their clients; `nil` until they are counted.
        var nodes: Int?
        /// The reports of before that.
        var early: [Int] = []
        var reports = 0
        /// The clients that were reported.
        var clients = 0
        var acknowledgements = 0
        var hasHeardSinceLook = true
        /// What is counted in the budget.
        var bytes = 0

        /// Whether nothing more will come.
        var isOver: Bool {
            guard let nodes = self.nodes else { return false }
            return self.reports >= nodes && self.acknowledgements >= self.clients
        }

        /// A node says how many clients it sent the event to.
        ///
        /// - Returns: What is to be passed on; nothing if there are not so many nodes.
        mutating func report(_ count: Int) -> Int? {
            self.hasHeardSinceLook = true
            guard let nodes = self.nodes else {
                if self.early.count < AcknowledgedBroadcasts.mostEarlyReports { self.early.append(count) }
                return nil
            }
            guard self.reports < nodes else { return nil }
            self.reports += 1
            self.clients += min(count, AcknowledgedBroadcasts.mostClients)
            return count
        }
    }

    /// More nodes than there are, and more clients than one has: both are said by others.
    private static let mostEarlyReports = 10_000
    private static let mostClients = 1 << 32

    private let core: AdapterCore
    private let counter: NodeCounter
    private let budget: AnswerBudget
    private let watch: NodeWatch
    private let state = NIOLockedValueBox<[UTF8Text: Pending]?>([:])

    init(core: AdapterCore, counter: NodeCounter, budget: AnswerBudget, watch: NodeWatch) {
        self.core = core
        self.counter = counter
        self.budget = budget
        self.watch = watch
    }

    var isIdle: Bool { self.state.withLockedValue { $0?.values.allSatisfy { $0.reports >= $0.nodes ?? 0 } ?? true } }

    func publish(
        _ broadcast: Broadcast,
        timeout: TimeAmount,
        onClientCount: @escaping @Sendable (Int) -> Void,
        onAcknowledgement: @escaping @Sendable (JSONValue?) -> Void
    ) async throws -> Int {
        let deadline = self.core.eventLoop.now + timeout
        let requestID = self.core.configuration.makeID()
        let id = UTF8Text(requestID)
        let message = self.core.encoder.broadcastRequest(
            uid: self.core.uid,
            requestID: requestID,
            arguments: broadcast.arguments,
            options: broadcast.options
        )
        let timer = self.core.eventLoop.scheduleTask(in: timeout) { [weak self] in self?.forget(id) ?? () }
        let isClosed = self.state.withLockedValue { pending in
            pending?[id] = Pending(
                onClientCount: onClientCount,
                onAcknowledgement: onAcknowledgement,
                deadline: timer
            )
            return pending == nil
        }
        guard !isClosed else {
            timer.cancel()
            throw self.core.closedError
        }
        do throws(RESPError) {
            try self.core.bus.publish(channel: self.core.channels.request, message: message)
        } catch {
            self.forget(id)
            throw ClusterError(error, "the broadcast was not published")
        }
        // The nodes are counted after that, as official nodes do it. If that fails, acknowledgements still count.
        let others = max(0, try await self.counter.count(until: deadline) - 1)
        self.counted(id, nodes: others)
        self.watch.begin()
        return others
    }

    private func counted(_ id: UTF8Text, nodes: Int) {
        let (reports, onClientCount) = self.state.withLockedValue { pending -> ([Int], (@Sendable (Int) -> Void)?) in
            guard var broadcast = pending?[id] else { return ([], nil) }
            broadcast.nodes = nodes
            let reports = broadcast.early.compactMap { broadcast.report($0) }
            broadcast.early = []
            pending?[id] = broadcast
            return (reports, broadcast.onClientCount)
        }
        for report in reports { onClientCount?(report) }
        self.forgetIfOver(id)
    }

    /// Whether that is a broadcast of ours whose clients are waited for.
    func isAwaited(_ id: UTF8Text) -> Bool { self.state.withLockedValue { $0?[id] != nil } }

    /// Takes a report, or an acknowledgement.
    ///
    /// - Parameters:
    ///   - response: What a node says.
    ///   - bytes: How many bytes that was.
    /// - Throws: ``ClusterProtocolError`` if it is neither.
    func received(_ response: ClusterResponse, bytes: Int) throws(ClusterProtocolError) {
        let id = response.requestID
        switch try response.answer(to: .acknowledgements) {
        case .clientCount(let count):
            let (report, onClientCount) = self.state.withLockedValue { pending in
                (pending?[id]?.report(count), pending?[id]?.onClientCount)
            }
            if let report = report.flatMap({ $0 }) { onClientCount?(report) }
        case .acknowledgement(let value):
            guard self.budget.take(bytes) else {
                self.core.metrics.answersDropped.increment()
                throw ClusterProtocolError(.undecodable, "an acknowledgement for which no memory is left")
            }
            let onAcknowledgement = self.state.withLockedValue { pending -> (@Sendable (JSONValue?) -> Void)? in
                guard pending?[id] != nil else { return nil }
                pending?[id]?.bytes += bytes
                pending?[id]?.acknowledgements += 1
                return pending?[id]?.onAcknowledgement
            }
            guard let onAcknowledgement else { return self.budget.give(bytes) }
            onAcknowledgement(value)
        case .sockets, .rooms, .serverSide, .nothing, .refusal: break
        }
        self.forgetIfOver(id)
    }

    /// A node that has gone sent the broadcast to nobody, so its report need not be waited for.
    func looked(alive: Int) {
        let missing = self.state.withLockedValue { pending -> [(Int, @Sendable (Int) -> Void)] in
            var missing: [(Int, @Sendable (Int) -> Void)] = []
            for id in pending.map({ Array($0.keys) }) ?? [] {
                guard var broadcast = pending?[id], let nodes = broadcast.nodes, broadcast.reports < nodes else {
                    continue
                }
                // Reports don't say whose they are: only when none is late it is certain that nobody reports any more.
                if alive < nodes, broadcast.reports >= alive, !broadcast.hasHeardSinceLook {
                    missing.append((nodes - broadcast.reports, broadcast.onClientCount))
                    broadcast.reports = nodes
                }
                broadcast.hasHeardSinceLook = false
                pending?[id] = broadcast
            }
            return missing
        }
        for (count, onClientCount) in missing { for _ in 0..<count { onClientCount(0) } }
    }

    private func forgetIfOver(_ id: UTF8Text) {
        if self.state.withLockedValue({ $0?[id]?.isOver ?? false }) { self.forget(id) }
    }

    private func forget(_ id: UTF8Text) {
        guard let pending = self.state.withLockedValue({ $0?.removeValue(forKey: id) }) else { return }
        pending.deadline.cancel()
        self.budget.give(pending.bytes)
    }

    func close() {
        let pending = self.state.withLockedValue { pending in
            defer { pending = nil }
            return pending.map { Array($0.values) } ?? []
        }
        for pending in pending {
            pending.deadline.cancel()
            self.budget.give(pending.bytes)
        }
    }
}
