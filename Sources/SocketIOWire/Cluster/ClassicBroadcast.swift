package import NIOCore

/// A broadcast as it came from Redis: its addressees are read, its event is still MessagePack.
package struct ClassicBroadcast: Sendable {
    /// Who sent it; emitters are called `emitter`.
    package let uid: String
    /// The namespace it is for.
    package let namespace: String
    package let options: BroadcastOptions
    /// `[event, argument...]` in MessagePack: a slice of the message.
    package let data: ByteBuffer

    /// Reads `[uid, {type, data, nsp}, {rooms, except, flags}]`.
    ///
    /// Keys may come in any order, and unknown ones are ignored.
    package init(parsing message: ByteBuffer) throws(ClassicProtocolError) {
        do throws(MessagePackError) {
            var reader = MessagePackReader(message)
            guard try reader.readArrayHeader() >= 3 else { throw MessagePackError(.unexpectedType, at: 0) }
            self.uid = try reader.readString()
            var data: ByteBuffer?
            var namespace = "/"
            for _ in 0..<(try reader.readMapHeader()) {
                switch try reader.readKey() {
                case "data": data = try reader.readRawValue()
                case "nsp": namespace = try reader.readString()
                case "type":
                    let type = try reader.readInt()
                    guard type == PacketType.event.rawValue || type == PacketType.binaryEvent.rawValue else {
                        throw MessagePackError(.unexpectedType, at: reader.offset)
                    }
                default: try reader.skipValue()
                }
            }
            guard let data else { throw MessagePackError(.unexpectedType, at: reader.offset) }
            self.data = data
            self.namespace = namespace
            self.options = try Self.options(&reader)
        } catch {
            throw ClassicProtocolError(error)
        }
    }

    /// The packet for this node's clients: MessagePack becomes JSON text directly.
    package func packet() throws(ClassicProtocolError) -> EncodedPacket {
        do throws(MessagePackError) {
            return try PacketEncoder.event(namespace: self.namespace) { writer throws(MessagePackError) in
                var reader = MessagePackReader(self.data)
                let count = try reader.readArrayHeader()
                guard count > 0 else { throw MessagePackError(.unexpectedType, at: 0) }
                switch try reader.peekKind() {
                case .string, .integer: break
                default: throw MessagePackError(.unexpectedType, at: reader.offset)
                }
                for _ in 0..<count { try writer.transcode(&reader) }
                try reader.expectEnd()
            }
        } catch {
            throw ClassicProtocolError(error)
        }
    }

    private static func options(_ reader: inout MessagePackReader) throws(MessagePackError) -> BroadcastOptions {
        var options = BroadcastOptions()
        for _ in 0..<(try reader.readMapHeader()) {
            switch try reader.readKey() {
            case "rooms": options.rooms = try Self.rooms(&reader)
            case "except": options.except = try Self.rooms(&reader)
            case "flags":
                guard try !reader.skipNil() else { continue }
                for _ in 0..<(try reader.readMapHeader()) {
                    let key = try reader.readKey()
                    switch try reader.peekKind() {
                    case .bool:
                        let value = try reader.readBool()
                        if let flag = BroadcastFlags.Flag(key, value) { options.flags.set(flag) }
                    case .integer where key == "timeout", .float where key == "timeout":
                        let value = try reader.readDouble()
                        options.flags.set(.timeout(milliseconds: ClassicProtocol.timeout(value)))
                    default: try reader.skipValue()
                    }
                }
            default: try reader.skipValue()
            }
        }
        return options
    }

    private static func rooms(_ reader: inout MessagePackReader) throws(MessagePackError) -> [Room] {
        guard try !reader.skipNil() else { return [] }
        let count = try reader.readArrayHeader()
        var rooms: [Room] = []
        rooms.reserveCapacity(min(count, 64))
        // Text, or the decimal text of a number.
        for _ in 0..<count { rooms.append(Room(try reader.readKey().string)) }
        return rooms
    }
}

extension ClassicProtocolError {
    init(_ error: MessagePackError) {
        let reason: Reason =
            switch error.reason {
            case .unexpectedType, .unsupportedKey: .unexpectedShape
            case .unexpectedEnd, .unusedByte, .tooDeep, .tooManyAttachments, .tooLong, .trailingBytes: .undecodable
            }
        self.init(reason, error.description)
    }
}

extension ClassicProtocol {
    /// A number of milliseconds that can be waited for.
    static func timeout(_ milliseconds: Double) -> Int {
        milliseconds >= 0 ? Int(min(milliseconds, Double(self.longestTimeout))) : 0
    }
}

extension BroadcastFlags.Flag {
    /// The flag of that key, if it is one that is either set or not.
    init?(_ kind: UTF8Text, _ value: Bool) {
        switch kind {
        case "volatile": self = .volatile(value)
        case "compress": self = .compress(value)
        case "local": self = .local(value)
        case "expectSingleResponse": self = .expectSingleResponse(value)
        case "broadcast": self = .broadcast(value)
        case "binary": self = .binary(value)
        default: return nil
        }
    }
}
