import Incidents
import NIOConcurrencyHelpers
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// Does what answers to clients' events ask for.
final class EventReplies: Sendable {
    /// What is left to do when a client is connected.
    private struct Prepared {
        weak var socket: Socket?
        var reply: EventReply
    }

    private let context: GatewayContext
    private let sockets: SocketDirectory
    private let events: EventPublisher
    /// For clients that were let in but are not connected yet.
    private let prepared = NIOLockedValueBox<[ObjectIdentifier: Prepared]>([:])

    init(_ context: GatewayContext, sockets: SocketDirectory, events: EventPublisher) {
        self.context = context
        self.sockets = sockets
        self.events = events
    }

    /// Does what an answer asks for, acknowledges the event, and disconnects the client if that is asked for.
    ///
    /// It is done at once, unless a room has a name that may be a socket's id, for which other nodes are asked.
    func perform(
        _ reply: EventReply,
        for socket: Socket,
        acknowledge: @escaping @Sendable (JSONValue) -> Void
    ) {
        guard reply.refusal == nil else { return self.finish(reply, socket, acknowledge) }
        guard reply.hasDoubtfulRooms else {
            self.change(reply, socket)
            return self.finish(reply, socket, acknowledge)
        }
        // It ends when the other nodes have answered, or their time is over.
        Task {
            do {
                try await self.checkRooms(of: reply, socket)
            } catch {
                self.cannotDo(error, socket)
                return acknowledge(WebhookFailure.malformed.refusal.answer)
            }
            self.change(reply, socket)
            self.finish(reply, socket, acknowledge)
        }
    }

    /// Does what can be done before a client is connected, and keeps the rest.
    ///
    /// - Throws: An error if the client may not join a room.
    func prepare(_ reply: EventReply, for socket: Socket) async throws {
        if reply.hasDoubtfulRooms {
            do {
                try await self.checkRooms(of: reply, socket)
            } catch {
                self.cannotDo(error, socket)
                throw error
            }
        }
        var rest = reply
        rest.emissions = []
        self.change(rest, socket)
        guard !reply.emissions.isEmpty || reply.disconnection != nil else { return }
        self.prepared.withLockedValue { prepared in
            // Clients that have gone before they were connected.
            if prepared.count >= 64 { prepared = prepared.filter { $0.value.socket != nil } }
            prepared[ObjectIdentifier(socket)] = Prepared(socket: socket, reply: reply)
        }
    }

    /// Does what was kept for a client that is connected now.
    func performPrepared(for socket: Socket) {
        let prepared = self.prepared.withLockedValue { prepared -> Prepared? in
            prepared.isEmpty ? nil : prepared.removeValue(forKey: ObjectIdentifier(socket))
        }
        guard let prepared, prepared.socket === socket else { return }
        var rest = EventReply()
        rest.emissions = prepared.reply.emissions
        self.change(rest, socket)
        self.finish(prepared.reply, socket) { _ in }
    }

    // MARK: Parts

    private func change(_ reply: EventReply, _ socket: Socket) {
        if !reply.data.isEmpty {
            socket.updateData { data in
                var object = data.objectValue ?? [:]
                for (key, value) in reply.data { object[key] = value }
                data = .object(object)
            }
        }
        if !reply.join.isEmpty { socket.join(reply.join) }
        if !reply.leave.isEmpty { socket.leave(reply.leave) }
        var publication = Publication()
        for emission in reply.emissions {
            var target: BroadcastOperator
            switch emission.target {
            case .client:
                socket.emit(emission.event, values: emission.arguments)
                continue
            case .rooms(let rooms):
                // Without rooms it would be everybody.
                guard !rooms.isEmpty else { continue }
                target = self.context.main.to(rooms)
            case .everybody:
                target = self.context.main.everybody
            }
            if emission.exceptClient { target = target.except(socket.id.room) }
            publication.add(.emit([.string(emission.event)] + emission.arguments), target, self.context.main)
        }
        if !publication.isEmpty { self.events.send(publication) }
    }

    private func finish(_ reply: EventReply, _ socket: Socket, _ acknowledge: @Sendable (JSONValue) -> Void) {
        acknowledge(reply.answer)
        guard let reason = reply.disconnection else { return }
        self.context.metrics.expelled(.requested)
        self.context.expel(socket, reason: reason, closingConnection: true)
    }

    private func checkRooms(of reply: EventReply, _ socket: Socket) async throws {
        for room in reply.join + reply.leave {
            guard room != socket.id.room else { throw EventReply.Malformation("names the room of the socket's own id") }
            let isSocketID = try await self.sockets.isSocketID(room.name) { try await self.sockets.find($0) }
            if isSocketID { throw EventReply.Malformation("names the room of a socket's id") }
        }
    }

    private func cannotDo(_ error: any Error, _ socket: Socket) {
        self.context.incidents.record(
            "Answers to clients' events could not be carried out",
            reason: "rooms",
            pace: .failures,
            details: ["sio.socket.id": "\(socket.id)", "error": "\(error)"]
        )
    }
}

extension EventReply {
    /// Whether a room has a name that may be a socket's id.
    fileprivate var hasDoubtfulRooms: Bool { (self.join + self.leave).contains { SocketID($0.name) != nil } }
}
