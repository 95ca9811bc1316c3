import CoreMetrics
import Incidents
import Logging
import NIOCore

/// The watchers that want continuous proof that messages arrive.
struct LinkWatchers {
    /// The subscription of the probe, and its channel.
    var probe: (id: Int, channel: String)?
    /// Whether Redis has confirmed that subscription on the current connection.
    var isSubscribed = false
    var count = 0
    /// The callers that wait for the first proof.
    var waiting: [Int: EventLoopPromise<Void>] = [:]
}

/// The health of the link: proofs, other nodes, outages.
extension ClientCore {
    // MARK: Watching

    /// Proves from now on that messages arrive, and counts the subscribers of a channel.
    ///
    /// - Parameters:
    ///   - id: The id of this watcher.
    ///   - probeChannel: A channel that only this client uses. The probes go there, unless there are probes already.
    ///   - peerChannel: A channel that every other client of the kind subscribes to.
    ///   - proof: Completed with the first proof.
    func watchLink(_ id: Int, probeChannel: String, peerChannel: String, proof: EventLoopPromise<Void>) {
        guard !self.isClosed else { return proof.fail(CommandQueue.closedError) }
        self.watch.count += 1
        self.peers.add(peerChannel)
        if self.watch.probe == nil {
            self.watch.probe = (id, probeChannel)
            let commands = self.table.add(
                id,
                patterns: [],
                channels: [probeChannel],
                handler: .probe,
                isConnected: self.subscriber.isConnected
            )
            self.startSubscriber()
            self.subscriber.write(commands)
            self.watch.isSubscribed = false
            self.probe.require(true)
        }
        guard self.probe.verdict != .proven else {
            self.countPeers()
            return proof.succeed()
        }
        self.watch.waiting[id] = proof
        // Nobody waits for ever, whatever happens to the connections.
        _ = self.eventLoop.assumeIsolated().scheduleTask(in: self.configuration.connectTimeout) { [weak self] in
            self?.watch.waiting.removeValue(forKey: id)?.fail(
                RESPError(code: .timeout, message: "a message that was published did not come back in time")
            )
        }
        self.connectionsChanged()
    }

    func unwatchLink(_ id: Int, peerChannel: String) {
        self.watch.waiting.removeValue(forKey: id)?.fail(CommandQueue.closedError)
        self.peers.remove(peerChannel)
        self.watch.count -= 1
        guard self.watch.count == 0, let probe = self.watch.probe else { return }
        self.watch.probe = nil
        self.probe.require(false)
        self.subscriber.write(self.table.remove(probe.id, isConnected: self.subscriber.isConnected))
        self.restoredIfConfirmed()
        self.connectionsChanged()
    }

    func satisfyWatchers() {
        guard !self.watch.waiting.isEmpty else { return }
        for proof in self.watch.waiting.values { proof.succeed() }
        self.watch.waiting = [:]
        self.countPeers()
    }

    func failWatchers(_ error: RESPError) {
        for proof in self.watch.waiting.values { proof.fail(error) }
        self.watch.waiting = [:]
    }

    // MARK: Probing

    func returnedProbe(_ message: RESPMessage) {
        let number = Int(String(buffer: message.payload))
        if let time = self.probe.roundTrip(of: number, at: self.eventLoop.now) {
            self.metrics.loopback.recordNanoseconds(time.nanoseconds)
        }
        self.handle(self.probe.returned(number, at: self.eventLoop.now))
    }

    func handle(_ action: LinkProbe.Action) {
        switch action {
        case .none: break
        case .send(let number):
            self.pipeline.sentProbe(number)
            self.commands.write([self.watch.probe.map { ["PUBLISH", $0.channel, "\(number)"] } ?? ["PING"]])
            return
        case .failed: break
        case .reconnect(let error):
            self.subscriber.fail(error)
            self.commands.fail(error)
        }
        self.connectionsChanged()
    }

    /// Only probes are sent.
    func linkIsOfNoUse() {
        self.setGate(.restoring)
        guard case .failed(let error) = self.probe.verdict else { return }
        self.peers.interrupted()
        self.update(.disconnected(error), since: self.probe.provenAt)
        self.failWatchers(error)
    }

    // MARK: Other nodes

    func countPeers() {
        let names = self.peers.names
        guard !names.isEmpty, self.commands.isReady else { return }
        self.pipeline.sentCount(self.peers.version)
        self.commands.write([["PUBSUB", self.peerCount] + names])
    }

    func counted(_ reply: RESPValue, version: Int) {
        switch self.peers.counted(reply, version: version, at: self.eventLoop.now) {
        case .none: break
        case .resume(let missing):
            self.missingPeers = missing
            self.connectionsChanged()
        }
    }

    // MARK: Telling

    func outageGoesOn(_ error: RESPError, since: NIODeadline) {
        guard self.outage != nil else {
            self.outage = Outage(since: since, heardAllBefore: self.probe.heardAllBefore, reason: error)
            self.logger.warning(
                "Redis is out of reach; what is published is kept for it",
                metadata: ["error": "\(error.brief)"]
            )
            return
        }
        if self.outage?.goesOn(error) == true {
            self.logger.info("Redis is still out of reach", metadata: ["error": "\(error.brief)"])
        }
    }

    /// - Parameters:
    ///   - now: When it ends.
    ///   - isBack: `false` if it ends with the client, and Redis is still away.
    func endOutage(at now: NIODeadline, isBack: Bool = true) {
        guard let outage = self.outage else { return }
        self.outage = nil
        let summary = outage.summary(
            end: now,
            missing: self.missingPeers,
            hasSubscriptions: self.subscriberState != .unused
        )
        self.missingPeers = 0
        self.logger.notice(
            isBack ? "Redis is back" : "The client of Redis was closed before Redis was back",
            metadata: Dictionary(uniqueKeysWithValues: summary.map { ($0.key, "\($0.value)") })
        )
    }

    func tellDropped(_ count: Int, _ error: RESPError, _ reason: RESPMetrics.DropReason) {
        if self.outage != nil {
            self.outage?.dropped(count, reason)
            switch reason {
            // The line about the outage's end tells it.
            case .unconfirmed, .refused, .closed: return
            // The line about its beginning has said that things are kept.
            case .queueFull, .expired: break
            }
        }
        self.incidents.record(
            "Dropped publishes",
            reason: reason.rawValue,
            count: count,
            details: ["error": "\(error.brief)"]
        )
    }
}
