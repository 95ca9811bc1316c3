package import NIOCore
import OrderedCollections

/// Makes packets ready for sending: one buffer that holds the WebSocket frames, a slice of which is the text.
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

    /// An event whose arguments are written straight into the packet.
    ///
    /// - Parameters:
    ///   - name: The event's name, which becomes the first element of the payload.
    ///   - namespace: The namespace.
    ///   - id: The number under which an acknowledgement is wanted.
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

    /// An event whose name, too, is written by the closure, as the first element.
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

    /// The answer to an event, whose arguments are written straight into the packet.
    public static func acknowledgement<E: Error>(
        id: Int,
        namespace: String = "/",
        write: (inout PayloadWriter) throws(E) -> Void
    ) throws(E) -> EncodedPacket {
        try self.array(.acknowledgement, namespace: namespace, id: id, write: write)
    }

    /// Writes an event's frames behind what a WebSocket is sent with it; see ``event(_:namespace:id:write:)``.
    ///
    /// - Throws: What the closure throws; the buffer is as it was.
    package static func appendEvent(
        _ name: String,
        namespace: String,
        id: Int?,
        to frames: inout ByteBuffer?,
        write: (inout PayloadWriter) throws -> Void
    ) rethrows {
        try self.append(.event, namespace: namespace, id: id, to: &frames) { writer in
            writer.write(name)
            try write(&writer)
        }
    }

    /// Writes an answer's frames behind what a WebSocket is sent with it; see ``acknowledgement(id:namespace:write:)``.
    ///
    /// - Throws: What the closure throws; the buffer is as it was.
    package static func appendAcknowledgement(
        id: Int,
        namespace: String,
        to frames: inout ByteBuffer?,
        write: (inout PayloadWriter) throws -> Void
    ) rethrows {
        try self.append(.acknowledgement, namespace: namespace, id: id, to: &frames, write: write)
    }

    /// What a server answers to a client that has joined a namespace: `0{"sid":"..."}`.
    ///
    /// - Parameters:
    ///   - namespace: The namespace joined.
    ///   - sid: The socket's id.
    ///   - pid: The private id that recovers the socket's state, if that is on.
    /// - Returns: The packet.
    public static func connect(namespace: String = "/", sid: String, pid: String? = nil) -> EncodedPacket {
        var data: JSONObject = ["sid": .string(sid)]
        if let pid { data["pid"] = .string(pid) }
        return self.packet(.connect, namespace: namespace, data: .object(data))
    }

    /// What a client sends to join a namespace: `0{"token":"..."}`.
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
    /// Bytes become attachments in an event or acknowledgement; in other packets, which have none, they become JSON.
    package static func packet(
        _ type: PacketType,
        namespace: String = "/",
        id: Int? = nil,
        data: JSONValue?
    ) -> EncodedPacket {
        let prefix = PacketPrefix(type: type, namespace: namespace, id: id)
        var writer = PayloadWriter(prefixLength: prefix.length)
        switch type {
        case .event, .acknowledgement, .binaryEvent, .binaryAcknowledgement:
            if let data { writer.writeText(data) }
        case .connect, .disconnect, .connectError:
            if let data { writer.builder.buffer.writeJSON(data) }
        }
        return prefix.packet(writer)
    }

    /// An event or acknowledgement whose payload, an array, is the next value of a MessagePack text.
    ///
    /// This is the path of a packet from another node: it becomes JSON text without a tree between.
    ///
    /// - Parameters:
    ///   - type: ``PacketType/event`` or ``PacketType/acknowledgement``; the binary types mean the same.
    ///   - namespace: The namespace.
    ///   - id: The acknowledgement id.
    ///   - reader: Stands before the array, and behind it on success.
    /// - Returns: The packet, or `nil` if the next value is no array.
    /// - Throws: ``MessagePackError`` if the value is malformed.
    package static func packet(
        _ type: PacketType,
        namespace: String,
        id: Int? = nil,
        transcoding reader: inout MessagePackReader
    ) throws(MessagePackError) -> EncodedPacket? {
        guard try reader.peekKind() == .array else { return nil }
        let prefix = PacketPrefix(type: type, namespace: namespace, id: id)
        var writer = PayloadWriter(prefixLength: prefix.length)
        try writer.transcodeText(&reader)
        return prefix.packet(writer)
    }

    private static func array<E: Error>(
        _ type: PacketType,
        namespace: String,
        id: Int?,
        write: (inout PayloadWriter) throws(E) -> Void
    ) throws(E) -> EncodedPacket {
        let prefix = PacketPrefix(type: type, namespace: namespace, id: id, opensArray: true)
        var writer = PayloadWriter(prefixLength: prefix.length)
        try write(&writer)
        writer.closeArray()
        return prefix.packet(writer)
    }

    // Not generic over the error, unlike the others: it is on the way of every answer.
    private static func append(
        _ type: PacketType,
        namespace: String,
        id: Int?,
        to frames: inout ByteBuffer?,
        write: (inout PayloadWriter) throws -> Void
    ) rethrows {
        let prefix = PacketPrefix(type: type, namespace: namespace, id: id, opensArray: true)
        var writer = PayloadWriter(appendingTo: &frames, prefixLength: prefix.length)
        do {
            try write(&writer)
        } catch {
            writer.abandon(to: &frames)
            throw error
        }
        writer.closeArray()
        _ = prefix.finish(&writer)
        writer.complete(to: &frames)
    }
}

/// What stands before the payload, written after it: the type tells whether there are attachments.
private struct PacketPrefix {
    private let type: PacketType
    /// Empty for `/`.
    private let namespace: String
    private let id: Int?
    /// Whether the payload is an array whose elements are written one by one: its opening bracket belongs to the prefix.
    private let opensArray: Bool

    init(type: PacketType, namespace: String, id: Int?, opensArray: Bool = false) {
        self.type = type
        self.namespace = namespace == "/" ? "" : namespace
        self.id = id
        self.opensArray = opensArray
    }

    /// The bytes that it takes if there are no attachments.
    var length: Int { self.length(attachmentCount: nil) }

    private func length(attachmentCount: Int?) -> Int {
        var length = self.opensArray ? 3 : 2
        if let attachmentCount { length += attachmentCount.decimalLength + 1 }
        if !self.namespace.isEmpty { length += self.namespace.utf8.count + 1 }
        if let id { length += id.decimalLength }
        return length
    }

    /// The packet that the payload makes with this prefix.
    func packet(_ writer: consuming PayloadWriter) -> EncodedPacket {
        let layout = self.finish(&writer)
        return EncodedPacket(frames: writer.builder.buffer, layout)
    }

    /// Sets header and prefix before the payload.
    func finish(_ writer: inout PayloadWriter) -> FrameBuilder.Layout {
        let attachments = writer.attachments
        let count = attachments.isEmpty ? nil : attachments.count
        let type: PacketType =
            switch self.type {
            case .event, .binaryEvent: count == nil ? .event : .binaryEvent
            case .acknowledgement, .binaryAcknowledgement: count == nil ? .acknowledgement : .binaryAcknowledgement
            case .connect, .disconnect, .connectError: self.type
            }
        let length = self.length(attachmentCount: count)
        return writer.builder.finish(prefixLength: length, attachments: attachments) { bytes in
            bytes[0] = EnginePacketType.message.rawValue
            bytes[1] = UInt8(ascii: "0") + type.rawValue
            var index = 2
            if let count {
                index += bytes.setDecimal(count, at: index)
                bytes[index] = UInt8(ascii: "-")
                index += 1
            }
            if !self.namespace.isEmpty {
                for byte in self.namespace.utf8 {
                    bytes[index] = byte
                    index += 1
                }
                bytes[index] = UInt8(ascii: ",")
                index += 1
            }
            if let id { index += bytes.setDecimal(id, at: index) }
            if self.opensArray { bytes[index] = UInt8(ascii: "[") }
        }
    }
}
