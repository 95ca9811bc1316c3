import CoreMetrics
import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOWire

/// How questions, and those who wait, come to an end.
extension Questions {
    /// Ends a question, if it is still open.
    func finish(_ id: UTF8Text, _ result: (AnswerCollection) -> Result<Answers, any Error>) {
        let (open, waiters) = self.state.withLockedValue { state -> (Open?, [Waiter]) in
            guard let open = state.open.removeValue(forKey: id) else { return (nil, []) }
            return (open, open.waiters.compactMap { state.waiters.removeValue(forKey: $0) })
        }
        guard let open else { return }
        open.grace?.cancel()
        self.budget.give(open.bytes)
        if !waiters.isEmpty { self.resume(waiters, with: result(open.collection)) }
        self.ended(open.inquiry)
    }

    /// A question is over: the next one of the same need not wait any longer.
    func ended(_ inquiry: Inquiry) {
        let now = self.core.eventLoop.now
        let (timer, next) = self.state.withLockedValue { state -> (Scheduled<Void>?, Start) in
            guard var group = state.groups[inquiry] else { return (nil, .withOthers) }
            group.underWay -= 1
            var timer: Scheduled<Void>?
            if group.underWay == 0, inquiry != .search {
                timer = group.start
                group.start = nil
            }
            // When the last search began has to be known for the next one.
            state.groups[inquiry] = group.isIdle && inquiry != .search ? nil : group
            return (timer, self.start(inquiry, &state, at: now))
        }
        timer?.cancel()
        self.follow(next, inquiry)
    }

    func timedOut(_ id: Int) {
        guard let (waiter, collection) = self.leave(id) else { return }
        self.core.metrics.timeouts.increment()
        var message = "timeout reached while waiting for \(waiter.inquiry.name) response"
        if let collection {
            message += ": only \(collection.received) responses received out of \(collection.expected)"
        } else {
            message += ": the nodes were not asked yet"
        }
        var error = ClusterError(code: .timeout, message: message)
        error.partialSockets = collection?.answers.sockets ?? []
        error.partialResponses = collection?.answers.values ?? []
        waiter.continuation.resume(throwing: error)
    }

    func cancel(_ id: Int) {
        guard let (waiter, _) = self.leave(id) else { return }
        waiter.timer.cancel()
        waiter.continuation.resume(throwing: CancellationError())
    }

    /// Somebody waits no longer; a question that nobody waits for ends.
    func leave(_ id: Int) -> (Waiter, AnswerCollection?)? {
        guard let (waiter, collection) = self.state.withLockedValue({ $0.remove(id) }) else { return nil }
        if let question = waiter.question,
            self.state.withLockedValue({ $0.open[question]?.waiters.isEmpty ?? false })
        {
            self.finish(question) { .success($0.answers) }
        }
        return (waiter, collection)
    }

    func resume(_ waiters: [Waiter], with result: Result<Answers, any Error>) {
        for waiter in waiters {
            waiter.timer.cancel()
            waiter.continuation.resume(with: result)
        }
    }

    /// Ends everything.
    func close() {
        let (waiters, open, timers) = self.state.withLockedValue { state in
            state.isClosed = true
            let ended = (
                Array(state.waiters.values), Array(state.open.values), state.groups.values.compactMap(\.start)
            )
            state.waiters = [:]
            state.open = [:]
            state.groups = [:]
            return ended
        }
        for timer in timers { timer.cancel() }
        for open in open {
            open.grace?.cancel()
            self.budget.give(open.bytes)
        }
        self.resume(waiters, with: .failure(self.core.closedError))
    }
}
