import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// A session as Swift nodes keep it beside the official form: a header that Redis's scripts read, and MessagePack.
///
/// The header is `<claim, 16 digits><"a" for away, or "c"><node>\n<namespace>\n`.
struct StoredSession: Sendable {
    /// The node that has written it.
    var node: UTF8Text
    /// The session.
    var session: KeptSession

    /// The longest that is written or read.
    static let greatestLength = StreamSession.greatestLength

    /// The value to store; `nil` if it is too long to be read again, or has no record.
    static func value(_ session: KeptSession, node: String, namespace: String) -> ByteBuffer? {
        guard let record = session.record, let body = Self.body(of: session) else { return nil }
        var value = ByteBuffer()
        value.writeString(Self.text(of: record.claim))
        value.writeString("\(record.isAway ? "a" : "c")\(node)\n\(namespace)\n")
        value.writeImmutableBuffer(body)
        return value.readableBytes <= Self.greatestLength ? value : nil
    }

    /// The session without the header.
    static func body(of session: KeptSession) -> ByteBuffer? {
        guard let json = session.json else { return nil }
        var bytes = ByteBuffer()
        bytes.writeMessagePack(json, as: .msgpack)
        return bytes
    }

    /// Reads what ``body(of:)`` wrote.
    static func session(of body: ByteBuffer) throws(ClusterProtocolError) -> KeptSession {
        guard body.readableBytes <= Self.greatestLength else {
            throw ClusterProtocolError(.undecodable, "a session of \(body.readableBytes) bytes")
        }
        let json: JSONValue
        do throws(MessagePackError) {
            json = try JSONValue(parsingMessagePack: body)
        } catch {
            throw ClusterProtocolError(.undecodable, error.description)
        }
        guard let session = KeptSession(json: json) else {
            throw ClusterProtocolError(.unexpectedShape, "a session that is none")
        }
        return session
    }

    /// A claim as scripts compare it.
    static func text(of claim: UInt64) -> String {
        let digits = String(claim, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    init(parsing value: ByteBuffer) throws(ClusterProtocolError) {
        let bytes = value.readableBytesView
        guard let first = bytes.firstIndex(of: UInt8(ascii: "\n")), first - bytes.startIndex >= 17,
            let second = bytes[(first + 1)...].firstIndex(of: UInt8(ascii: "\n"))
        else { throw ClusterProtocolError(.unexpectedShape, "a session without a header") }
        self.node = UTF8Text(decoding: bytes[(bytes.startIndex + 17)..<first])
        self.session = try Self.session(of: ByteBuffer(bytes[(second + 1)...]))
    }
}

extension KeptSession {
    /// The form of the official adapters.
    var stream: StreamSession {
        StreamSession(
            socketID: UTF8Text(self.socketID.description),
            sessionID: UTF8Text(self.id.secret),
            rooms: [self.socketID.room] + self.rooms,
            data: self.data
        )
    }

    /// Reads what a Node.js node has kept.
    init(parsing text: ByteBuffer) throws(ClusterProtocolError) {
        let stream = try StreamSession(parsing: text)
        guard let socketID = SocketID(stream.socketID.string), let id = SessionID(stream.sessionID.string) else {
            throw ClusterProtocolError(.unexpectedShape, "a session whose ids are none")
        }
        self.init(
            id: id,
            socketID: socketID,
            rooms: stream.rooms.filter { $0 != socketID.room },
            data: stream.data
        )
    }
}
