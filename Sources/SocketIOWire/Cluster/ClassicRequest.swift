package import NIOCore
import OrderedCollections

extension ClusterRequest {
    /// Reads a request: JSON text, or MessagePack.
    ///
    /// A request that expects an answer is read as a question whenever that is possible, even if it is about nobody.
    /// Without an answer the other node would wait until its timeout.
    ///
    /// - Parameters:
    ///   - message: What was published.
    ///   - namespace: Broadcasts for another one are refused.
    /// - Throws: ``ClusterProtocolError``.
    package init(parsingClassic message: ByteBuffer, namespace: String) throws(ClusterProtocolError) {
        let value = try ClusterProtocol.value(parsing: message)
        guard case .object(let members) = value, let type = members["type"]?.intValue else {
            throw ClusterProtocolError(.unexpectedShape, "a request without a type")
        }
        guard let type = ClassicProtocol.MessageType(rawValue: type) else {
            throw ClusterProtocolError(.unknownType, "a request of type \(type)")
        }
        let requestID = members["requestId"]
        guard requestID != nil || members["requestid"] == nil else {
            // Socket.IO 2 gives the numbers other meanings: its request to join is ours to disconnect.
            throw ClusterProtocolError(.unknownType, "a request of a node of Socket.IO 2")
        }
        self.init(
            uid: Self.uid(members["uid"]),
            requestID: requestID,
            body: try Self.body(type, members, namespace: namespace)
        )
    }

    private static func body(
        _ type: ClassicProtocol.MessageType,
        _ members: JSONObject,
        namespace: String
    ) throws(ClusterProtocolError) -> Body {
        switch type {
        case .socketIDs: return .socketIDs(self.socketIDOptions(members["rooms"]))
        case .allRooms: return .allRooms
        case .join:
            guard let id = self.socketID(members) else {
                return .join(try ClusterOptions.parse(members["opts"]), rooms: try self.rooms(members["rooms"]))
            }
            return .joinSocket(id: id, rooms: RoomList(members["room"])?.rooms ?? [])
        case .leave:
            guard let id = self.socketID(members) else {
                return .leave(try ClusterOptions.parse(members["opts"]), rooms: try self.rooms(members["rooms"]))
            }
            return .leaveSocket(id: id, rooms: members["room"].flatMap { Room($0) }.map { [$0] } ?? [])
        case .disconnect:
            let closing = self.closesConnection(members)
            guard let id = self.socketID(members) else {
                return .disconnect(try ClusterOptions.parse(members["opts"]), closingConnection: closing)
            }
            return .disconnectSocket(id: id, closingConnection: closing)
        case .fetchSockets: return .fetchSockets(self.questionOptions(members))
        case .serverSideEmit: return .serverSideEmit(try self.serverSideEvent(members["data"]))
        case .broadcast:
            guard members["requestId"] != nil else {
                throw ClusterProtocolError(.unexpectedShape, "a broadcast that nobody waits for")
            }
            return .broadcast(
                try self.arguments(members["packet"] ?? .null, namespace: namespace),
                self.questionOptions(members)
            )
        case .broadcastClientCount, .broadcastAcknowledgement:
            throw ClusterProtocolError(.wrongChannel, "a response among the requests")
        }
    }

    /// The socket that an old node's command is for; such a command has no options.
    private static func socketID(_ members: JSONObject) -> String? {
        members["opts"]?.isNull ?? true ? members["sid"]?.stringValue : nil
    }

    private static func socketIDOptions(_ value: JSONValue?) -> BroadcastOptions? {
        // JavaScript makes a set of the value, and an empty object makes an empty set.
        if case .object(let members)? = value, members.isEmpty { return BroadcastOptions() }
        guard let rooms = RoomList(value), !rooms.isNobody else { return nil }
        return BroadcastOptions(rooms: rooms.rooms)
    }

    /// The event of a broadcast; empty if clients can't be sent such an event.
    private static func arguments(
        _ packet: JSONValue,
        namespace: String
    ) throws(ClusterProtocolError) -> [JSONValue] {
        if let name = packet["nsp"] {
            guard let name = name.stringValue, UTF8Text(name) == UTF8Text(namespace) else {
                throw ClusterProtocolError(.wrongChannel, "a broadcast for another namespace")
            }
        }
        guard ClusterProtocol.isEvent(packet["type"]), let arguments = packet["data"]?.arrayValue,
            let event = arguments.first?.stringValue, !isReservedEventName(event)
        else { return [] }
        return arguments
    }
}
