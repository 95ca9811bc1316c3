package import NIOCore

/// `[event, argument...]` of another node, in the bytes in which it came.
package enum EventPayload: Sendable, Hashable {
    /// JSON text that was checked: an array that begins with a name.
    case json(ByteBuffer)
    /// MessagePack that was not checked.
    case messagePack(ByteBuffer)

    /// The packet for this node's clients: JSON text is passed on as it is, MessagePack becomes JSON text directly.
    ///
    /// - Parameters:
    ///   - namespace: The namespace of the clients.
    ///   - offset: The offset with which clients may come back. It becomes the last argument, and must need no escapes.
    /// - Returns: The packet.
    /// - Throws: ``ClusterProtocolError`` if the bytes are no event that a client could be sent.
    package func packet(for namespace: String, offset: String? = nil) throws(ClusterProtocolError) -> EncodedPacket {
        switch self {
        case .json(let text): PacketEncoder.event(namespace: namespace, text: text, appending: offset)
        case .messagePack(let bytes):
            try Self.packet(of: bytes, for: namespace, offset: offset)
        }
    }

    /// The event and its arguments as values, read from the bytes each time.
    package func arguments() throws(ClusterProtocolError) -> [JSONValue] {
        switch self {
        case .json(let text):
            var reader = JSONReader(text, limits: ClusterProtocol.jsonLimits)
            do throws(JSONError) {
                return try reader.readValue().arrayValue ?? []
            } catch {
                throw ClusterProtocolError(.undecodable, error.description)
            }
        case .messagePack(let bytes):
            do throws(MessagePackError) {
                var reader = MessagePackReader(bytes)
                let count = try Self.readListHeader(&reader)
                var arguments: [JSONValue] = []
                arguments.reserveCapacity(min(count.elements, 16))
                for index in 0..<count.elements {
                    try Self.readIndex(index, &reader, isNumbered: count.isNumbered)
                    if index == 0 { try Self.checkName(reader) }
                    arguments.append(try reader.readJSONValue())
                }
                try reader.expectEnd()
                return arguments
            } catch {
                throw ClusterProtocolError(error)
            }
        }
    }
}

// MARK: - MessagePack

extension EventPayload {
    private static func packet(
        of bytes: ByteBuffer,
        for namespace: String,
        offset: String?
    ) throws(ClusterProtocolError) -> EncodedPacket {
        do throws(MessagePackError) {
            return try PacketEncoder.event(namespace: namespace) { writer throws(MessagePackError) in
                var reader = MessagePackReader(bytes)
                let count = try Self.readListHeader(&reader)
                for index in 0..<count.elements {
                    try Self.readIndex(index, &reader, isNumbered: count.isNumbered)
                    if index == 0 { try Self.checkName(reader) }
                    try writer.transcode(&reader)
                }
                try reader.expectEnd()
                if let offset { writer.write(offset) }
            }
        } catch {
            throw ClusterProtocolError(error)
        }
    }

    /// Steps into a list with at least one element, or into a map that PHP wrote for one.
    private static func readListHeader(
        _ reader: inout MessagePackReader
    ) throws(MessagePackError) -> (elements: Int, isNumbered: Bool) {
        let isNumbered = try reader.peekKind() != .array
        let count = isNumbered ? try reader.readMapHeader() : try reader.readArrayHeader()
        guard count > 0 else { throw MessagePackError(.unexpectedType, at: 0) }
        return (count, isNumbered)
    }

    /// Skips the number that PHP writes before an element.
    private static func readIndex(
        _ index: Int,
        _ reader: inout MessagePackReader,
        isNumbered: Bool
    ) throws(MessagePackError) {
        guard isNumbered else { return }
        guard try reader.readInt() == index else { throw MessagePackError(.unexpectedType, at: reader.offset) }
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
