import OrderedCollections

/// A command or a question of another node, or of an emitter.
package struct ClusterRequest: Sendable {
    /// What the request asks for; `nil` options address no socket that this node can have.
    package enum Body: Sendable {
        /// Old nodes: which sockets are in these rooms?
        case socketIDs(BroadcastOptions?)
        case allRooms
        case join(BroadcastOptions?, rooms: [Room])
        case leave(BroadcastOptions?, rooms: [Room])
        case disconnect(BroadcastOptions?, closingConnection: Bool)
        /// Old nodes: a single socket joins, and this node answers when it has.
        case joinSocket(id: String, rooms: [Room])
        case leaveSocket(id: String, rooms: [Room])
        case disconnectSocket(id: String, closingConnection: Bool)
        case fetchSockets(BroadcastOptions?)
        /// `[event, argument...]`; to be answered if there is a request id.
        case serverSideEmit([JSONValue])
        /// `[event, argument...]`, acknowledged by clients; no arguments if it is nothing that a client could be sent.
        case broadcast([JSONValue], BroadcastOptions?)
    }

    /// Who asks, if the message says so; emitters may not.
    package let uid: UTF8Text?
    /// What the answer has to repeat; it means something only to the node that asks.
    package let requestID: JSONValue?
    package let body: Body

    /// A request.
    package init(uid: UTF8Text?, requestID: JSONValue?, body: Body) {
        self.uid = uid
        self.requestID = requestID
        self.body = body
    }
}

// MARK: - What adapters have in common

extension ClusterRequest {
    /// Who asks, if an answer can be sent to that.
    static func uid(_ value: JSONValue?) -> UTF8Text? {
        switch value {
        case .string(let uid)?: UTF8Text(uid)
        case .int(let uid)?: UTF8Text(String(uid))
        default: nil
        }
    }

    /// The rooms to join or to leave.
    static func rooms(_ value: JSONValue?) throws(ClusterProtocolError) -> [Room] {
        guard let value, !value.isNull, let rooms = RoomList(value)?.rooms else {
            throw ClusterProtocolError(.unexpectedShape, "a command without rooms")
        }
        return rooms
    }

    /// Whether a command to disconnect wants the whole connection closed.
    static func closesConnection(_ members: JSONObject) -> Bool {
        members["close"]?.boolValue ?? (members["close"]?.intValue == 1)
    }

    /// Whom a question is about; nobody if that can't be read.
    static func questionOptions(_ members: JSONObject) -> BroadcastOptions? {
        do throws(ClusterProtocolError) {
            return try ClusterOptions.parse(members["opts"])
        } catch {
            return nil
        }
    }

    /// The event of another server.
    static func serverSideEvent(_ value: JSONValue?) throws(ClusterProtocolError) -> [JSONValue] {
        guard let arguments = value?.arrayValue, let event = arguments.first?.stringValue else {
            throw ClusterProtocolError(.unexpectedShape, "an event without a name")
        }
        guard !ClusterProtocol.isReservedAmongServers(event) else {
            throw ClusterProtocolError(.unexpectedShape, "an event whose name servers keep for themselves")
        }
        return arguments
    }
}
