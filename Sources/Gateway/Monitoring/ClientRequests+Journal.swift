import OrderedCollections
import SocketIOServer
import SocketIOWire

/// What operators are told of clients' wishes.
extension ClientRequests {
    /// A wish was granted.
    func granted(_ event: ClientEvent, _ socket: Socket, _ answer: JSONValue) {
        let type: EventJournal.EventType
        switch event {
        case .subscribeEntity: type = .entitySubscribe
        case .unsubscribeEntity: type = .entityUnsubscribe
        default: return
        }
        self.context.journal.record(
            type,
            if: \.entitySubscriptions.enableMetrics,
            [
                "socketId": .string(socket.id.description), "uid": answer["uid"] ?? .null, "id": answer["id"] ?? .null,
                "user": PrincipalRecord(socket.data)?.user ?? .null,
            ]
        )
    }

    /// A client asks too often, or what it asked for has failed.
    func failed(_ event: ClientEvent, _ socket: Socket, _ refusal: ClientRefusal) {
        self.context.journal.record(
            .error,
            [
                "socketId": .string(socket.id.description), "event": .string(event.rawValue),
                "error": .string(refusal.message), "user": PrincipalRecord(socket.data)?.user ?? .null,
            ]
        )
    }
}
