/// The members of each message's `data`, in the order in which official nodes, or emitters, write them.
struct ClusterDataLayout: Sendable {
    /// The namespace that an emitter's packets name; `nil` for a node, whose packets don't name it.
    let emitterNamespace: String?
    let writesNumericRooms: Bool

    func write<Writer: ClusterDataWriter & ~Copyable>(_ message: ClusterMessage, to writer: inout Writer) {
        switch message {
        case .broadcast(let arguments, let options, let requestID, let packetID):
            writer.beginObject(count: requestID == nil ? 2 : 3)
            self.writePacket(arguments, id: packetID, to: &writer)
            if let requestID {
                writer.key("requestId")
                writer.write(requestID)
            }
            self.writeOptions(options, isOfBroadcast: true, to: &writer)
        case .join(let options, let rooms), .leave(let options, let rooms):
            writer.beginObject(count: 2)
            self.writeOptions(options, to: &writer)
            self.writeRooms("rooms", rooms, to: &writer)
        case .disconnect(let options, let closingConnection):
            writer.beginObject(count: 2)
            self.writeOptions(options, to: &writer)
            writer.key("close")
            writer.write(closingConnection)
        case .fetchSockets(let options, let requestID):
            writer.beginObject(count: 2)
            self.writeOptions(options, to: &writer)
            writer.key("requestId")
            writer.write(requestID)
        case .serverSideEmit(let arguments, let requestID):
            writer.beginObject(count: requestID == nil ? 1 : 2)
            if let requestID {
                writer.key("requestId")
                writer.write(requestID)
            }
            writer.key("packet")
            self.writeList(arguments, to: &writer)
        case .sockets(let sockets, let requestID):
            self.beginResponse(requestID, count: 1, to: &writer)
            writer.key("sockets")
            writer.beginArray(count: sockets.count)
            for socket in sockets { self.writeSocket(socket, to: &writer) }
            writer.endArray()
        case .refusal(let reason, let requestID):
            self.beginResponse(requestID, count: 2, to: &writer)
            writer.key("sockets")
            writer.beginArray(count: 0)
            writer.endArray()
            writer.key("refused")
            writer.write(reason)
        case .serverSideAnswer(let value, let requestID), .acknowledgement(let value, let requestID):
            self.beginResponse(requestID, count: value != nil || writer.writesUndefined ? 1 : 0, to: &writer)
            self.writeMember("packet", value, to: &writer)
        case .clientCount(let count, let requestID):
            self.beginResponse(requestID, count: 1, to: &writer)
            writer.key("clientCount")
            writer.write(count)
        }
        writer.endObject()
    }

    private func beginResponse<Writer: ClusterDataWriter & ~Copyable>(
        _ requestID: JSONValue?,
        count: Int,
        to writer: inout Writer
    ) {
        writer.beginObject(count: count + (requestID != nil || writer.writesUndefined ? 1 : 0))
        self.writeMember("requestId", requestID, to: &writer)
    }

    private func writeMember<Writer: ClusterDataWriter & ~Copyable>(
        _ key: StaticString,
        _ value: JSONValue?,
        to writer: inout Writer
    ) {
        guard value != nil || writer.writesUndefined else { return }
        writer.key(key)
        writer.write(value ?? .null)
    }

    private func writePacket<Writer: ClusterDataWriter & ~Copyable>(
        _ arguments: [JSONValue],
        id: Int?,
        to writer: inout Writer
    ) {
        writer.key("packet")
        writer.beginObject(count: 2 + (id == nil ? 0 : 1) + (self.emitterNamespace == nil ? 0 : 1))
        writer.key("type")
        writer.write(Int(PacketType.event.rawValue))
        writer.key("data")
        self.writeList(arguments, to: &writer)
        if let id {
            writer.key("id")
            writer.write(id)
        }
        if let namespace = self.emitterNamespace {
            writer.key("nsp")
            writer.write(namespace)
        }
        writer.endObject()
    }

    private func writeList<Writer: ClusterDataWriter & ~Copyable>(_ values: [JSONValue], to writer: inout Writer) {
        writer.beginArray(count: values.count)
        for value in values {
            writer.element()
            writer.write(value)
        }
        writer.endArray()
    }

    private func writeSocket<Writer: ClusterDataWriter & ~Copyable>(
        _ socket: SocketDescription,
        to writer: inout Writer
    ) {
        writer.element()
        writer.beginObject(count: 4)
        writer.key("id")
        writer.write(socket.id)
        writer.key("handshake")
        writer.write(socket.handshake)
        self.writeRooms("rooms", socket.rooms, to: &writer)
        writer.key("data")
        writer.write(socket.data)
        writer.endObject()
    }

    // MARK: Options

    /// Writes the options; an emitter's broadcast has them in another order than everything else.
    private func writeOptions<Writer: ClusterDataWriter & ~Copyable>(
        _ options: BroadcastOptions,
        isOfBroadcast: Bool = false,
        to writer: inout Writer
    ) {
        writer.key("opts")
        writer.beginObject(count: 3)
        self.writeRooms("rooms", options.rooms, to: &writer)
        if isOfBroadcast, self.emitterNamespace != nil {
            self.writeFlags(options.flags, to: &writer)
            self.writeRooms("except", options.except, to: &writer)
        } else {
            self.writeRooms("except", options.except, to: &writer)
            self.writeFlags(options.flags, to: &writer)
        }
        writer.endObject()
    }

    private func writeFlags<Writer: ClusterDataWriter & ~Copyable>(_ flags: BroadcastFlags, to writer: inout Writer) {
        writer.key("flags")
        writer.beginObject(count: flags.flags.count)
        for flag in flags.flags {
            writer.key(flag.key)
            switch flag {
            case .volatile(let value), .compress(let value), .local(let value), .expectSingleResponse(let value),
                .broadcast(let value), .binary(let value):
                writer.write(value)
            case .timeout(let milliseconds):
                writer.write(milliseconds)
            }
        }
        writer.endObject()
    }

    private func writeRooms<Writer: ClusterDataWriter & ~Copyable>(
        _ key: StaticString,
        _ rooms: [Room],
        to writer: inout Writer
    ) {
        writer.key(key)
        writer.beginArray(count: rooms.count)
        for room in rooms {
            writer.element()
            if self.writesNumericRooms, let number = Int(room.name), Room(String(number)) == room {
                writer.write(number)
            } else {
                writer.write(room.name)
            }
        }
        writer.endArray()
    }
}

extension BroadcastFlags.Flag {
    /// The same as ``kind``.
    fileprivate var key: StaticString {
        switch self {
        case .volatile: "volatile"
        case .compress: "compress"
        case .local: "local"
        case .timeout: "timeout"
        case .expectSingleResponse: "expectSingleResponse"
        case .broadcast: "broadcast"
        case .binary: "binary"
        }
    }
}
