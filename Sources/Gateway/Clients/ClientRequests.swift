import Incidents
import Logging
import NIOCore
import SocketIOServer
import SocketIOWire

/// What clients may ask for.
///
/// The answer to each event is `{success: true, …}` or `{success: false, error}`.
final class ClientRequests: Sendable {
    let context: GatewayContext
    let sockets: SocketDirectory
    let subscriptions: Subscriptions
    let events: EventPublisher
    let histories: Histories
    let budgets: ClientBudgets
    let collaboration: Collaboration

    init(
        _ context: GatewayContext,
        sockets: SocketDirectory,
        subscriptions: Subscriptions,
        events: EventPublisher,
        histories: Histories,
        budgets: ClientBudgets,
        collaboration: Collaboration
    ) {
        self.context = context
        self.sockets = sockets
        self.subscriptions = subscriptions
        self.events = events
        self.histories = histories
        self.budgets = budgets
        self.collaboration = collaboration
    }

    func register() {
        self.onFollowing(.joinRoom) { requests, socket, payload in try await requests.joinRoom(socket, payload) }
        self.on(.leaveRoom) { requests, socket, payload in try requests.leaveRoom(socket, payload) }
        self.on(.getRooms) { requests, socket, _ in requests.rooms(of: socket) }
        self.onFollowing(.subscribeEntity) { requests, socket, payload in
            try await requests.subscriptions.subscribe(socket, payload, requests.histories)
        }
        self.on(.unsubscribeEntity) { requests, socket, payload in
            try requests.subscriptions.unsubscribe(socket, payload, requests.histories)
        }
        self.on(.getEntitySubscriptions) { _, socket, _ in EntitySubscriptions(rooms: socket.rooms).value }
        self.registerCollaboration()
        self.on(.privateMessage) { requests, socket, payload in try await requests.privateMessage(socket, payload) }
        if self.context.configuration.authentication.mode == .event {
            self.on(.join) { requests, socket, payload in try await requests.joinRooms(socket, payload) }
            self.on(.leave) { requests, socket, payload in try requests.leaveRooms(socket, payload) }
        }
    }

    /// Handles an event of the main namespace.
    ///
    /// A client's events wait for each other, so that its wishes are granted in the order in which they came.
    func on(
        _ event: ClientEvent,
        _ handler: @escaping @Sendable (ClientRequests, Socket, JSONValue?) async throws -> JSONValue
    ) {
        self.context.main.onRaw(event.rawValue) { received async in
            let payload = try? received.arguments.values().first
            let answer: JSONValue
            do {
                answer = try await handler(self, received.socket, payload)
                self.granted(event, received.socket, answer)
            } catch {
                answer = self.refusal(error, received.socket, event: event).answer
            }
            Self.answer(received, answer)
        }
    }

    /// Answers an event.
    ///
    /// A client that does not wait for an answer would never know that it asks too often, so it is told.
    private static func answer(_ event: ReceivedEvent, _ answer: JSONValue) {
        event.acknowledge(values: [answer])
        guard !event.expectsAcknowledgement, answer["retryAfter"] != nil else { return }
        ClientLimits.tell(event.socket, event.name, answer)
    }

    /// Handles an event of the main namespace after which the client may follow a history.
    ///
    /// Then the answer also says where the history is, and what the client has missed.
    private func onFollowing(
        _ event: ClientEvent,
        _ handler:
            @escaping @Sendable (ClientRequests, Socket, JSONValue?) async throws
            -> (answer: JSONValue, history: Histories.Beginning?)
    ) {
        self.context.main.onRaw(event.rawValue) { received async in
            let socket = received.socket
            do {
                let payload = try received.arguments.values().first
                let (answer, history) = try await handler(self, socket, payload)
                self.granted(event, socket, answer)
                guard let history else { return received.acknowledge(values: [answer]) }
                await self.histories.answer(history, socket: socket, answer) { received.acknowledge(values: [$0]) }
            } catch {
                Self.answer(received, self.refusal(error, socket, event: event).answer)
            }
        }
    }

    /// What a client is told if its wish has failed.
    ///
    /// If that is not the client's fault, it is logged.
    func refusal(_ error: any Error, _ socket: Socket, event: ClientEvent) -> ClientRefusal {
        let refusal = ClientRefusal(error)
        if let retryAfter = refusal.retryAfterMilliseconds {
            self.context.metrics.limited(event)
            self.failed(event, socket, refusal)
            self.context.logger.debug(
                "A client asks too often",
                metadata: [
                    "sio.socket.id": "\(socket.id)", "sio.event": "\(event.rawValue)", "retryAfter": "\(retryAfter)",
                ]
            )
        } else if !(error is ClientRefusal) {
            self.failed(event, socket, refusal)
            self.context.incidents.record(
                "Clients' events could not be handled",
                reason: event.rawValue,
                pace: .failures,
                details: ["sio.socket.id": "\(socket.id)", "error": "\(error)"]
            )
        }
        return refusal
    }

    // MARK: Limits

    /// Counts a change of rooms that a client asks for.
    func countChange(of socket: Socket) throws(ClientRefusal) {
        let limits = self.context.rules(for: socket).configuration.limits
        try self.budgets.spend(.changes, 1, of: socket, limits: limits)
    }
}
