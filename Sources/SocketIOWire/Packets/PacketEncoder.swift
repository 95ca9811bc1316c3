import NIOCore
import OrderedCollections

/// Encodes packets for sending.
///
/// One buffer holds the WebSocket frames, and the text is a slice of it.
public enum PacketEncoder {
    /// An event: `2["hi",1]`, or `51-["hi",{"_placeholder":true,"num":0}]` if there are bytes among the arguments.
    public static func event(
        _ name: String,
        arguments: [JSONValue],
        namespace: String = "/",
        id: Int? = nil
    ) -> EncodedPacket {
        self.event(name, namespace: namespace, id: id) { $0.write(contentsOf: arguments) }
    }

    /// An event whose arguments a closure writes directly into the packet.
    ///
    /// - Parameters:
    ///   - name: The event's name, which becomes the first element of the payload.
    ///   - namespace: The namespace.
    ///   - id: The number that the acknowledgement must carry, if one is wanted.
    ///   - write: Writes the arguments, one after the other.
    /// - Returns: The packet.
    /// - Throws: What the closure throws.
    public static func event<E: Error>(
        _ name: String,
        namespace: String = "/",
        id: Int? = nil,
        write: (inout PayloadWriter) throws(E) -> Void
    ) throws(E) -> EncodedPacket {
        try self.array(.event, namespace: namespace, id: id) { writer throws(E) in
            writer.write(name)
            try write(&writer)
        }
    }

    /// An event of which the closure also writes the name, as the first element.
    public static func event<E: Error>(
        namespace: String = "/",
        id: Int? = nil,
        write: (inout PayloadWriter) throws(E) -> Void
    ) throws(E) -> EncodedPacket {
        try self.array(.event, namespace: namespace, id: id, write: write)
    }

    /// The answer to an event: `31["ok"]`.
    public static func acknowledgement(
        id: Int,
        arguments: [JSONValue],
        namespace: String = "/"
    ) -> EncodedPacket {
        self.acknowledgement(id: id, namespace: namespace) { $0.write(contentsOf: arguments) }
    }

    /// The answer to an event, whose arguments a closure writes directly into the packet.
    public static func acknowledgement<E: Error>(
        id: Int,
        namespace: String = "/",
        write: (inout PayloadWriter) throws(E) -> Void
    ) throws(E) -> EncodedPacket {
        try self.array(.acknowledgement, namespace: namespace, id: id, write: write)
    }

    /// Writes an event's frames behind what a WebSocket is to send before it; see ``event(_:namespace:id:write:)``.
    ///
    /// - Throws: What the closure throws. Then the buffer is unchanged.
    package static func appendEvent(
        _ name: String,
        namespace: String,
        id: Int?,
        to frames: inout ByteWriter?,
        write: (inout PayloadWriter) throws -> Void
    ) rethrows {
        try self.append(.event, namespace: namespace, id: id, to: &frames) { writer in
            writer.write(name)
            try write(&writer)
        }
    }

    /// Writes an answer's frames behind what a WebSocket is to send before it; see
    /// ``acknowledgement(id:namespace:write:)``.
    ///
    /// - Throws: What the closure throws. Then the buffer is unchanged.
    package static func appendAcknowledgement(
        id: Int,
        namespace: String,
        to frames: inout ByteWriter?,
        write: (inout PayloadWriter) throws -> Void
    ) rethrows {
        try self.append(.acknowledgement, namespace: namespace, id: id, to: &frames, write: write)
    }

    /// The answer to a client that has joined a namespace: `0{"sid":"..."}`.
    ///
    /// - Parameters:
    ///   - namespace: The namespace joined.
    ///   - sid: The socket's id.
    ///   - pid: The private id that recovers the socket's state, if recovery is on.
    ///   - offset: The end of the log of events, if recovery is on: what comes later has a later offset.
    /// - Returns: The packet.
    public static func connect(
        namespace: String = "/",
        sid: String,
        pid: String? = nil,
        offset: String? = nil
    ) -> EncodedPacket {
        var data: JSONObject = ["sid": .string(sid)]
        if let pid { data["pid"] = .string(pid) }
        if let offset { data["offset"] = .string(offset) }
        return self.packet(.connect, namespace: namespace, data: .object(data))
    }

    /// The packet with which a client joins a namespace: `0{"token":"..."}`.
    public static func connect(namespace: String = "/", auth: JSONValue?) -> EncodedPacket {
        self.packet(.connect, namespace: namespace, data: auth)
    }

    /// Leaves a namespace, or makes the other side leave it: `1/admin,`.
    public static func disconnect(namespace: String = "/") -> EncodedPacket {
        self.packet(.disconnect, namespace: namespace, data: nil)
    }

    /// Refuses a client that wants to join a namespace: `4{"message":"...","data":...}`.
    public static func connectError(
        namespace: String = "/",
        message: String,
        data: JSONValue? = nil
    ) -> EncodedPacket {
        var error: JSONObject = ["message": .string(message)]
        if let data { error["data"] = data }
        return self.packet(.connectError, namespace: namespace, data: .object(error))
    }

    /// Any packet.
    ///
    /// Bytes become attachments in an event or acknowledgement. Other packets have no attachments, so bytes become JSON
    /// there.
    package static func packet(
        _ type: PacketType,
        namespace: String = "/",
        id: Int? = nil,
        data: JSONValue?
    ) -> EncodedPacket {
        let prefix = PacketPrefix(type: type, namespace: namespace, id: id)
        return self.packet(prefix) { writer in
            guard let data else { return }
            switch type {
            case .event, .acknowledgement, .binaryEvent, .binaryAcknowledgement:
                writer.writeText(data)
            case .connect, .disconnect, .connectError:
                writer.builder.bytes.writeJSON(data)
            }
        }
    }

    /// An event or acknowledgement whose payload is the next value in MessagePack, an array.
    ///
    /// Packets from other nodes take this way. They become JSON text without a tree of values.
    ///
    /// - Parameters:
    ///   - type: ``PacketType/event`` or ``PacketType/acknowledgement``. The binary types mean the same.
    ///   - namespace: The namespace.
    ///   - id: The acknowledgement id.
    ///   - reader: Stands before the array. On success it stands behind it.
    /// - Returns: The packet; `nil` if the next value is no array.
    /// - Throws: ``MessagePackError`` if the value is malformed.
    package static func packet(
        _ type: PacketType,
        namespace: String,
        id: Int? = nil,
        transcoding reader: inout MessagePackReader
    ) throws(MessagePackError) -> EncodedPacket? {
        guard try reader.peekKind() == .array else { return nil }
        let prefix = PacketPrefix(type: type, namespace: namespace, id: id)
        return try self.packet(prefix) { writer throws(MessagePackError) in try writer.transcodeText(&reader) }
    }

    /// An event whose name and arguments are a JSON text already; it is trusted to be an array that is not empty.
    ///
    /// - Parameters:
    ///   - namespace: The namespace.
    ///   - text: `["event",argument...]`, without white space behind it.
    ///   - argument: One more argument, a text that needs no escapes.
    /// - Returns: The packet.
    static func event(namespace: String, text: ByteBuffer, appending argument: String?) -> EncodedPacket {
        self.packet(PacketPrefix(type: .event, namespace: namespace, id: nil)) { writer in
            writer.builder.bytes.reserveCapacity(minimumWritableBytes: text.readableBytes + 32)
            guard let argument else { return writer.builder.bytes.writeImmutableBuffer(text) }
            let head = text.getSlice(at: text.readerIndex, length: max(text.readableBytes - 1, 0))
            writer.builder.bytes.writeImmutableBuffer(head ?? text)
            writer.builder.bytes.writeStaticString(",\"")
            writer.builder.bytes.writeString(argument)
            writer.builder.bytes.writeStaticString("\"]")
        }
    }

    private static func array<E: Error>(
        _ type: PacketType,
        namespace: String,
        id: Int?,
        write: (inout PayloadWriter) throws(E) -> Void
    ) throws(E) -> EncodedPacket {
        let prefix = PacketPrefix(type: type, namespace: namespace, id: id, opensArray: true)
        return try self.packet(prefix) { writer throws(E) in
            try write(&writer)
            writer.closeArray()
        }
    }

    private static func packet<E: Error>(
        _ prefix: PacketPrefix,
        write: (inout PayloadWriter) throws(E) -> Void
    ) throws(E) -> EncodedPacket {
        // Most packets are short, and the memory that they are written to is used only for a moment.
        let result = withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 16) {
            scratch -> Result<EncodedPacket, E> in
            var writer = PayloadWriter(prefix, ByteWriter(lent: scratch))
            var failure: E?
            do throws(E) {
                try write(&writer)
            } catch {
                failure = error
            }
            // Two closures, one inside of the other, could swap their writers. Then the memory of the outer one would
            // be gone.
            precondition(writer.builder.bytes.outlives(nothingBut: scratch), "a PayloadWriter stays with its closure")
            if let failure { return .failure(failure) }
            let layout = writer.finish()
            return .success(EncodedPacket(writer.builder.bytes, layout))
        }
        return try result.get()
    }

    // Unlike the others, it is not generic over the error, because every answer takes this way.
    private static func append(
        _ type: PacketType,
        namespace: String,
        id: Int?,
        to frames: inout ByteWriter?,
        write: (inout PayloadWriter) throws -> Void
    ) rethrows {
        let prefix = PacketPrefix(type: type, namespace: namespace, id: id, opensArray: true)
        var writer = PayloadWriter(prefix, appendingTo: &frames)
        do {
            try write(&writer)
        } catch {
            writer.abandon(to: &frames)
            throw error
        }
        writer.closeArray()
        _ = writer.finish()
        writer.complete(to: &frames)
    }
}

/// What stands before the payload if there are no attachments.
struct PacketPrefix {
    private let type: PacketType
    /// It is empty for `/`.
    private let namespace: String
    private let id: Int?
    /// Whether the payload is an array whose elements are written one by one.
    ///
    /// Then its opening bracket belongs to the prefix.
    private let opensArray: Bool

    init(type: PacketType, namespace: String, id: Int?, opensArray: Bool = false) {
        self.type = type
        self.namespace = UTF8Text(namespace) == "/" ? "" : namespace
        self.id = id
        self.opensArray = opensArray
    }

    func write(to bytes: inout ByteWriter) {
        let type: PacketType =
            switch self.type {
            case .binaryEvent: .event
            case .binaryAcknowledgement: .acknowledgement
            case .connect, .disconnect, .event, .acknowledgement, .connectError: self.type
            }
        bytes.reserveCapacity(minimumWritableBytes: 128)
        bytes.writeInteger(EnginePacketType.message.rawValue)
        bytes.writeInteger(UInt8(ascii: "0") + type.rawValue)
        if !self.namespace.isEmpty {
            bytes.writeString(self.namespace)
            bytes.writeInteger(UInt8(ascii: ","))
        }
        if let id = self.id { bytes.writeJSONInteger(id) }
        if self.opensArray { bytes.writeInteger(UInt8(ascii: "[")) }
    }
}
