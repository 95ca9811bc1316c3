import NIOCore

extension NamespaceRecovery {
    /// Forgets the oldest of one kind, because all namespaces together keep too much, and this one keeps most of it.
    func forgetOldest(_ kind: RecoveryBudget.Kind) {
        self.withCountedState { state in
            let ticket = state.sessions.longestAway
            switch kind {
            case .events: state.log.forgetOldest()
            case .sessions: if let ticket { state.sessions.forget(ticket) }
            case .bytes:
                if let ticket, let since = ticket.suspendedAt, state.log.oldest.map({ since < $0 }) ?? true {
                    state.sessions.forget(ticket)
                } else {
                    state.log.forgetOldest()
                }
            }
        }
    }

    /// Forgets what is too old.
    func sweep(_ state: inout State, at now: NIODeadline) {
        let duration = self.settings.maxDisconnectionDuration
        while let oldest = state.log.oldest, oldest + duration < now { state.log.forgetOldest() }
        while let ticket = state.sessions.longestAway, let since = ticket.suspendedAt, since + duration < now {
            state.sessions.forget(ticket)
        }
    }

    /// Schedules that old events and clients are forgotten even if nothing happens any more.
    func scheduleSweep(_ state: inout State) {
        guard !state.isSweepScheduled, !state.isClosed else { return }
        state.isSweepScheduled = true
        let pause = TimeAmount.nanoseconds(self.settings.maxDisconnectionDuration.nanoseconds / 2) + .seconds(1)
        self.shards[0].eventLoop.scheduleTask(in: pause) { [weak self] in self?.sweep() ?? () }
    }

    private func sweep() {
        let now = self.now
        let isAwaited = self.withState { state in
            state.isSweepScheduled = false
            self.sweep(&state, at: now)
            if state.sessions.awayCount > 0 || !state.log.isEmpty { self.scheduleSweep(&state) }
            return state.sessions.awayCount > 0
        }
        // A namespace that clients asked for may have been kept only for clients that were away.
        if !isAwaited { self.isAwaitedNoLonger(self) }
    }

    /// Forgets everything, because the namespace is over.
    func close() {
        self.withState { state in
            state.isClosed = true
            state.log.forgetAll()
            state.sessions.forgetAll()
        }
    }
}
