package import NIOCore
import SocketIOWire

extension EngineSession: TimerTarget {
    /// Waits until the heartbeat's next step: to send a ping, or to miss the client's.
    func awaitNextPing() {
        let configuration = self.server.configuration
        // In protocol 3 the client sends the pings, and has the same total time.
        let wait =
            self.protocolVersion == 3
            ? configuration.pingInterval + configuration.pingTimeout : configuration.pingInterval
        self.timers.schedule(self, in: self.inTime(wait))
    }

    /// A wait that may end up to one timer resolution early, and never late.
    ///
    /// The client counts interval and timeout, too. If the session is over for the client, it must not be open here.
    private func inTime(_ wait: TimeAmount) -> TimeAmount { wait - self.timers.resolution }

    /// How long the client may take for its pong.
    ///
    /// It counts from its last ping, and knows nothing of a loop that is late. But if that was late by much, the client
    /// gets time to answer.
    private func pongTime(at now: NIODeadline) -> TimeAmount {
        let time = self.inTime(self.server.configuration.pingTimeout)
        return max(time - self.timers.lateness(of: self, at: now), .nanoseconds(time.nanoseconds / 2))
    }

    package func timerFired(at now: NIODeadline) {
        switch self.state {
        case .open:
            switch self.heartbeat.timerFired(self.signsOfLife()) {
            case .sendPing:
                self.markProgress()
                self.enqueue(.ping)
                self.timers.schedule(self, at: now + self.pongTime(at: now))
            case .waitOn:
                self.markProgress()
                self.timers.schedule(self, at: now + self.server.configuration.pingTimeout)
            case .giveUp:
                self.terminate(.pingTimeout)
            }
        case .closing:
            self.terminate(.forcedClose, flushing: false)
        case .closed:
            self.endLingering()
        }
    }

    /// The signs of life of the client since the last deadline, if no pong has come.
    private func signsOfLife() -> Heartbeat.Signs {
        guard self.heartbeat.isAwaitingClient else { return .none }
        // The pong cannot be read.
        if self.isPaused { return .unheard }
        switch self.link {
        case .webSocket(let handler):
            // Only bytes that had to wait show that the peer reads. Bytes that fit into the kernel's buffer show
            // nothing.
            if self.progress.hasTaken(buffered: handler.bufferedBytes) { return .taking }
            return self.hasReceived ? .sending : .none
        case .polling(let polling):
            return polling.hasProgressed() ? .taking : .none
        }
    }

    private func markProgress() {
        self.hasReceived = false
        guard case .webSocket(let handler) = self.link else { return }
        let buffered = handler.bufferedBytes
        if buffered > 0 || self.outbox.bytes > 0 {
            self.progress.watch(buffered: buffered)
        } else {
            self.progress.stopWatching()
        }
    }
}
