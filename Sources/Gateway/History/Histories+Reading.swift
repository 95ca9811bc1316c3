import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOWire

/// What programs read that are no sockets.
extension Histories {
    /// The events behind a position, or the last ones.
    ///
    /// If there are none, it waits for one.
    ///
    /// - Returns: The events; `nil` if there is no history.
    /// - Throws: `ClusterError` if the history can't be read now.
    func page(
        of key: HistoryKey,
        since: HistoryPosition?,
        limit: Int,
        wait: TimeAmount,
        _ reader: HistoryReader
    ) async throws -> HistoryPage? {
        // Before the first look, so that nothing comes in between.
        let poll = wait > .zero ? self.beginPoll(key) : nil
        defer { if let poll { self.endPoll(key, poll.id) } }
        guard let first = try await self.read(key, since, limit, reader) else { return nil }
        guard let poll, first.events.isEmpty, first.loss == nil, first.position == (since ?? first.position) else {
            return first
        }
        let loop = self.context.main.eventLoop
        let timer = loop.scheduleTask(in: min(wait, IO.longestHistoryWait)) { self.endPoll(key, poll.id) }
        try? await poll.promise.futureResult.get()
        timer.cancel()
        return try await self.read(key, since ?? first.position, limit, reader)
    }

    private func read(
        _ key: HistoryKey,
        _ since: HistoryPosition?,
        _ limit: Int,
        _ reader: HistoryReader
    ) async throws -> HistoryPage? {
        let rules = self.context.rules.value
        guard let stream = rules.stream(of: key) else { return nil }
        let question = HistoryQuestion(stream, since: since, extent: .page, limit: limit)
        let answer = try await self.context.sharing.history.read(question)
        guard let events = self.view(rules).events(of: answer, for: reader) else {
            return HistoryPage(position: answer.position, events: [], hasMore: false, loss: .epoch)
        }
        var position = answer.position
        if answer.hasMore, let last = answer.events.last { position.offset = last.offset }
        return HistoryPage(position: position, events: events, hasMore: answer.hasMore, loss: answer.loss)
    }

    // MARK: Waiting

    private func beginPoll(_ key: HistoryKey) -> (id: Int, promise: EventLoopPromise<Void>) {
        let promise = self.context.main.eventLoop.makePromise(of: Void.self)
        let id = self.state.withLockedValue { state in
            state.nextPoll += 1
            state.polls[key, default: [:]][state.nextPoll] = promise
            return state.nextPoll
        }
        return (id, promise)
    }

    /// Nobody waits any more.
    private func endPoll(_ key: HistoryKey, _ id: Int) {
        let promise = self.state.withLockedValue { state in
            let promise = state.polls[key]?.removeValue(forKey: id)
            if state.polls[key]?.isEmpty ?? false { state.polls[key] = nil }
            return promise
        }
        promise?.succeed()
    }
}
