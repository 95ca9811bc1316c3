package import NIOCore
import OrderedCollections

/// What official nodes of the streams adapter keep of a client that is away: base64 of `{sid, pid, rooms, data}`.
package struct StreamSession: Sendable, Hashable {
    /// The id of its socket.
    package var socketID: UTF8Text
    /// The secret by which the client proves that it is the same.
    package var sessionID: UTF8Text
    /// The rooms it was in, its own included.
    package var rooms: [Room]
    /// What the application stored in `socket.data`.
    package var data: JSONValue

    /// The longest text that is read.
    package static let greatestLength = 4 * 1024 * 1024

    package init(socketID: UTF8Text, sessionID: UTF8Text, rooms: [Room], data: JSONValue) {
        self.socketID = socketID
        self.sessionID = sessionID
        self.rooms = rooms
        self.data = data
    }

    /// Reads what was kept.
    ///
    /// - Throws: ``ClusterProtocolError`` if it is no session, or a longer one than anybody keeps.
    package init(parsing text: ByteBuffer) throws(ClusterProtocolError) {
        guard text.readableBytes <= Self.greatestLength else {
            throw ClusterProtocolError(.undecodable, "a session of \(text.readableBytes) bytes")
        }
        var bytes = ByteBuffer()
        bytes.writeBase64Decoded(text)
        let value: JSONValue
        do throws(MessagePackError) {
            value = try JSONValue(parsingMessagePack: bytes)
        } catch {
            throw ClusterProtocolError(error)
        }
        guard let socketID = value["sid"]?.stringValue, let sessionID = value["pid"]?.stringValue,
            case .array? = value["rooms"], let rooms = RoomList(value["rooms"])?.rooms
        else { throw ClusterProtocolError(.unexpectedShape, "a session without its client or its rooms") }
        self.init(
            socketID: UTF8Text(socketID),
            sessionID: UTF8Text(sessionID),
            rooms: rooms,
            data: value["data"] ?? .object([:])
        )
    }

    /// The text to keep.
    package var text: ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeMessagePackMapHeader(count: 4)
        bytes.writeMessagePack("sid")
        bytes.writeMessagePack(self.socketID.string)
        bytes.writeMessagePack("pid")
        bytes.writeMessagePack(self.sessionID.string)
        bytes.writeMessagePack("rooms")
        bytes.writeMessagePackArrayHeader(count: self.rooms.count)
        for room in self.rooms { bytes.writeMessagePack(room.name) }
        bytes.writeMessagePack("data")
        bytes.writeMessagePack(self.data, as: .msgpack)
        var text = ByteBuffer()
        text.reserveCapacity(ByteBuffer.base64Length(of: bytes.readableBytes))
        text.writeBase64Encoded(bytes)
        return text
    }
}
