package import SocketIOWire

// What the core says, in the words of the official ClusterAdapter (sharded and streams adapters).

extension ClusterMessage {
    package init(_ message: OutgoingMessage) {
        switch message {
        case .broadcast(let broadcast): self = .broadcast(broadcast.arguments, broadcast.options, requestID: nil)
        case .join(let options, let rooms): self = .join(options, rooms: rooms)
        case .leave(let options, let rooms): self = .leave(options, rooms: rooms)
        case .disconnect(let options, let closing): self = .disconnect(options, closingConnection: closing)
        case .fetchSockets(let id, let options): self = .fetchSockets(options, requestID: id)
        // There is no such question: sockets say which rooms they are in.
        case .allRooms(let id): self = .fetchSockets(BroadcastOptions(), requestID: id)
        case .serverSideEmit(let id, let arguments): self = .serverSideEmit(arguments, requestID: id)
        case .acknowledgedBroadcast(let id, let broadcast):
            self = .broadcast(broadcast.arguments, broadcast.options, requestID: id)
        }
    }

    package init(_ reply: ClusterReply, to requestID: JSONValue?) {
        switch reply {
        case .sockets(let sockets): self = .sockets(sockets, requestID: requestID)
        // Nobody asks for these three in this dialect.
        case .socketIDs, .rooms, .done: self = .sockets([], requestID: requestID)
        case .serverSide(let value): self = .serverSideAnswer(value, requestID: requestID)
        case .clientCount(let count): self = .clientCount(count, requestID: requestID)
        case .acknowledgement(let value): self = .acknowledgement(value, requestID: requestID)
        case .refusal(_, let reason): self = .refusal(reason: reason, requestID: requestID)
        }
    }
}

extension ClusterReply {
    /// Whether it may take more than a few kilobytes.
    package var mayBeLong: Bool {
        switch self {
        case .sockets, .socketIDs, .rooms: true
        case .serverSide, .clientCount, .acknowledgement, .done, .refusal: false
        }
    }
}

extension ClusterResponse {
    /// What this answers to a question of the core's, which may have been asked in other words.
    package func coreAnswer(to question: Question) throws(ClusterProtocolError) -> Answer {
        guard question == .rooms else { return try self.answer(to: question) }
        switch try self.answer(to: .sockets) {
        case .sockets(let sockets):
            return .rooms(Array(sockets.reduce(into: Set<Room>()) { $0.formUnion($1.rooms) }))
        case let answer: return answer
        }
    }
}
