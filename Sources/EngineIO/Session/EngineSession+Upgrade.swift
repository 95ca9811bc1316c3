import NIOCore
import SocketIOWire

extension EngineSession {
    /// A WebSocket with this session's id opened.
    func received(probe handler: WebSocketHandler, isTextOnly: Bool) {
        guard self.state != .closed, case .polling(let polling) = self.link, polling.probe == nil,
            self.server.configuration.allowUpgrades
        else {
            self.server.metrics.upgradeEnded(.refused)
            handler.end(.handshake(nil))
            return
        }
        let deadline = self.timers.now + self.server.configuration.upgradeTimeout
        let probe = UpgradeProbe(
            session: self,
            handler: handler,
            deadline: deadline,
            checkInterval: self.server.configuration.probeCheckInterval,
            isTextOnly: isTextOnly
        )
        polling.probe = probe
        handler.begin(probe)
        self.timers.schedule(probe, at: deadline)
    }

    /// How often the session's own loop looks at its connections before a poll from another loop has its turn.
    ///
    /// A connection that has come from another loop needs two looks, because the first one reads a single byte.
    private static var probeTurns: Int { 4 }
    /// A loop runs everything that is due before it looks at its connections.
    ///
    /// So the next turn must not be due at once.
    private static var pauseBetweenProbeTurns: TimeAmount { .milliseconds(1) }

    /// Delays a poll that comes while a WebSocket may take over, if one of the two has come from another loop.
    ///
    /// The client may have sent the poll behind the packet that completes the upgrade, and this loop has not read that
    /// packet yet. With a single loop, what was sent first is read first.
    func letsProbeGoFirst(_ get: HTTPExchange, _ polling: PollingLink) -> Bool {
        guard let probe = polling.probe, polling.delayedGet == nil, probe.handler.hasMoved || !get.isOf(self.loop)
        else { return false }
        polling.delayedGet = get
        self.awaitProbe(of: polling, before: get, turns: Self.probeTurns)
        return true
    }

    private func awaitProbe(of polling: PollingLink, before get: HTTPExchange, turns: Int) {
        self.eventLoop.assumeIsolated().scheduleTask(in: Self.pauseBetweenProbeTurns) {
            guard polling.delayedGet === get else { return }
            guard turns <= 1 || polling.probe == nil else {
                return self.awaitProbe(of: polling, before: get, turns: turns - 1)
            }
            self.received(get)
            polling.delayedGet = nil
        }
    }

    /// Answers a waiting poll, so that the client can pause polling.
    func shortenPoll() {
        guard case .polling(let polling) = self.link, self.state == .open, self.outbox.isEmpty,
            let get = polling.requests.takeGet()
        else { return }
        get.answer(.payload(polling.answer([.noop])))
    }

    /// The probe does not become the session's transport.
    func probeEnded(_ probe: UpgradeProbe, _ result: EngineMetrics.UpgradeResult) {
        guard case .polling(let polling) = self.link, polling.probe === probe else { return }
        self.endProbe(of: polling, result)
    }

    func endProbe(of polling: PollingLink, _ result: EngineMetrics.UpgradeResult) {
        guard let probe = polling.probe else { return }
        polling.probe = nil
        self.timers.cancel(probe)
        self.server.metrics.upgradeEnded(result)
        if probe.end() { probe.handler.end(.handshake(nil)) }
    }

    /// The probe becomes the session's transport.
    func switchTransport(to probe: UpgradeProbe) {
        guard self.state != .closed, case .polling(let polling) = self.link, polling.probe === probe else { return }
        polling.probe = nil
        self.timers.cancel(probe)
        self.server.metrics.upgradeEnded(.completed)
        // Usually the client has paused polling. If not, its poll is over.
        if let get = polling.requests.takeGet() {
            get.answer(.payload(polling.answer([.close])))
        }
        polling.requests.takePost()?.destroy()
        // Nothing that comes over the WebSocket may overtake this body, even during a pause. It is at most one body.
        while self.deliverRest(of: polling, ignoresPause: true) {}
        polling.answerFinishedPost()
        // The body may have ended the session. The WebSocket does not belong to the session yet, so the session does
        // not end it.
        guard self.state != .closed else { return probe.handler.end(.handshake(nil)) }
        self.form = WebSocketForm(isVersion3: self.protocolVersion == 3, isTextOnly: probe.isTextOnly)
        self.link = .webSocket(probe.handler)
        probe.handler.begin(self)
        if self.isPaused { probe.handler.setReading(false) }
        if self.state == .open { self.delegate?.session(self, didChangeTransport: self.transport) }
        if self.state == .open, self.protocolVersion != 3, self.heartbeat.isAwaitingClient {
            // The ping may have gone with the last poll, or it goes over the WebSocket now. Its pong gets the full
            // time. (The reference implementation forgets the deadline here, and so it keeps a client that never
            // answers.)
            self.timers.schedule(self, in: self.server.configuration.pingTimeout)
        }
        self.flushOrFinish()
    }
}
