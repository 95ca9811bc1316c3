package import NIOCore

/// A broadcast as it came from Redis: its addressees are read, its event is still MessagePack.
///
/// Nodes and emitters of many languages write these. What can be read is read as they mean it; what would reach other
/// clients than they meant is an error.
package struct ClassicBroadcast: Sendable {
    /// Who sent it, if that is a text; emitters are called `emitter`.
    package let uid: UTF8Text?
    /// The namespace it is for; `nil` if that is no text.
    package let namespace: UTF8Text?
    /// Whom it addresses; `nil`: nobody who could be here.
    package let options: BroadcastOptions?
    /// `[event, argument...]` in MessagePack: a slice of the message.
    package let data: ByteBuffer

    /// Reads `[uid, {type, data, nsp}, {rooms, except, flags}]`.
    ///
    /// Keys may come in any order, and unknown ones are ignored.
    package init(parsing message: ByteBuffer) throws(ClassicProtocolError) {
        do throws(MessagePackError) {
            var reader = MessagePackReader(message)
            let count = try reader.readArrayHeader()
            guard count >= 3 else { throw MessagePackError(.unexpectedType, at: 0) }
            self.uid = try Self.text(&reader)
            var data: ByteBuffer?
            var isEvent = false
            var namespace: UTF8Text? = "/"
            for _ in 0..<(try reader.readMapHeader()) {
                switch try reader.readKey() {
                case "data"?: data = try reader.readRawValue()
                case "nsp"?: namespace = try reader.skipUndefined() ? "/" : try Self.text(&reader)
                case "type"?: isEvent = Self.isEvent(try reader.readJSONValue())
                // Bytes that have slipped: then the options are not what they seem, either.
                case nil: throw MessagePackError(.unexpectedType, at: reader.offset)
                default: try reader.skipValue()
                }
            }
            guard let data, isEvent else { throw MessagePackError(.unexpectedType, at: reader.offset) }
            self.data = data
            self.namespace = namespace
            self.options = try ClassicOptions.parse(&reader)
            for _ in 3..<count { try reader.skipValue() }
            try reader.expectEnd()
        } catch {
            throw ClassicProtocolError(error)
        }
    }

    private static func text(_ reader: inout MessagePackReader) throws(MessagePackError) -> UTF8Text? {
        if try reader.peekKind() == .string { return UTF8Text(try reader.readString()) }
        try reader.skipValue()
        return nil
    }

    /// Whether a packet of that type is an event; whether bytes belong to it shows in its data alone.
    ///
    /// Some emitters write the number as a text, or the code of its character.
    static func isEvent(_ type: JSONValue?) -> Bool {
        switch type {
        case .string(let text)?: UTF8Text(text) == "2" || UTF8Text(text) == "5"
        case let type?: [2, 5, 50, 53].contains(type.intValue)
        case nil: false
        }
    }

    /// The packet for this node's clients: MessagePack becomes JSON text directly.
    package func packet(for namespace: String = "/") throws(ClassicProtocolError) -> EncodedPacket {
        do throws(MessagePackError) {
            return try PacketEncoder.event(namespace: namespace) { writer throws(MessagePackError) in
                var reader = MessagePackReader(self.data)
                let isList = try reader.peekKind() == .array
                let count = isList ? try reader.readArrayHeader() : try reader.readMapHeader()
                guard count > 0 else { throw MessagePackError(.unexpectedType, at: 0) }
                for index in 0..<count {
                    // PHP's way to write a list that it takes for a map.
                    if !isList, try reader.readInt() != index {
                        throw MessagePackError(.unexpectedType, at: reader.offset)
                    }
                    if index == 0 { try Self.checkName(reader) }
                    try writer.transcode(&reader)
                }
                try reader.expectEnd()
            }
        } catch {
            throw ClassicProtocolError(error)
        }
    }

    /// Checks that an event's name is next: official clients drop the connection over anything else.
    private static func checkName(_ reader: MessagePackReader) throws(MessagePackError) {
        switch try reader.peekKind() {
        case .integer: return
        case .string:
            guard let name = reader.peekShortString(), reservedEventNames.contains(name) else { return }
        default: break
        }
        throw MessagePackError(.unexpectedType, at: reader.offset)
    }
}

extension ClassicProtocolError {
    init(_ error: MessagePackError) {
        let reason: Reason =
            switch error.reason {
            case .unexpectedType: .unexpectedShape
            case .unexpectedEnd, .unusedByte, .tooDeep, .tooManyAttachments, .tooLong, .trailingBytes: .undecodable
            }
        self.init(reason, error.description)
    }
}
