import NIOCore

/// The end.
extension ClientCore {
    /// Sends what is waiting, waits a moment for replies, then closes.
    func close(_ promise: EventLoopPromise<Void>) {
        guard !self.isClosed else { return promise.succeed() }
        self.isClosed = true
        if self.commands.isReady { self.drain() }
        guard self.commands.isReady, self.pipeline.count > 0 else {
            self.finishClosing()
            return promise.succeed()
        }
        let drained = self.eventLoop.makePromise(of: Void.self)
        self.whenDrained = drained
        drained.futureResult.assumeIsolated().whenComplete { _ in
            self.finishClosing()
            promise.succeed()
        }
        _ = self.eventLoop.assumeIsolated().scheduleTask(in: min(.seconds(1), self.configuration.commandTimeout)) {
            self.drained()
        }
    }

    func drained() {
        self.whenDrained?.succeed()
        self.whenDrained = nil
    }

    /// Closes at once.
    ///
    /// Nobody will ask again.
    func finishClosing() {
        self.isClosed = true
        self.commands.close()
        self.subscriber.close()
        for reader in self.readers.values { reader.close() }
        self.readers = [:]
        self.lostPipeline(CommandQueue.closedError, .closed)
        for (entry, _) in self.returned.entries {
            if case .kept(_, let completion) = entry { completion(.dropped(CommandQueue.closedError)) }
        }
        self.dropped(self.returned.publishes, CommandQueue.closedError, .closed)
        self.returned = CommandQueue.Batch()
        self.setGate(.closed)
        self.endOutage(at: self.eventLoop.now, isBack: false)
        for promise in self.waitingForConnection { promise.fail(CommandQueue.closedError) }
        self.waitingForConnection = []
        for promise in self.waitingForConfirmation.values { promise.fail(CommandQueue.closedError) }
        self.waitingForConfirmation = [:]
        let waiters = self.takeNameWaiters()
        self.nameWaiters = [:]
        self.failWatchers(CommandQueue.closedError)
        self.update(.closed)
        for heard in waiters { heard(.failure(CommandQueue.closedError)) }
    }
}
