import OrderedCollections

/// A command or a question of another node, or of an emitter.
package struct ClusterRequest: Sendable {
    /// What is asked for; options that are `nil` address nobody who could be here.
    package enum Body: Sendable {
        /// Old nodes: which sockets are in these rooms?
        case socketIDs(BroadcastOptions?)
        case allRooms
        case join(BroadcastOptions?, rooms: [Room])
        case leave(BroadcastOptions?, rooms: [Room])
        case disconnect(BroadcastOptions?, closingConnection: Bool)
        /// Old nodes: one socket, and an answer when it is done.
        case joinSocket(id: String, rooms: [Room])
        case leaveSocket(id: String, rooms: [Room])
        case disconnectSocket(id: String, closingConnection: Bool)
        case fetchSockets(BroadcastOptions?)
        /// `[event, argument...]`; to be answered if there is a request id.
        case serverSideEmit([JSONValue])
        /// `[event, argument...]`, acknowledged by clients; no arguments if it is nothing that a client could be sent.
        case broadcast([JSONValue], BroadcastOptions?)
    }

    /// Who asks; emitters may not say.
    package let uid: UTF8Text?
    /// What the answer names, whatever that is: it means something to nobody but the one who asks.
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
    /// Who asks, if that is something to answer to.
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
