package import NIOCore
import OrderedCollections

/// A command or a question of another node, or of an emitter.
package struct ClassicRequest: Sendable {
    package enum Body: Sendable {
        /// Old nodes: which sockets are in all of these rooms' union?
        case socketIDs(requestID: String, rooms: [Room])
        case allRooms(requestID: String)
        case join(BroadcastOptions, rooms: [Room])
        case leave(BroadcastOptions, rooms: [Room])
        case disconnect(BroadcastOptions, closingConnection: Bool)
        /// Old nodes: one socket, and an answer when it is done.
        case joinSocket(requestID: String, id: String, room: Room)
        case leaveSocket(requestID: String, id: String, room: Room)
        case disconnectSocket(requestID: String, id: String, closingConnection: Bool)
        case fetchSockets(requestID: String, BroadcastOptions)
        /// `[event, argument...]`; to be answered if there is a request id.
        case serverSideEmit(requestID: String?, arguments: [JSONValue])
        /// `[event, argument...]`, acknowledged by clients.
        case broadcast(requestID: String, arguments: [JSONValue], BroadcastOptions)
    }

    /// Who asks; emitters may not say.
    package let uid: String?
    package let body: Body

    /// Reads a request: JSON text, or MessagePack.
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
        self.uid = members["uid"]?.stringValue
        self.body = try Self.body(type, value, namespace: namespace)
    }

    private static func body(
        _ type: ClassicProtocol.MessageType,
        _ value: JSONValue,
        namespace: String
    ) throws(ClassicProtocolError) -> Body {
        func requestID() throws(ClassicProtocolError) -> String {
            guard let id = value["requestId"]?.stringValue else {
                throw ClassicProtocolError(.unexpectedShape, "a request without an id")
            }
            return id
        }
        func rooms(_ key: String) throws(ClassicProtocolError) -> [Room] {
            try ClassicProtocol.rooms(value[key])
        }
        switch type {
        case .socketIDs:
            return .socketIDs(requestID: try requestID(), rooms: try rooms("rooms"))
        case .allRooms:
            return .allRooms(requestID: try requestID())
        case .join:
            guard let id = value["sid"]?.stringValue, value["opts"] == nil else {
                return .join(try ClassicProtocol.options(value["opts"]), rooms: try rooms("rooms"))
            }
            return .joinSocket(requestID: try requestID(), id: id, room: try ClassicProtocol.room(value["room"]))
        case .leave:
            guard let id = value["sid"]?.stringValue, value["opts"] == nil else {
                return .leave(try ClassicProtocol.options(value["opts"]), rooms: try rooms("rooms"))
            }
            return .leaveSocket(requestID: try requestID(), id: id, room: try ClassicProtocol.room(value["room"]))
        case .disconnect:
            let closing = value["close"]?.boolValue ?? false
            guard let id = value["sid"]?.stringValue, value["opts"] == nil else {
                return .disconnect(try ClassicProtocol.options(value["opts"]), closingConnection: closing)
            }
            return .disconnectSocket(requestID: try requestID(), id: id, closingConnection: closing)
        case .fetchSockets:
            return .fetchSockets(requestID: try requestID(), try ClassicProtocol.options(value["opts"]))
        case .serverSideEmit:
            guard let arguments = value["data"]?.arrayValue, arguments.first?.stringValue != nil else {
                throw ClassicProtocolError(.unexpectedShape, "an event without a name")
            }
            return .serverSideEmit(requestID: value["requestId"]?.stringValue, arguments: arguments)
        case .broadcast:
            guard let arguments = value["packet"]?["data"]?.arrayValue,
                arguments.first?.stringValue != nil || arguments.first?.intValue != nil
            else { throw ClassicProtocolError(.unexpectedShape, "a broadcast without an event") }
            guard (value["packet"]?["nsp"]?.stringValue ?? "/") == namespace else {
                throw ClassicProtocolError(.wrongChannel, "a broadcast for another namespace")
            }
            return .broadcast(
                requestID: try requestID(),
                arguments: arguments,
                try ClassicProtocol.options(value["opts"])
            )
        case .broadcastClientCount, .broadcastAcknowledgement:
            throw ClassicProtocolError(.wrongChannel, "a response among the requests")
        }
    }
}

extension ClassicProtocol {
    /// JSON if it starts with `{`, otherwise MessagePack.
    static func value(parsing message: ByteBuffer) throws(ClassicProtocolError) -> JSONValue {
        if message.getInteger(at: message.readerIndex, as: UInt8.self) == UInt8(ascii: "{") {
            do throws(JSONError) {
                return try JSONValue(parsing: message)
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

    static func options(_ value: JSONValue?) throws(ClassicProtocolError) -> BroadcastOptions {
        guard case .object(let members)? = value else {
            throw ClassicProtocolError(.unexpectedShape, "a request without options")
        }
        var options = BroadcastOptions()
        if let rooms = members["rooms"] { options.rooms = try self.rooms(rooms) }
        if let except = members["except"], !except.isNull { options.except = try self.rooms(except) }
        for (key, flag) in members["flags"]?.objectValue ?? [:] {
            switch flag {
            case .bool(let value):
                if let flag = BroadcastFlags.Flag(key, value) { options.flags.set(flag) }
            case .int, .double:
                guard key == "timeout", let value = flag.doubleValue else { continue }
                options.flags.set(.timeout(milliseconds: self.timeout(value)))
            default: continue
            }
        }
        return options
    }

    static func rooms(_ value: JSONValue?) throws(ClassicProtocolError) -> [Room] {
        guard case .array(let elements)? = value else {
            throw ClassicProtocolError(.unexpectedShape, "rooms that are no list")
        }
        var rooms: [Room] = []
        rooms.reserveCapacity(elements.count)
        for element in elements { rooms.append(try self.room(element)) }
        return rooms
    }

    /// A room's name, or the decimal text of a number.
    static func room(_ value: JSONValue?) throws(ClassicProtocolError) -> Room {
        if let name = value?.stringValue { return Room(name) }
        if let number = value?.intValue { return Room(String(number)) }
        throw ClassicProtocolError(.unexpectedShape, "a room that is neither text nor a number")
    }
}
