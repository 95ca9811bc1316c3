import Incidents
import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOWire

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Sends a webhook its events, as its ``WebhookOutbox`` says.
final class WebhookSender: Sendable {
    typealias Outbox = WebhookOutbox<SocketKey, WebhookEvent>

    private struct State {
        var webhook: Webhook
        var target: (url: OutgoingURL, signer: WebhookSigner)
        var outbox: Outbox
        var timer: Scheduled<Void>?
        var timerDeadline: NIODeadline?
        /// Whether the outbox is asked at the end of the turn anyway.
        var isWoken = false
        var idleWaiters: [CheckedContinuation<Void, Never>] = []
    }

    let name: String
    private let state: NIOLockedValueBox<State>
    private let http: any OutgoingHTTP
    private let eventLoop: any EventLoop
    private let metrics: WebhookMetrics
    private let gauges: WebhookGauges
    private let incidents: IncidentLog
    private let now: @Sendable () -> Double
    /// Makes the ids of this sender's requests different from those of all others.
    private let idPrefix: String

    /// A sender; `nil` if the webhook's URL or secret is none.
    init?(
        _ webhook: Webhook,
        http: any OutgoingHTTP,
        eventLoop: any EventLoop,
        metrics: WebhookMetrics,
        incidents: IncidentLog,
        now: @escaping @Sendable () -> Double
    ) {
        guard let target = Self.target(webhook) else { return nil }
        self.name = webhook.name
        self.state = NIOLockedValueBox(State(webhook: webhook, target: target, outbox: Outbox(.init(webhook))))
        self.http = http
        self.eventLoop = eventLoop
        self.metrics = metrics
        self.gauges = metrics.gauges(of: webhook.name)
        self.incidents = incidents
        self.now = now
        self.idPrefix = "msg_\(String(UInt64.random(in: .min ... .max), radix: 36))"
    }

    private static func target(_ webhook: Webhook) -> (url: OutgoingURL, signer: WebhookSigner)? {
        let secrets = [webhook.secret] + (webhook.previousSecret.map { [$0] } ?? [])
        guard let url = OutgoingURL(webhook.url), let signer = WebhookSigner(secrets: secrets) else { return nil }
        return (url, signer)
    }

    /// Goes by another configuration from the next request on.
    func reconfigure(_ webhook: Webhook) {
        guard let target = Self.target(webhook) else { return }
        self.state.withLockedValue { state in
            state.webhook = webhook
            state.target = target
            state.outbox.settings = .init(webhook)
        }
        self.wake()
    }

    // MARK: Events

    /// Takes an event of a client, and tells once what became of it.
    ///
    /// - Parameters:
    ///   - type: The event's name.
    ///   - data: What the webhook is told.
    ///   - socket: Whose event it is; its events stay in their order.
    ///   - isAwaited: Whether somebody waits for the answer.
    ///   - completion: Called once, on any thread.
    func send(
        _ type: String,
        _ data: JSONValue,
        of socket: Socket,
        isAwaited: Bool,
        completion: @escaping @Sendable (WebhookEvent.Answer) -> Void
    ) {
        var body = ByteBuffer()
        body.writeJSON(["type": .string(type), "timestamp": .string(self.timestamp), "data": data])
        let event = WebhookEvent(
            id: "\(self.idPrefix)_\(String(UInt64.random(in: .min ... .max), radix: 36))",
            body: body,
            completion: completion
        )
        let bytes = body.readableBytes
        let now = self.eventLoop.now
        let refusal = self.state.withLockedValue { state -> Outbox.Refusal? in
            let life = isAwaited ? state.webhook.answerTimeout : state.webhook.lifetime
            do throws(Outbox.Refusal) {
                try state.outbox.enqueue(
                    event,
                    lane: SocketKey(socket: socket),
                    bytes: bytes,
                    deadline: now + life,
                    canWait: !isAwaited,
                    at: now
                )
                return nil
            } catch {
                return error
            }
        }
        guard let refusal else { return self.wake() }
        let failure: WebhookFailure =
            switch refusal {
            case .full, .laneFull: .overloaded
            case .resting(let time): .resting(time)
            case .closed: .closed
            }
        self.metrics.dropped(failure)
        self.incidents.record(
            "Events for a webhook were not taken",
            reason: failure.word,
            details: ["webhook": "\(self.name)", "sio.event": "\(boundedText(type))"]
        )
        completion(.failure(failure))
    }

    /// Asks the outbox at the end of the loop's turn, so that the events of one turn travel together.
    private func wake() {
        let isFirst = self.state.withLockedValue { state in
            defer { state.isWoken = true }
            return !state.isWoken
        }
        guard isFirst else { return }
        self.eventLoop.execute { self.work() }
    }

    /// Does what the outbox says.
    private func work() {
        let now = self.eventLoop.now
        let (step, target, webhook) = self.state.withLockedValue { state in
            state.isWoken = false
            let step = state.outbox.due(at: now)
            self.arm(step.wakeAt, &state)
            self.gauges.waiting(events: state.outbox.count, bytes: state.outbox.bytes)
            return (step, state.target, state.webhook)
        }
        self.tell(step.ended)
        for sending in step.sendings {
            // It ends with the request, whose time is limited.
            Task { await self.send(sending, to: target, webhook) }
        }
        self.tellIdleWaiters()
    }

    private func arm(_ deadline: NIODeadline?, _ state: inout State) {
        guard deadline != state.timerDeadline else { return }
        state.timer?.cancel()
        state.timer = nil
        state.timerDeadline = deadline
        guard let deadline else { return }
        state.timer = self.eventLoop.scheduleTask(deadline: deadline) { [weak self] in
            guard let self else { return }
            self.state.withLockedValue { $0.timerDeadline = nil }
            self.work()
        }
    }

    // MARK: Requests

    private func send(
        _ sending: Outbox.Sending,
        to target: (url: OutgoingURL, signer: WebhookSigner),
        _ webhook: Webhook
    ) async {
        let events = sending.messages.map(\.message)
        // The configuration may have changed since these events were put together.
        let isBatch = webhook.batch > 1 || events.count > 1
        let id = isBatch ? "\(self.idPrefix)_batch\(sending.batch)" : events.first?.id ?? self.idPrefix
        let body = WebhookEvent.body(of: events, asBatch: isBatch, timestamp: self.timestamp)
        let seconds = Int(self.now())
        let request = OutgoingRequest(
            .post,
            target.url,
            headers: [
                .init("content-type", "application/json"), .init("webhook-id", id),
                .init("webhook-timestamp", "\(seconds)"),
                .init("webhook-signature", target.signer.signature(id: id, timestamp: seconds, body: body)),
            ],
            body: body,
            timeout: webhook.timeout,
            maximumAnswerBytes: webhook.maximumAnswerBytes
        )
        var verdict: WebhookVerdict
        do {
            let response = try await self.http.send(request)
            verdict =
                response.body.readableBytes <= webhook.maximumAnswerBytes
                ? WebhookVerdict(response) : .broken("answers more than \(webhook.maximumAnswerBytes) bytes")
        } catch {
            verdict = WebhookVerdict(error)
        }
        var answers: [WebhookEvent.Answer] = []
        if case .answered(let value) = verdict {
            if let read = Self.answers(value, to: events, isBatch: isBatch) {
                answers = read
            } else {
                verdict = .broken("answers a list of events with something else than {\"answers\": {<id>: …}}")
            }
        }
        self.note(verdict)
        let now = self.eventLoop.now
        let (ended, change) = self.state.withLockedValue { state in
            state.outbox.finished(
                sending.batch,
                verdict.outcome(of: Outbox.self),
                at: now,
                chance: Double.random(in: 0...1)
            )
        }
        self.note(change)
        // Those that have expired meanwhile were told so.
        let byID = Dictionary(zip(events.map { UTF8Text($0.id) }, answers)) { first, _ in first }
        self.tell(ended) { byID[UTF8Text($0.id)] }
        self.wake()
    }

    /// What a webhook says to each event; `nil` if it says nothing that can be understood.
    private static func answers(
        _ value: JSONValue?,
        to events: [WebhookEvent],
        isBatch: Bool
    ) -> [WebhookEvent.Answer]? {
        guard isBatch else { return events.map { _ in Self.answer(value) } }
        guard let value else { return events.map { _ in Self.answer(nil) } }
        guard let answers = value["answers"]?.objectValue else { return nil }
        return events.map { Self.answer(answers[$0.id]) }
    }

    private static func answer(_ value: JSONValue?) -> WebhookEvent.Answer {
        do throws(EventReply.Malformation) {
            return .reply(try EventReply(answer: value))
        } catch {
            return .failure(.malformed)
        }
    }

    private func tell(_ ended: [Outbox.Ended], _ answer: (WebhookEvent) -> WebhookEvent.Answer? = { _ in nil }) {
        for one in ended {
            let event = one.message
            let result: WebhookEvent.Answer =
                switch one.end {
                case .answered: answer(event) ?? .failure(.malformed)
                case .rejected: .failure(.rejected)
                case .broken: .failure(.malformed)
                case .exhausted: .failure(.exhausted)
                case .expired: .failure(.expired)
                case .closed: .failure(.closed)
                }
            switch result {
            case .reply: self.metrics.delivered()
            case .failure(let failure): self.metrics.dropped(failure)
            }
            event.completion(result)
        }
    }

    // MARK: Counting

    private func note(_ verdict: WebhookVerdict) {
        self.metrics.request(verdict)
        switch verdict {
        case .answered: break
        case .rejected(let reason), .broken(let reason), .failed(let reason, _):
            self.incidents.record(
                "Requests to a webhook have failed",
                reason: verdict.word,
                pace: .failures,
                details: ["webhook": "\(self.name)", "error": "\(boundedText(reason))"]
            )
        }
    }

    private func note(_ change: CircuitBreaker.Change) {
        guard change != .none else { return }
        self.gauges.resting(change == .opened)
        self.incidents.record(
            change == .opened
                ? "A webhook fails again and again, so it gets a rest" : "A webhook answers again after a rest",
            reason: "breaker",
            level: .warning,
            details: ["webhook": "\(self.name)"]
        )
    }

    private var timestamp: String {
        (try? JSONValue(encoding: Date(timeIntervalSince1970: self.now())))?.stringValue ?? ""
    }

    // MARK: The end

    /// Returns when no event waits, or when the webhook rests.
    func finish() async {
        await withCheckedContinuation { continuation in
            self.state.withLockedValue { $0.idleWaiters.append(continuation) }
            self.wake()
        }
    }

    private func tellIdleWaiters() {
        let waiters = self.state.withLockedValue { state -> [CheckedContinuation<Void, Never>] in
            let isIdle = state.outbox.count == 0 && state.outbox.requestCount == 0
            guard isIdle || !state.outbox.breaker.isClosed || state.outbox.isClosed else { return [] }
            defer { state.idleWaiters = [] }
            return state.idleWaiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Gives up what is not under way.
    func close() {
        let ended = self.state.withLockedValue { state in
            state.timer?.cancel()
            state.timer = nil
            return state.outbox.close()
        }
        self.tell(ended)
        self.tellIdleWaiters()
    }
}
