import Incidents
import Logging
import NIOConcurrencyHelpers
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// Works out what the verbs of back ends send, and sends it.
final class EventPublisher: Sendable {
    let context: GatewayContext
    let subscriptions: Subscriptions
    let histories: Histories
    /// Shows entries to those who see them while they are edited.
    let preview: LivePreview
    let eventIDs: EventIDMemory
    /// The updates that wait for later ones.
    let held = NIOLockedValueBox(HeldUpdates())
    /// Keeps the order of those who send what was held.
    let sendingHeld = NIOLock()
    /// When the time of a content type is over, by its uid.
    let deadlines: DeadlineTimer<UTF8Text>

    init(_ context: GatewayContext, subscriptions: Subscriptions, histories: Histories, preview: LivePreview) {
        self.preview = preview
        self.context = context
        self.subscriptions = subscriptions
        self.histories = histories
        self.eventIDs = EventIDMemory(capacity: context.configuration.events.rememberedEventIDs)
        let callback = NIOLockedValueBox<(@Sendable (UTF8Text) -> Void)?>(nil)
        self.deadlines = DeadlineTimer(eventLoop: context.main.eventLoop) { uid in
            callback.withLockedValue { $0 }?(uid)
        }
        callback.withLockedValue { box in
            box = { [weak self] uid in
                // To prepare many updates takes a while, in which the loop has other things to do.
                Task { [weak self] in self?.sendHeld(uid: uid.string) }
            }
        }
    }

    /// Listens to the other processes of the cluster.
    func register() {
        self.registerLifecycleEvents()
        self.registerReceipts()
    }

    // MARK: Events of content types

    /// Works out what to send for an event, and sends it.
    ///
    /// If every node does so, each sends only to its own sockets.
    @discardableResult
    func emit(_ event: LifecycleEvent, onlyHere: Bool) throws(GatewayError) -> EmitReport {
        if let update = try self.context.rules.value.content.coalescible(event) {
            if let id = event.eventID, !self.eventIDs.insert(EventIDMemory.Key(id, scope: [])) {
                let report = EmitReport(.repeated, event: update.name)
                self.note(report)
                return report
            }
            return self.hold(update, onlyHere: onlyHere)
        }
        self.sendHeld(before: event)
        var plan = try self.plan(event, onlyHere: onlyHere)
        if let id = event.eventID, !plan.variants.isEmpty {
            let isNew = self.eventIDs.insert(EventIDMemory.Key(id, scope: []))
            if !isNew { plan = EventPlan(report: EmitReport(.repeated, event: plan.report.event)) }
        }
        self.send(self.publication(of: plan, and: event, onlyHere: onlyHere))
        self.note(plan.report)
        return plan.report
    }

    /// Works out what to send for an event.
    func plan(_ event: LifecycleEvent, onlyHere: Bool) throws(GatewayError) -> EventPlan {
        self.subscriptions.learn(from: event, onlyHere: onlyHere)
        return try self.context.rules.value.plan(
            event,
            now: self.context.now(),
            completing: self.subscriptions.completed
        )
    }

    /// What to send, to those who preview the entry, too.
    func publication(of plan: EventPlan, and event: LifecycleEvent, onlyHere: Bool) -> Publication {
        var publication = self.publication(of: plan, onlyHere: onlyHere)
        // Those who preview drafts see them, even if drafts cause no events.
        if plan.report.outcome != .repeated {
            publication.append(self.preview.publication(of: event, onlyHere: onlyHere))
        }
        return publication
    }

    func publication(of plan: EventPlan, onlyHere: Bool) -> Publication {
        var publication = Publication()
        let records = plan.kept.map { HistoryRecord($0, isEveryNodes: onlyHere) }
        if !plan.variants.isEmpty { publication.records = records }
        for variant in plan.variants {
            // Followers of a history get the event from there.
            let followers = variant.kept.map { records[$0].followersRooms } ?? []
            for delivery in variant.deliveries {
                var target = self.context.main.to(delivery.rooms)
                let except = delivery.except + followers
                if !except.isEmpty { target = target.except(except) }
                if onlyHere { target = target.local }
                publication.emit(variant.event, variant.argument, to: target, in: self.context.main)
            }
        }
        return publication
    }

    /// Counts and logs what became of an event.
    func note(_ report: EmitReport) {
        self.context.metrics.event(report)
        self.context.journal.record(
            .emit,
            [
                "event": .string(report.event), "outcome": .string(report.outcome.rawValue),
                "audiences": .int(report.audiences),
            ]
        )
        if !report.failures.isEmpty {
            self.context.incidents.record(
                "Events could not be made fit for everybody who may receive them",
                reason: "sanitiser",
                count: report.failures.count,
                pace: .failures,
                details: ["sio.event": "\(report.event)", "error": "\(report.failures[0])"]
            )
        }
    }

    // MARK: Events from other processes

    /// The server-side event with which a process of the cluster reports lifecycle events.
    private static let lifecycleEvent = "io:emit"

    /// Every node hears of the event and sends it to its own sockets.
    ///
    /// So each socket gets it once, and nothing is published a second time.
    func registerLifecycleEvents() {
        self.context.main.onServerSide(Self.lifecycleEvent) { arguments, reply in
            let answer = self.handleLifecycleEvent(arguments.first ?? .null)
            reply?(answer)
        }
    }

    private func handleLifecycleEvent(_ value: JSONValue) -> JSONValue {
        do {
            let report = try self.emit(LifecycleEvent(value), onlyHere: true)
            return ["success": true, "event": .string(report.event), "outcome": .string(report.outcome.rawValue)]
        } catch {
            self.context.metrics.malformedEvent()
            self.context.incidents.record(
                "Lifecycle events from other processes were dropped",
                reason: "malformed",
                pace: .failures,
                details: ["error": "\(error)"]
            )
            return ["success": false, "error": .string("\(error)")]
        }
    }
}
