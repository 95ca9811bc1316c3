package import NIOCore
import SocketIOWire

extension EngineSession: TimerTarget {
    package func timerFired(at now: NIODeadline) {
        switch self.state {
        case .open:
            switch self.heartbeat.timerFired(isAlive: self.isAlive()) {
            case .sendPing:
                self.markProgress()
                self.enqueue(.ping)
                self.timers.schedule(self, at: now + self.server.configuration.pingTimeout)
            case .waitOn:
                self.markProgress()
                self.timers.schedule(self, at: now + self.server.configuration.pingTimeout)
            case .giveUp:
                self.terminate(.pingTimeout)
            }
        case .closing:
            self.terminate(.forcedClose, flushing: false)
        case .closed:
            break
        }
    }

    /// Whether bytes moved since the last deadline, though no pong came.
    private func isAlive() -> Bool {
        guard self.heartbeat.isAwaitingPong else { return true }
        // The pong cannot be read.
        if self.isPaused { return true }
        switch self.link {
        case .webSocket(let handler):
            // Only what had to wait shows that the peer takes bytes; what fits into the kernel's buffer shows nothing.
            return self.hasReceived
                || (self.drainedBytes >= 0 && self.handedBytes - handler.bufferedBytes > self.drainedBytes)
        case .polling(let polling):
            return polling.hasProgressed()
        }
    }

    private func markProgress() {
        self.hasReceived = false
        guard case .webSocket(let handler) = self.link else { return }
        let buffered = handler.bufferedBytes
        self.drainedBytes = buffered > 0 || self.outbox.bytes > 0 ? self.handedBytes - buffered : -1
    }
}
