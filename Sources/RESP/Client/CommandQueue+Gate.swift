import NIOCore

/// What becomes of what waits when a connection comes or goes.
extension CommandQueue {
    /// What has to be done after a change, outside of the lock.
    struct Change {
        var shouldDrain = false
        /// These have failed.
        var refused: [Completion] = []
        /// These are kept now, or refused.
        var kept: [PublishTicket] = []
        /// They are not sent any more.
        var droppedKept: [KeptCompletion] = []
        var droppedPublishes = 0
        /// These were kept before, and are on their way now.
        var releasedPublishes = 0
    }

    /// Drops what has been kept for too long.
    mutating func expire(at now: NIODeadline) -> Change {
        var change = Change()
        guard now >= self.expiresAt else { return change }
        let old = self.held.removeFirst(until: now - self.limits.maximumAge)
        change.droppedPublishes = old.publishes
        for (entry, length) in old.entries {
            if case .command(_, let completion) = entry { change.refused.append(completion) }
            if case .kept(_, let completion) = entry { change.droppedKept.append(completion) }
            self.finished(count: 1, bytes: length)
        }
        return change
    }

    mutating func setGate(_ gate: Gate, at now: NIODeadline) -> Change {
        var change = Change()
        self.gate = gate
        switch gate {
        case .open:
            guard self.held.count > 0 else { break }
            // Kept messages are older than those that were just handed over.
            let newer = self.outgoing
            self.outgoing = self.held.removeAll()
            change.releasedPublishes = self.outgoing.publishes
            self.outgoing.append(newer)
            change.shouldDrain = self.schedule()
        case .restoring:
            self.hold(at: now, refusingCommands: false, &change)
        case .down:
            self.hold(at: now, refusingCommands: true, &change)
        case .closed:
            var rest = self.held.removeAll()
            rest.append(self.outgoing)
            self.outgoing = Batch()
            change.droppedPublishes = rest.publishes
            for (entry, _) in rest.entries {
                switch entry {
                case .command(_, let completion): change.refused.append(completion)
                case .awaitedPublish(_, let ticket): change.kept.append(ticket)
                case .kept(_, let completion): change.droppedKept.append(completion)
                case .publish: break
                }
            }
            self.count = 0
            self.bytes = 0
        }
        return change
    }

    /// Nothing of this was written yet, so nothing is lost.
    ///
    /// Publishes wait.
    private mutating func hold(at now: NIODeadline, refusingCommands: Bool, _ change: inout Change) {
        guard !self.outgoing.isEmpty else { return }
        var unsent = self.outgoing
        self.outgoing = Batch()
        for (entry, length) in unsent.entries {
            guard let encoded = unsent.bytes.readSlice(length: length) else { continue }
            switch entry {
            case .publish, .kept:
                _ = self.held.append(entry, at: now) { $0.writeImmutableBuffer(encoded) }
            case .awaitedPublish(_, let ticket):
                change.kept.append(ticket)
                if ticket.keeps {
                    _ = self.held.append(.publish, at: now) { $0.writeImmutableBuffer(encoded) }
                } else {
                    self.finished(count: 1, bytes: length)
                }
            case .command(_, let completion):
                if refusingCommands {
                    change.refused.append(completion)
                    self.finished(count: 1, bytes: length)
                } else {
                    self.outgoing.append(entry, encoded)
                }
            }
        }
    }
}
