import Logging
import Metrics
import NIOConcurrencyHelpers
import NIOCore

/// What happens on the two connections.
extension ClientCore: RESPConnectionOwner {
    func connection(_ connection: RESPConnection, restoreWithProtocolVersion version: Int) {
        self.logger.debug(
            "Connected to Redis",
            metadata: ["redis.connection": "\(connection.role)", "redis.protocol": "\(version)"]
        )
        guard connection === self.subscriber else {
            self.question.connected(protocolVersion: version)
            return connection.restored()
        }
        self.table.protocolVersion = version
        self.isRestoring = true
        connection.write(self.table.restore())
        self.writeToSubscriber(self.table.restoreRosters())
        self.restoredIfConfirmed()
    }

    func restoredIfConfirmed() {
        guard self.isRestoring else { return }
        guard self.table.isRestored else { return self.subscriber.restoringGoesOn() }
        self.isRestoring = false
        self.subscriber.restored()
    }

    func connectionBecameReady(_ connection: RESPConnection) {
        if connection === self.subscriber {
            self.subscriberState = .ready
            self.tell(self.gaps.restored())
        }
        self.connectionsChanged()
    }

    func connection(_ connection: RESPConnection, received value: RESPValue) {
        if connection === self.subscriber {
            self.receivedOnSubscriber(value)
        } else {
            self.receivedReply(value)
        }
    }

    func connectionReadAll(_ connection: RESPConnection) {
        self.probe.progressed(at: self.eventLoop.now, isReply: connection === self.commands)
        guard connection === self.commands else { return }
        self.settle()
        self.keepReturned()
        if self.pipeline.count == 0 { self.drained() }
    }

    func keepAliveQuestion(of connection: RESPConnection) -> [String] {
        guard connection === self.commands else {
            self.table.sentPing()
            return ["PING"]
        }
        self.countPeers()
        self.pipeline.sentQuestion()
        return self.question.words
    }

    func isExcused(_ connection: RESPConnection, at now: NIODeadline) -> Bool {
        // A paused Redis still answers commands that write nothing. If both connections are silent, it is frozen or cut
        // off.
        guard connection === self.commands, let heard = self.subscriber.lastHeard else { return false }
        return now - heard < .nanoseconds(self.configuration.keepAliveInterval.nanoseconds / 2 * 3)
    }

    func wakeAt(of connection: RESPConnection) -> NIODeadline {
        guard connection === self.commands, !self.isClosed else { return .distantFuture }
        return min(self.pipeline.wakeAt, self.probe.wakeAt, min(self.peers.wakeAt, self.expiryCheckAt))
    }

    func connectionTimerFired(_ connection: RESPConnection, at now: NIODeadline) {
        guard connection === self.commands, !self.isClosed else { return }
        self.expirePipeline(at: now)
        self.expireKept(at: now)
        if self.peers.timerFired(at: now) { self.countPeers() }
        self.handle(self.probe.timerFired(at: now))
    }

    func connection(_ connection: RESPConnection, lost error: RESPError, wasReady: Bool, retryIn pause: TimeAmount?) {
        guard !self.isClosed else { return self.finishClosing() }
        // This is told last, so that those who hear of it find the new state.
        var unconfirmed: [EventLoopPromise<Void>] = []
        var unheard: [RESPRoster.Heard] = []
        defer {
            for promise in unconfirmed { promise.fail(error) }
            for heard in unheard { heard(.failure(error)) }
        }
        self.keepReturned()
        self.probe.stop()
        self.peers.interrupted()
        if connection === self.subscriber {
            self.isRestoring = false
            self.watch.isSubscribed = false
            unconfirmed = self.table.disconnected().compactMap { self.waitingForConfirmation.removeValue(forKey: $0) }
            unheard = self.takeNameWaiters()
            self.subscriberState = .lost
            if wasReady { self.tell(self.gaps.disconnected(error)) }
            self.metrics.subscriberReconnects.increment()
        } else {
            // What is lost now counts for the outage that begins.
            if pause != nil, self.shared.withLockedValue({ $0.state }) != .connecting {
                self.outageGoesOn(error, since: self.eventLoop.now)
            }
            // Callers get their replies first. Nobody may see the gate closed while a command is still pending.
            self.setGate(.down)
            self.lostPipeline(error, .unconfirmed)
            if pause != nil { self.metrics.commandReconnects.increment() }
        }
        guard let pause else {
            // The very first attempt has failed. The caller that started the client decides what happens next.
            self.update(.idle)
            let startError = RESPError.start(error, self.configuration)
            for promise in self.waitingForConnection { promise.fail(startError) }
            self.waitingForConnection = []
            return
        }
        self.logger.debug(
            wasReady ? "Lost a connection to Redis" : "Could not connect to Redis",
            metadata: [
                "redis.connection": "\(connection.role)", "error": "\(error.brief)",
                "retry.milliseconds": "\(pause.nanoseconds / 1_000_000)",
            ]
        )
        if case .connecting = self.shared.withLockedValue({ $0.state }) { return }
        self.update(.disconnected(error))
        self.failWatchers(error)
        self.connectionsChanged()
    }
}
