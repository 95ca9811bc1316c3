import Incidents
import Logging
import Metrics
import NIOConcurrencyHelpers
import NIOCore

/// Handles what Redis replies, and what it does not reply to.
extension ClientCore {
    func receivedReply(_ value: RESPValue) {
        switch self.pipeline.received(value) {
        case .reply(let waiter, let value): self.complete(waiter, value)
        case .published(let bytes, let waiter):
            self.settledCount += 1
            self.settledBytes += bytes
            if case .publish(let ticket) = waiter { ticket.settle(.published) }
        case .refused(let encoded, let error, let waiter): self.refused(encoded, error, waiter)
        case .executed(let bytes, let waiter, let value):
            self.settledCount += 1
            self.settledBytes += bytes
            if case .kept(let completion) = waiter { completion(.replied(value)) }
        case .keptRefused(let encoded, let resends, let error, let waiter):
            self.refusedKept(encoded, resends: resends, error, waiter)
        case .answered(let value):
            guard let refusal = self.question.answered(value).refusal else { break }
            // Both connections matter: the others do not count a client that subscribes at a replica.
            self.subscriber.fail(refusal)
            self.commands.fail(refusal)
        case .probed(let number, let value): self.handle(self.probe.answered(number, value, at: self.eventLoop.now))
        case .counted(let version, let value): self.counted(value, version: version)
        case .none: break
        case .violation(let error): self.commands.fail(error)
        }
    }

    private func complete(_ waiter: CommandQueue.Waiter, _ value: RESPValue) {
        guard case .command(let completion) = waiter else { return }
        // A caller that waits for earlier messages must find that they were lost.
        if self.refusedPublishes > 0 { self.settle() }
        guard case .error(let error) = value else { return completion(.success(value)) }
        completion(.failure(error))
        self.endIfReadOnly(error)
    }

    private func refused(_ encoded: ByteBuffer, _ error: RESPError, _ waiter: CommandQueue.Waiter?) {
        let ticket: PublishTicket? = if case .publish(let ticket) = waiter { ticket } else { nil }
        if error.isNotExecuted, ticket?.keeps ?? true {
            // Redis is of no use now, as if it were away.
            self.returned.append(.publish, encoded)
            ticket?.settle(.queued)
            self.probe.doubt(error, at: self.eventLoop.now)
        } else {
            self.settledCount += 1
            self.settledBytes += encoded.readableBytes
            self.refusedPublishes += 1
            self.lastRefusal = error
            ticket?.settle(.refused(error))
        }
        self.endIfReadOnly(error)
    }

    private func refusedKept(_ encoded: ByteBuffer, resends: Bool, _ error: RESPError, _ waiter: CommandQueue.Waiter) {
        guard case .kept(let completion) = waiter else { return }
        if error.isNotExecuted {
            self.returned.append(.kept(resends: resends, completion), encoded)
            self.probe.doubt(error, at: self.eventLoop.now)
        } else {
            self.settledCount += 1
            self.settledBytes += encoded.readableBytes
            self.refusedPublishes += 1
            self.lastRefusal = error
            completion(.refused(error))
        }
        self.endIfReadOnly(error)
    }

    /// Redis refuses writes, so it has become a replica.
    private func endIfReadOnly(_ error: RESPError) {
        guard error.hasServerCode("READONLY") else { return }
        self.keepReturned()
        self.subscriber.fail(error)
        self.commands.fail(error)
    }

    /// Keeps what Redis has not executed, in front of everything that came later.
    func keepReturned() {
        guard !self.returned.isEmpty else { return }
        let batch = self.returned
        self.returned = CommandQueue.Batch()
        // The gate closes first, because everything that comes from now on is younger.
        self.setGate(self.commands.isReady ? .restoring : .down)
        let now = self.eventLoop.now
        let held = self.shared.withLockedValue { shared in
            shared.queue.putBack(batch, at: now)
            return shared.queue.heldCount
        }
        self.metrics.queued.set(held)
        self.connectionsChanged()
    }

    // MARK: Books

    func dropped(_ count: Int, _ error: RESPError, _ reason: RESPMetrics.DropReason) {
        guard count > 0 else { return }
        self.metrics.droppedPublishes(count, reason)
        self.tellDropped(count, error, reason)
        let handler = self.shared.withLockedValue { shared in
            shared.droppedPublishes += count
            return shared.dropHandler
        }
        handler?(count, error)
    }

    /// A publish found the queue full.
    ///
    /// Its caller has been told.
    func refusedPublish(_ error: RESPError) {
        self.metrics.droppedPublishes(1, .queueFull)
        self.tellDropped(1, error, .queueFull)
    }

    /// Everything that was sent and not confirmed is lost.
    func lostPipeline(_ error: RESPError, _ reason: RESPMetrics.DropReason) {
        let lost = self.pipeline.disconnected(sendsAgain: reason == .unconfirmed)
        self.settledCount += lost.publishes
        self.settledBytes += lost.publishedBytes
        self.settle()
        let lossError = RESPError(
            code: error.code == .closed ? .closed : .disconnected,
            message: "\(error.message); the command may or may not have been executed"
        )
        for waiter in lost.tokens {
            switch waiter {
            case .command(let completion): completion(.failure(lossError))
            case .publish(let ticket): ticket.settle(.unconfirmed(lossError))
            case .kept(let completion): completion(.unconfirmed(lossError))
            }
        }
        self.sendAgain(lost.again)
        self.dropped(lost.publishes, lossError, reason)
        self.drained()
    }

    /// Keeps what may be executed twice, and whose owner wants that more than not at all.
    private func sendAgain(_ commands: [(waiter: CommandQueue.Waiter, encoded: ByteBuffer)]) {
        guard !commands.isEmpty else { return }
        var batch = CommandQueue.Batch()
        for (waiter, encoded) in commands {
            guard case .kept(let completion) = waiter else { continue }
            batch.append(.kept(resends: true, completion), encoded)
        }
        let now = self.eventLoop.now
        let held = self.shared.withLockedValue { shared in
            shared.queue.putBack(batch, at: now)
            return shared.queue.heldCount
        }
        self.metrics.queued.set(held)
    }

    func expirePipeline(at now: NIODeadline) {
        for waiter in self.pipeline.expire(at: now) {
            self.metrics.timeouts.increment()
            let error = RESPError(code: .timeout, message: "Redis did not reply in time")
            switch waiter {
            case .command(let completion): completion(.failure(error))
            case .publish(let ticket): ticket.settle(ticket.keeps ? .queued : .unconfirmed(error))
            // Has no deadline.
            case .kept: break
            }
        }
    }

    /// Drops what has been kept for too long.
    func expireKept(at now: NIODeadline) {
        guard now >= self.expiryCheckAt else { return }
        let (change, expiresAt) = self.shared.withLockedValue { shared in
            (shared.queue.expire(at: now), shared.queue.expiresAt)
        }
        self.expiryCheckAt = min(expiresAt, now + self.configuration.queue.maximumAge)
        let error = RESPError(code: .disconnected, message: "Redis was away for longer than anything is kept")
        for completion in change.refused { completion(.failure(error)) }
        for completion in change.droppedKept { completion(.dropped(error)) }
        self.dropped(change.droppedPublishes, error, .expired)
    }

    /// Counts what has been answered.
    func settle() {
        if self.settledCount > 0 {
            let (count, bytes) = (self.settledCount, self.settledBytes)
            self.settledCount = 0
            self.settledBytes = 0
            self.shared.withLockedValue { $0.queue.finished(count: count, bytes: bytes) }
        }
        if self.refusedPublishes > 0, let error = self.lastRefusal {
            let count = self.refusedPublishes
            self.refusedPublishes = 0
            self.dropped(count, error, .refused)
        }
    }
}
