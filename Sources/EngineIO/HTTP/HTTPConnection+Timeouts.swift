import NIOCore

/// How long requests, their bodies and the time between two of them may take.
extension HTTPConnection: TimerTarget {
    func armTimer(_ amount: TimeAmount) {
        self.loop.timers.schedule(self, in: amount)
    }

    func timerFired(at now: NIODeadline) {
        switch self.state {
        case .idle, .closing:
            // The connection stays open while the last answer is still being sent and makes progress.
            let buffered = self.bufferedBytes
            if let refusal = self.refusal { return self.endFarewell(refusal) }
            guard buffered > 0, buffered != self.checkedBytes else { return self.closeNow() }
            self.checkedBytes = buffered
            self.armTimer(self.limits.requestTimeout)
        case .receiving, .draining, .receivingUpgrade:
            self.checks += 1
            guard self.requestBytes > self.checkedBytes, self.checks < Self.maxRequestTimeouts else {
                if case .draining = self.state { return self.closeNow() }
                return self.writeAndClose("408 Request Timeout")
            }
            self.checkedBytes = self.requestBytes
            self.armTimer(self.limits.requestTimeout)
        case .answering, .decidingUpgrade, .detached:
            break
        }
    }
}
