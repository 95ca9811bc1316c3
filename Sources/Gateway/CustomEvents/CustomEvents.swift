import Incidents
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// Events of clients that are not the gateway's own: functions of the application, webhooks, relays.
///
/// What the configuration says about an event is looked up when the event comes, so a new configuration is in force with
/// the next event.
final class CustomEvents: Sendable {
    let context: GatewayContext
    let webhooks: WebhookDesk
    let replies: EventReplies
    private let events: EventPublisher
    private let budgets = EventBudgets()

    init(_ context: GatewayContext, sockets: SocketDirectory, events: EventPublisher) {
        self.context = context
        self.events = events
        self.webhooks = WebhookDesk(context)
        self.replies = EventReplies(context, sockets: sockets, events: events)
    }

    /// Listens to what nobody else handles.
    func register() {
        let main = self.context.main
        // The handlers keep this object alive.
        for (name, handler) in self.context.application.handlers where !Self.isNoEvent(name) {
            main.onRaw(name) { (event: ReceivedEvent) async in await self.run(handler, event) }
        }
        main.onUnhandled { event in self.handle(event) }
        main.onDisconnect { socket, reason in
            self.budgets.forget(socket)
            self.disconnected(socket, reason)
        }
        for namespace in self.context.configuration.namespaces where namespace.inheritsChecks {
            self.context.server.of(namespace.name).onUnhandled { event in self.refuse(event, .unknownEvent, .unknown) }
        }
    }

    /// `connection` and `disconnect` are not events that clients send.
    private static func isNoEvent(_ name: String) -> Bool {
        let name = UTF8Text(name)
        return name == UTF8Text(CustomEvent.connection) || name == UTF8Text(CustomEvent.disconnect)
    }

    func rules(for socket: Socket) -> CustomEventTable { self.context.rules(for: socket).customEvents }

    // MARK: Events

    /// Handles an event that has no handler, on the socket's loop.
    private func handle(_ event: ReceivedEvent) {
        guard let rule = self.rules(for: event.socket)[event.name] else {
            self.refuse(event, .unknownEvent, .unknown)
            return
        }
        guard let arguments = self.check(event, rule) else { return }
        switch rule.handling {
        case .ignore:
            self.context.metrics.customEvents.count(.ignored)
            event.acknowledge(values: [["success": true]])
        case .relay:
            self.relay(event, arguments, rule)
        case .webhook:
            self.context.metrics.customEvents.count(.handled)
            self.tell(event, arguments, rule)
        }
    }

    /// Runs a function of the application for an event.
    private func run(_ handler: CustomEventHandler, _ event: ReceivedEvent) async {
        let socket = event.socket
        let rule = self.rules(for: socket)[event.name] ?? CustomEvent(name: event.name.string)
        guard let arguments = self.check(event, rule) else { return }
        self.context.metrics.customEvents.count(.handled)
        let call = EventCall(
            name: event.name.string,
            arguments: arguments,
            socket: socket,
            principal: self.context.principal(of: socket)
        )
        do {
            self.replies.perform(try await handler(call), for: socket) { event.acknowledge(values: [$0]) }
        } catch let rejected as RejectedEvent {
            let refusal = EventReply.refuse(rejected.message, data: rejected.data)
            event.acknowledge(values: [refusal.answer])
        } catch {
            self.failed(error, event.name.string, socket)
            event.acknowledge(values: [ClientRefusal(error).answer])
        }
    }

    /// A function of the application has failed.
    func failed(_ error: any Error, _ event: String, _ socket: Socket) {
        self.context.incidents.record(
            "Functions of the application for clients' events failed",
            reason: boundedText(event),
            pace: .failures,
            details: ["sio.socket.id": "\(socket.id)", "error": "\(error)"]
        )
    }

    // MARK: Checks

    /// The arguments of an event that its sender may send now.
    ///
    /// - Returns: `nil` if the event was refused.
    private func check(_ event: ReceivedEvent, _ rule: CustomEvent) -> [JSONValue]? {
        guard Self.allows(rule, self.context.principal(of: event.socket)) else {
            self.refuse(event, .joinDenied, .forbidden)
            return nil
        }
        do throws(ClientRefusal) {
            try self.budgets.spend(event.name, of: event.socket, rule.rate)
        } catch {
            self.refuse(event, error, .limited)
            return nil
        }
        guard event.arguments.byteCount <= rule.maximumBytes else {
            self.refuse(event, .eventTooLong, .invalid)
            return nil
        }
        guard let arguments = try? event.arguments.values() else {
            self.refuse(event, .invalidPayload, .invalid)
            return nil
        }
        let rules = self.rules(for: event.socket)
        guard rules.hasSchema(event.name) else { return arguments }
        let violations = rules.violations(of: event.name, arguments)
        guard violations.isEmpty, arguments.count == 1 else {
            self.refuse(event, violations)
            return nil
        }
        return arguments
    }

    /// Tells a client what is wrong with the argument of its event, and where.
    private func refuse(_ event: ReceivedEvent, _ violations: [JSONSchema.Violation]) {
        self.context.metrics.customEvents.count(.invalid)
        var answer = ClientRefusal.invalidPayload.answer.objectValue ?? [:]
        answer["violations"] = .array(
            violations.map { ["path": .string("\($0.path)"), "message": .string($0.message)] }
        )
        event.acknowledge(values: [.object(answer)])
    }

    /// Whether somebody's role may send an event.
    static func allows(_ rule: CustomEvent, _ principal: Principal) -> Bool {
        guard !rule.roles.isEmpty else { return true }
        if case .operator = principal { return true }
        guard let role = principal.role else { return false }
        return rule.roles.contains { UTF8Text(RoomName.slug($0)) == UTF8Text(role.type) }
    }

    private func refuse(_ event: ReceivedEvent, _ refusal: ClientRefusal, _ outcome: CustomEventMetrics.Outcome) {
        self.context.metrics.customEvents.count(outcome)
        event.acknowledge(values: [refusal.answer])
    }

    // MARK: Relays

    private func relay(_ event: ReceivedEvent, _ arguments: [JSONValue], _ rule: CustomEvent) {
        let socket = event.socket
        let sender = RelayedEvent.Sender(
            id: socket.id.description,
            principal: self.context.principal(of: socket),
            rooms: socket.rooms,
            now: self.context.now()
        )
        do throws(ClientRefusal) {
            let relayed = try RelayedEvent(arguments, rule.relay, of: sender)
            var target = self.context.main.to(relayed.room)
            if !rule.relay.includesSender { target = target.except(socket.id.room) }
            let name = rule.relay.event ?? rule.name
            self.events.send(Publication(name, relayed.argument, to: target, in: self.context.main))
            self.context.metrics.customEvents.count(.relayed)
            event.acknowledge(values: [["success": true]])
        } catch {
            self.refuse(event, error, .invalid)
        }
    }

    // MARK: Webhooks

    private func tell(_ event: ReceivedEvent, _ arguments: [JSONValue], _ rule: CustomEvent) {
        let socket = event.socket
        var data = self.describe(socket)
        data["args"] = .array(arguments)
        data["expectsAnswer"] = .bool(event.expectsAcknowledgement)
        self.webhooks.send(
            rule.webhook,
            rule.name,
            .object(data),
            of: socket,
            isAwaited: event.expectsAcknowledgement
        ) { answer in
            switch answer {
            case .reply(let reply): self.replies.perform(reply, for: socket) { event.acknowledge(values: [$0]) }
            case .failure(let failure): event.acknowledge(values: [failure.refusal.answer])
            }
        }
    }

    /// What webhooks are told of a client.
    func describe(_ socket: Socket) -> JSONObject {
        self.describe(socket, data: socket.data)
    }

    private func describe(_ socket: Socket, data: JSONValue) -> JSONObject {
        let handshake = socket.handshake
        let info = SocketInfo(
            id: socket.id.description,
            rooms: Array(socket.rooms),
            data: data,
            handshake: ["issued": .int(handshake.issued), "address": .string(self.context.address(of: socket))]
        )
        return ["namespace": "/", "socket": info.value]
    }

    /// What webhooks are told of a client that wants to be let in.
    ///
    /// What it proves itself with is not among that.
    func describe(_ socket: Socket, as principal: Principal) -> JSONObject {
        let record = PrincipalRecord(principal, expiresAt: nil)
        var data = self.describe(socket, data: record.merged(into: socket.data))
        let handshake = socket.handshake
        var about: JSONObject = ["secure": .bool(handshake.isSecure), "crossDomain": .bool(handshake.isCrossDomain)]
        for name in ["origin", "user-agent", "accept-language"] {
            about[name] = handshake.header(name).map { .string(boundedText($0)) }
        }
        data["handshake"] = .object(about)
        data["recovered"] = .bool(socket.isRecovered)
        return data
    }
}
