import NIOCore

/// Who lives, while answers are awaited.
extension ClusterCore {
    /// Looks after the nodes again and again until nothing is awaited, one look for all that is: soon after something was
    /// asked, because a node that died just then is still counted, and less and less often after that.
    func lookSoon() {
        self.lookPause = .nanoseconds(self.context.configuration.livenessInterval.nanoseconds / 10)
        self.lookLater()
    }

    private func lookLater() {
        let deadline = self.context.now + self.lookPause
        if let next = self.nextLook, next.at <= deadline { return }
        guard !self.isClosed else { return }
        self.nextLook?.timer.cancel()
        let timer = self.context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.look() }
        self.nextLook = (deadline, timer)
        self.lookPause = min(self.lookPause + self.lookPause, self.context.configuration.livenessInterval)
    }

    /// Looks which nodes are alive, if something is awaited.
    func look() {
        self.nextLook?.timer.cancel()
        self.nextLook = nil
        guard !self.isClosed, !(self.questions.isIdle && self.acknowledgements.isIdle) else { return }
        self.counter.reliableCount { [self] count in
            if let roll = count.map({ self.counter.roll(of: $0) }) {
                let patience = self.context.configuration.livenessInterval
                self.changeAcknowledgements { $0.looked(roll, &$1) }
                self.change { $0.looked(roll, at: $1, patience: patience, &$2) }
            }
            self.lookLater()
        }
    }
}
