package import NIOCore
import OrderedCollections

/// A command or a question of another node, or of an emitter.
package struct ClassicRequest: Sendable {
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

    /// Reads a request: JSON text, or MessagePack.
    ///
    /// What waits for an answer becomes a question whenever that is possible, even one about nobody: without an answer the
    /// other node would wait until its timeout.
    ///
    /// - Parameters:
    ///   - message: What was published.
    ///   - namespace: Broadcasts for another one are refused.
    /// - Throws: ``ClassicProtocolError``.
    package init(parsing message: ByteBuffer, namespace: String) throws(ClassicProtocolError) {
        let value = try ClassicProtocol.value(parsing: message)
        guard case .object(let members) = value, let type = members["type"]?.intValue else {
            throw ClassicProtocolError(.unexpectedShape, "a request without a type")
        }
        guard let type = ClassicProtocol.MessageType(rawValue: type) else {
            throw ClassicProtocolError(.unknownType, "a request of type \(type)")
        }
        self.requestID = members["requestId"]
        guard self.requestID != nil || members["requestid"] == nil else {
            // Their numbers mean other things: what joins there disconnects here.
            throw ClassicProtocolError(.unknownType, "a request of a node of Socket.IO 2")
        }
        switch members["uid"] {
        case .string(let uid)?: self.uid = UTF8Text(uid)
        case .int(let uid)?: self.uid = UTF8Text(String(uid))
        default: self.uid = nil
        }
        self.body = try Self.body(type, members, namespace: namespace)
    }

    private static func body(
        _ type: ClassicProtocol.MessageType,
        _ members: JSONObject,
        namespace: String
    ) throws(ClassicProtocolError) -> Body {
        switch type {
        case .socketIDs: return .socketIDs(self.socketIDOptions(members["rooms"]))
        case .allRooms: return .allRooms
        case .join:
            guard let id = self.socketID(members) else {
                return .join(try ClassicOptions.parse(members["opts"]), rooms: try self.rooms(members["rooms"]))
            }
            return .joinSocket(id: id, rooms: RoomList(members["room"])?.rooms ?? [])
        case .leave:
            guard let id = self.socketID(members) else {
                return .leave(try ClassicOptions.parse(members["opts"]), rooms: try self.rooms(members["rooms"]))
            }
            return .leaveSocket(id: id, rooms: members["room"].flatMap { Room($0) }.map { [$0] } ?? [])
        case .disconnect:
            let closing = members["close"]?.boolValue ?? (members["close"]?.intValue == 1)
            guard let id = self.socketID(members) else {
                return .disconnect(try ClassicOptions.parse(members["opts"]), closingConnection: closing)
            }
            return .disconnectSocket(id: id, closingConnection: closing)
        case .fetchSockets: return .fetchSockets(self.questionOptions(members))
        case .serverSideEmit:
            guard let arguments = members["data"]?.arrayValue, let event = arguments.first?.stringValue else {
                throw ClassicProtocolError(.unexpectedShape, "an event without a name")
            }
            guard !ClassicProtocol.isReservedAmongServers(event) else {
                throw ClassicProtocolError(.unexpectedShape, "an event whose name servers keep for themselves")
            }
            return .serverSideEmit(arguments)
        case .broadcast:
            guard members["requestId"] != nil else {
                throw ClassicProtocolError(.unexpectedShape, "a broadcast that nobody waits for")
            }
            return .broadcast(
                try self.arguments(members["packet"] ?? .null, namespace: namespace),
                self.questionOptions(members)
            )
        case .broadcastClientCount, .broadcastAcknowledgement:
            throw ClassicProtocolError(.wrongChannel, "a response among the requests")
        }
    }

    /// The socket that an old node's command is for: it has no options.
    private static func socketID(_ members: JSONObject) -> String? {
        members["opts"]?.isNull ?? true ? members["sid"]?.stringValue : nil
    }

    /// The rooms to join or to leave.
    private static func rooms(_ value: JSONValue?) throws(ClassicProtocolError) -> [Room] {
        guard let value, !value.isNull, let rooms = RoomList(value)?.rooms else {
            throw ClassicProtocolError(.unexpectedShape, "a command without rooms")
        }
        return rooms
    }

    /// Whom a question is about; nobody if that can't be read.
    private static func questionOptions(_ members: JSONObject) -> BroadcastOptions? {
        do throws(ClassicProtocolError) {
            return try ClassicOptions.parse(members["opts"])
        } catch {
            return nil
        }
    }

    private static func socketIDOptions(_ value: JSONValue?) -> BroadcastOptions? {
        // JavaScript makes a set of what is there, and it is an empty one.
        if case .object(let members)? = value, members.isEmpty { return BroadcastOptions() }
        guard let rooms = RoomList(value), !rooms.isNobody else { return nil }
        return BroadcastOptions(rooms: rooms.rooms)
    }

    /// The event that a broadcast is about; empty if it is none that a client could be sent.
    private static func arguments(
        _ packet: JSONValue,
        namespace: String
    ) throws(ClassicProtocolError) -> [JSONValue] {
        if let name = packet["nsp"] {
            guard let name = name.stringValue, UTF8Text(name) == UTF8Text(namespace) else {
                throw ClassicProtocolError(.wrongChannel, "a broadcast for another namespace")
            }
        }
        guard ClassicBroadcast.isEvent(packet["type"]), let arguments = packet["data"]?.arrayValue,
            let event = arguments.first?.stringValue, !isReservedEventName(event)
        else { return [] }
        return arguments
    }
}

extension ClassicProtocol {
    /// JSON if it starts with `{`, otherwise MessagePack.
    static func value(parsing message: ByteBuffer) throws(ClassicProtocolError) -> JSONValue {
        if message.getInteger(at: message.readerIndex, as: UInt8.self) == UInt8(ascii: "{") {
            if let value = try? JSONValue(parsing: message) { return value }
            do throws(JSONError) {
                // Bytes that are no UTF-8 are repaired as JavaScript repairs them.
                return try JSONValue(parsing: ByteBuffer(string: String(buffer: message)))
            } catch {
                throw ClassicProtocolError(.undecodable, error.description)
            }
        } else {
            do throws(MessagePackError) {
                return try JSONValue(parsingMessagePack: message)
            } catch {
                throw ClassicProtocolError(error)
            }
        }
    }
}
