import Incidents
import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOWire

/// Updates that wait for later ones of the same entry.
extension EventPublisher {
    /// Holds an update until the time of its content type is over, or until another event about the type is sent.
    ///
    /// - Parameters:
    ///   - update: The update.
    ///   - onlyHere: Whether every node does so, and sends it to its own sockets only.
    /// - Returns: What there is to say about it now.
    func hold(_ update: CoalescibleUpdate, onlyHere: Bool) -> EmitReport {
        let known = self.subscriptions.completed(update.identity)
        // The first id field that has an id, so that events which name different ids of an entry meet.
        let id = update.type.idFields.lazy.compactMap { field in known.ids.first { $0.field == UTF8Text(field) } }.first
        let uid = update.type.uid
        switch self.held.withLockedValue({ $0.hold(update.event, of: id ?? known.ids[0], onlyHere: onlyHere) }) {
        case .begins: self.deadlines.set(UTF8Text(uid), after: TimeAmount(update.type.coalescing))
        case .holds: break
        case .isFull: self.sendHeld(uid: uid)
        }
        let report = EmitReport(.coalesced, event: update.name)
        self.note(report)
        return report
    }

    /// Sends the updates of a type that are held, before another event about that type is sent: a delete must not
    /// overtake the update before it.
    func sendHeld(before event: LifecycleEvent) {
        guard self.context.rules.value.content.coalesces else { return }
        self.sendHeld(uid: event.schema.uid)
    }

    /// Sends the updates of a type that are held.
    func sendHeld(uid: String) {
        // Whoever finds nothing may not go on before those who have just taken it have sent it.
        self.sendingHeld.withLock {
            for group in self.held.withLockedValue({ $0.take(uid: uid) }) { self.send(group) }
        }
    }

    /// Sends all updates that are held.
    func sendAllHeld() {
        self.sendingHeld.withLock {
            for group in self.held.withLockedValue({ $0.takeAll() }) { self.send(group) }
        }
    }

    private func send(_ group: HeldUpdates.Group) {
        guard let first = group.events.first else { return }
        do {
            let schema = self.context.rules.value.content.schema
            guard group.events.count > 1, schema.contentType(first.schema.uid)?.sendsBulk == true else {
                for event in group.events { try self.send(self.plan(event, onlyHere: group.onlyHere), group) }
                return
            }
            for event in group.events { self.subscriptions.learn(from: event, onlyHere: group.onlyHere) }
            let plan = try self.context.rules.value.bulkPlan(
                group.events,
                now: self.context.now(),
                completing: self.subscriptions.completed
            )
            self.send(plan, group)
        } catch {
            // The rules have changed meanwhile, so that the type or its name is no longer there.
            self.context.incidents.record(
                "Updates that were held could not be sent",
                reason: "coalescing",
                count: group.events.count,
                pace: .failures,
                details: ["type": "\(boundedText(first.schema.uid))", "error": "\(error)"]
            )
        }
    }

    private func send(_ plan: EventPlan, _ group: HeldUpdates.Group) {
        self.send(self.publication(of: plan, onlyHere: group.onlyHere))
        self.note(plan.report)
    }
}
