import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// Says what an event would do, and does not send it.
final class Explainer: Sendable {
    let context: GatewayContext
    private let sockets: SocketDirectory
    private let subscriptions: Subscriptions

    /// The server-side event with which a node asks the others how many of their sockets an event would reach.
    ///
    /// It has `{audiences: [[{rooms, except}], …], socket?}`, a list for each audience and the id of a socket. The answer
    /// is `{node, counts, queuedBytes?}`.
    static let explainEvent = "io:explain"
    /// This is more than any configuration has roles and tokens.
    static let maximumAudiences = 10_000
    /// The most sockets of a user that are told of.
    private static let maximumSockets = 100

    init(_ context: GatewayContext, sockets: SocketDirectory, subscriptions: Subscriptions) {
        self.context = context
        self.sockets = sockets
        self.subscriptions = subscriptions
    }

    func register() {
        self.context.main.onServerSide(Self.explainEvent) { arguments, reply in
            guard let reply else { return }
            let question = arguments.first ?? .null
            let audiences = (question["audiences"]?.arrayValue ?? []).prefix(Self.maximumAudiences).map { audience in
                (audience.arrayValue ?? []).prefix(Self.maximumAudiences).map { BroadcastOptions(addressing: $0) }
            }
            let socketID = question["socket"]?.stringValue
            // Nobody waits for this task but the node that asks, for as long as it likes.
            Task { reply(await self.count(audiences, socketID).value) }
        }
    }

    // MARK: Events

    /// Explains an event about an entry.
    func explain(_ event: LifecycleEvent, for target: ExplanationTarget) async throws -> Explanation {
        let rules = self.context.rules.value
        var explained = try rules.explain(event, now: self.context.now(), completing: self.subscriptions.completed)
        if case .role(let type) = target {
            explained.audiences.removeAll { $0.room != RoomName.role(RoomName.slug(type)) }
        }
        let (counts, missing) = await self.ask(explained.audiences.map { $0.variants.flatMap(\.options) }, target)
        var explanation = Explanation(
            event: explained.report.event,
            outcome: explained.report.outcome,
            audiences: [],
            sockets: [],
            missing: missing
        )
        for (index, audience) in explained.audiences.enumerated() {
            explanation.audiences.append(
                Explanation.AudienceView(
                    room: audience.room,
                    verdict: audience.verdict.standing.rawValue,
                    reason: audience.failure.map { "Nothing could be prepared for it: \($0)." }
                        ?? audience.verdict.reason,
                    events: audience.variants.map { IO.Message(topic: $0.event, data: $0.argument) },
                    receivers: counts.receivers(of: index)
                )
            )
        }
        for socket in try await self.find(target) {
            let rooms = Set(socket.rooms)
            let principal = rules.access.principal(of: PrincipalRecord(socket.data))
            explanation.sockets.append(
                Explanation.SocketView(
                    socket: SocketInfo(id: socket.id, rooms: socket.rooms, data: socket.data, handshake: .null),
                    subscriptions: EntitySubscriptions(rooms: socket.rooms),
                    queuedBytes: counts.queuedBytes,
                    events: explained.variants(for: rooms).map { IO.Message(topic: $0.event, data: $0.argument) },
                    reason: explained.reason(for: principal, in: rooms, mode: rules.content.subscriptionMode)
                )
            )
        }
        return explanation
    }

    /// Explains an event that is sent as it is, to rooms or to everybody.
    func explain(
        _ event: String,
        rooms: [Room]?,
        data: JSONValue,
        for target: ExplanationTarget
    ) async throws -> Explanation {
        let message = IO.Message(
            topic: event,
            data: self.context.rules.value.content.payloadFormat.rawArgument(data)
        )
        let (counts, missing) = await self.ask([], target)
        var explanation = Explanation(event: event, outcome: .sent, audiences: [], sockets: [], missing: missing)
        for socket in try await self.find(target) {
            let shared = rooms.map { Set($0).intersection(socket.rooms).map { UTF8Text($0.name) }.sorted() }
            let isKeptOut = rooms == nil && socket.rooms.contains(RoomName.unauthorized)
            let receives = !isKeptOut && shared?.isEmpty != true
            let reason: String
            switch shared {
            case _ where isKeptOut: reason = "The client has not authenticated yet."
            case nil: reason = "Everybody gets it."
            case let names? where names.isEmpty: reason = "It is in none of the rooms."
            case let names?: reason = "It is in \(names.map(\.string).joined(separator: ", "))."
            }
            explanation.sockets.append(
                Explanation.SocketView(
                    socket: SocketInfo(id: socket.id, rooms: socket.rooms, data: socket.data, handshake: .null),
                    subscriptions: EntitySubscriptions(rooms: socket.rooms),
                    queuedBytes: counts.queuedBytes,
                    events: receives ? [message] : [],
                    reason: reason
                )
            )
        }
        return explanation
    }

    // MARK: Sockets

    private func find(_ target: ExplanationTarget) async throws -> [FoundSocket] {
        switch target {
        case .everybody, .role: return []
        case .socket(let id): return try await self.sockets.find(id).map { [$0] } ?? []
        case .user(let id):
            return Array(try await self.sockets.found(in: RoomName.user(id)).prefix(Self.maximumSockets))
        }
    }
}
