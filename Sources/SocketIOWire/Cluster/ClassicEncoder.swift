package import NIOCore

/// Writes the messages of the classic adapter, members in the order in which official nodes write them.
package struct ClassicEncoder: Sendable {
    /// The order of a broadcast's options: nodes and emitters differ.
    package enum OptionOrder: Sendable {
        case node
        case emitter
    }

    private let namespace: String
    private let writesNumericRooms: Bool

    /// Makes an encoder.
    ///
    /// - Parameters:
    ///   - namespace: Its name, with the slash.
    ///   - writesNumericRooms: Whether a room whose name is a decimal integer is written as a number. Node's
    ///     `socket.join(42)` makes another room than `socket.join("42")`; a Swift server has only the latter.
    package init(namespace: String, writesNumericRooms: Bool = false) {
        self.namespace = namespace
        self.writesNumericRooms = writesNumericRooms
    }

    // MARK: Broadcast

    /// A broadcast: `[uid, {type, data, nsp}, {rooms, except, flags}]` in MessagePack.
    package func broadcast(
        uid: String,
        arguments: [JSONValue],
        options: BroadcastOptions,
        order: OptionOrder = .node
    ) -> ByteBuffer {
        self.broadcast(uid: uid, options: options, order: order) { buffer in
            buffer.writeMessagePackArrayHeader(count: arguments.count)
            for argument in arguments { buffer.writeMessagePack(argument) }
        }
    }

    /// A broadcast whose `[event, argument...]` the closure writes.
    package func broadcast(
        uid: String,
        options: BroadcastOptions,
        order: OptionOrder = .node,
        writeData: (inout ByteBuffer) -> Void
    ) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(256)
        buffer.writeMessagePackArrayHeader(count: 3)
        buffer.writeMessagePack(uid)
        self.writePacket(into: &buffer, writeData)
        self.writeOptions(options, order, into: &buffer)
        return buffer
    }

    // MARK: Requests

    /// Makes sockets join rooms.
    ///
    /// Emitters give no uid.
    package func join(uid: String?, options: BroadcastOptions, rooms: [Room]) -> ByteBuffer {
        self.request(.join, uid: uid) { self.writeOptions(options, rooms: rooms, into: &$0) }
    }

    /// Makes sockets leave rooms.
    ///
    /// Emitters give no uid.
    package func leave(uid: String?, options: BroadcastOptions, rooms: [Room]) -> ByteBuffer {
        self.request(.leave, uid: uid) { self.writeOptions(options, rooms: rooms, into: &$0) }
    }

    /// Disconnects sockets.
    ///
    /// Emitters give no uid.
    package func disconnect(uid: String?, options: BroadcastOptions, closingConnection: Bool) -> ByteBuffer {
        self.request(.disconnect, uid: uid) { buffer in
            self.writeOptions(options, into: &buffer)
            buffer.writeStaticString(",\"close\":")
            buffer.writeJSONBool(closingConnection)
        }
    }

    /// Asks every node for its matching sockets.
    package func fetchSockets(uid: String, requestID: String, options: BroadcastOptions) -> ByteBuffer {
        self.request(.fetchSockets, uid: uid, requestID: requestID) { self.writeOptions(options, into: &$0) }
    }

    /// Asks every node for its rooms.
    package func allRooms(uid: String, requestID: String) -> ByteBuffer {
        self.request(.allRooms, uid: uid, requestID: requestID) { _ in }
    }

    /// Sends an event to the servers, which answer if there is a request id.
    package func serverSideEmit(uid: String, requestID: String?, arguments: [JSONValue]) -> ByteBuffer {
        self.request(.serverSideEmit, uid: uid, requestID: requestID) { buffer in
            buffer.writeStaticString(",\"data\":")
            buffer.writeJSON(.array(arguments))
        }
    }

    /// A broadcast whose clients acknowledge; the only request in MessagePack.
    package func broadcastRequest(
        uid: String,
        requestID: String,
        arguments: [JSONValue],
        options: BroadcastOptions
    ) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(256)
        buffer.writeMessagePackMapHeader(count: 5)
        buffer.writeMessagePack("uid")
        buffer.writeMessagePack(uid)
        buffer.writeMessagePack("requestId")
        buffer.writeMessagePack(requestID)
        buffer.writeMessagePack("type")
        buffer.writeMessagePack(ClassicProtocol.MessageType.broadcast.rawValue)
        buffer.writeMessagePack("packet")
        self.writePacket(into: &buffer) { buffer in
            buffer.writeMessagePackArrayHeader(count: arguments.count)
            for argument in arguments { buffer.writeMessagePack(argument) }
        }
        buffer.writeMessagePack("opts")
        self.writeOptions(options, .node, into: &buffer)
        return buffer
    }

    // MARK: Responses

    /// Confirms that a request was carried out: `{"requestId":"…"}`.
    package func done(requestID: JSONValue?) -> ByteBuffer {
        self.response(requestID: requestID) { _ in }
    }

    /// Answers with the ids of sockets.
    package func socketIDs(requestID: JSONValue?, ids: [String]) -> ByteBuffer {
        self.response(requestID: requestID) { buffer in
            buffer.writeStaticString("\"sockets\":")
            buffer.writeJSON(.array(ids.map { .string($0) }))
        }
    }

    /// Answers with the names of rooms.
    package func allRooms(requestID: JSONValue?, rooms: some Sequence<Room>) -> ByteBuffer {
        self.response(requestID: requestID) { buffer in
            buffer.writeStaticString("\"rooms\":")
            self.writeRooms(rooms, into: &buffer)
        }
    }

    /// Answers with sockets that ``append(_:to:)`` has written.
    package func sockets(requestID: JSONValue?, sockets: ByteBuffer) -> ByteBuffer {
        self.response(requestID: requestID) { buffer in
            buffer.writeStaticString("\"sockets\":[")
            buffer.writeImmutableBuffer(sockets)
            buffer.writeStaticString("]")
        }
    }

    /// Adds a socket to a list of them.
    package func append(_ socket: SocketDescription, to buffer: inout ByteBuffer) {
        buffer.writeStaticString(buffer.readableBytes == 0 ? "{\"id\":" : ",{\"id\":")
        buffer.writeJSONString(socket.id)
        buffer.writeStaticString(",\"handshake\":")
        buffer.writeJSON(socket.handshake)
        buffer.writeStaticString(",\"rooms\":")
        self.writeRooms(socket.rooms, into: &buffer)
        buffer.writeStaticString(",\"data\":")
        buffer.writeJSON(socket.data)
        buffer.writeStaticString("}")
    }

    /// Refuses to answer a question and says why; official nodes read it as an empty list.
    package func refusal(
        requestID: JSONValue?,
        of question: ClusterResponse.Question,
        reason: String
    ) -> ByteBuffer {
        self.response(requestID: requestID) { buffer in
            buffer.writeStaticString(question == .rooms ? "\"rooms\":[],\"" : "\"sockets\":[],\"")
            buffer.writeString(ClusterResponse.refusalKey.string)
            buffer.writeStaticString("\":")
            buffer.writeJSONString(reason)
        }
    }

    /// Answers an event of another server; `nil` is JavaScript's `undefined`.
    package func serverSideAnswer(requestID: JSONValue?, value: JSONValue?) -> ByteBuffer {
        self.response(.serverSideEmit, requestID: requestID) { buffer in
            guard let value else { return }
            buffer.writeStaticString("\"data\":")
            buffer.writeJSON(value)
        }
    }

    /// Tells how many clients were sent a broadcast that they acknowledge.
    package func clientCount(requestID: JSONValue?, count: Int) -> ByteBuffer {
        self.response(.broadcastClientCount, requestID: requestID) { buffer in
            buffer.writeStaticString("\"clientCount\":")
            buffer.writeJSONInteger(count)
        }
    }

    /// Passes on the first argument of a client's acknowledgement, in MessagePack because it may contain bytes.
    package func acknowledgement(requestID: JSONValue?, value: JSONValue?) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeMessagePackMapHeader(count: 1 + (requestID == nil ? 0 : 1) + (value == nil ? 0 : 1))
        buffer.writeMessagePack("type")
        buffer.writeMessagePack(ClassicProtocol.MessageType.broadcastAcknowledgement.rawValue)
        if let requestID {
            buffer.writeMessagePack("requestId")
            buffer.writeMessagePack(requestID)
        }
        if let value {
            buffer.writeMessagePack("packet")
            buffer.writeMessagePack(value)
        }
        return buffer
    }

    // MARK: JSON

    private func request(
        _ type: ClassicProtocol.MessageType,
        uid: String?,
        requestID: String? = nil,
        _ writeRest: (inout ByteBuffer) -> Void
    ) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeStaticString("{")
        if let uid {
            buffer.writeStaticString("\"uid\":")
            buffer.writeJSONString(uid)
            buffer.writeStaticString(",")
        }
        if let requestID {
            buffer.writeStaticString("\"requestId\":")
            buffer.writeJSONString(requestID)
            buffer.writeStaticString(",")
        }
        buffer.writeStaticString("\"type\":")
        buffer.writeJSONInteger(type.rawValue)
        writeRest(&buffer)
        buffer.writeStaticString("}")
        return buffer
    }

    /// Writes a response; the closure writes its other members, if there are any.
    private func response(
        _ type: ClassicProtocol.MessageType? = nil,
        requestID: JSONValue?,
        _ writeRest: (inout ByteBuffer) -> Void
    ) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeStaticString("{")
        if let type {
            buffer.writeStaticString("\"type\":")
            buffer.writeJSONInteger(type.rawValue)
            buffer.writeStaticString(",")
        }
        if let requestID {
            buffer.writeStaticString("\"requestId\":")
            buffer.writeJSON(requestID)
            buffer.writeStaticString(",")
        }
        writeRest(&buffer)
        // Either the comma, or the brace if there is nothing at all.
        if buffer.getInteger(at: buffer.writerIndex - 1, as: UInt8.self) == UInt8(ascii: ",") {
            buffer.moveWriterIndex(to: buffer.writerIndex - 1)
        }
        buffer.writeStaticString("}")
        return buffer
    }

    private func writeOptions(_ options: BroadcastOptions, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(",\"opts\":{\"rooms\":")
        self.writeRooms(options.rooms, into: &buffer)
        buffer.writeStaticString(",\"except\":")
        self.writeRooms(options.except, into: &buffer)
        buffer.writeStaticString("}")
    }

    private func writeOptions(_ options: BroadcastOptions, rooms: [Room], into buffer: inout ByteBuffer) {
        self.writeOptions(options, into: &buffer)
        buffer.writeStaticString(",\"rooms\":")
        self.writeRooms(rooms, into: &buffer)
    }

    private func writeRooms(_ rooms: some Sequence<Room>, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("[")
        var isFirst = true
        for room in rooms {
            if !isFirst { buffer.writeStaticString(",") }
            isFirst = false
            if let number = self.number(of: room) {
                buffer.writeJSONInteger(number)
            } else {
                buffer.writeJSONString(room.name)
            }
        }
        buffer.writeStaticString("]")
    }

    // MARK: MessagePack

    private func writePacket(into buffer: inout ByteBuffer, _ writeData: (inout ByteBuffer) -> Void) {
        buffer.writeMessagePackMapHeader(count: 3)
        buffer.writeMessagePack("type")
        buffer.writeMessagePack(Int(PacketType.event.rawValue))
        buffer.writeMessagePack("data")
        writeData(&buffer)
        buffer.writeMessagePack("nsp")
        buffer.writeMessagePack(self.namespace)
    }

    private func writeOptions(_ options: BroadcastOptions, _ order: OptionOrder, into buffer: inout ByteBuffer) {
        buffer.writeMessagePackMapHeader(count: 3)
        self.writeRooms("rooms", options.rooms, into: &buffer)
        if order == .node { self.writeRooms("except", options.except, into: &buffer) }
        buffer.writeMessagePack("flags")
        buffer.writeMessagePackMapHeader(count: options.flags.flags.count)
        for flag in options.flags.flags {
            buffer.writeMessagePack(flag.kind)
            switch flag {
            case .volatile(let value), .compress(let value), .local(let value), .expectSingleResponse(let value),
                .broadcast(let value), .binary(let value):
                buffer.writeMessagePack(value)
            case .timeout(let milliseconds):
                buffer.writeMessagePack(milliseconds)
            }
        }
        if order == .emitter { self.writeRooms("except", options.except, into: &buffer) }
    }

    private func writeRooms(_ key: String, _ rooms: [Room], into buffer: inout ByteBuffer) {
        buffer.writeMessagePack(key)
        buffer.writeMessagePackArrayHeader(count: rooms.count)
        for room in rooms {
            if let number = self.number(of: room) {
                buffer.writeMessagePack(number)
            } else {
                buffer.writeMessagePack(room.name)
            }
        }
    }

    /// The room's name as a number, if rooms are written as numbers and JavaScript writes it with the same characters.
    private func number(of room: Room) -> Int? {
        guard self.writesNumericRooms, let number = Int(room.name), Room(String(number)) == room else { return nil }
        return number
    }
}
