import NIOCore
import SocketIOWire

/// A message between Swift nodes about a client that has come to another node; official nodes never see it.
///
/// It is a MessagePack array, as no message of the official adapters is: `["take", request, node, session]` or
/// `["give", request, session or nil]`.
enum SessionMessage: Sendable {
    /// A node has taken a kept session, and asks the node to which its client was connected.
    case take(requestID: UTF8Text, node: UTF8Text, session: UTF8Text)
    /// The answer of that node: the session in MessagePack, or nothing if the client can't go on.
    case give(requestID: UTF8Text, ByteBuffer?)

    private static let longestText = 256

    /// Whether a message is one of these, or a broken one.
    static func isOne(_ message: ByteBuffer) -> Bool {
        guard let byte = message.getInteger(at: message.readerIndex, as: UInt8.self) else { return false }
        return byte == 0x93 || byte == 0x94
    }

    init(parsing message: ByteBuffer) throws(ClusterProtocolError) {
        do throws(MessagePackError) {
            var reader = MessagePackReader(message)
            let count = try reader.readArrayHeader()
            let kind = UTF8Text(try reader.readString())
            let requestID = UTF8Text(try reader.readString())
            switch (kind, count) {
            case ("take", 4):
                let (node, session) = (UTF8Text(try reader.readString()), UTF8Text(try reader.readString()))
                self = .take(requestID: requestID, node: node, session: session)
            case ("give", 3):
                let isNothing = try reader.skipNothing()
                self = .give(requestID: requestID, isNothing ? nil : try reader.readBinary())
            default: throw MessagePackError(.unexpectedType, at: reader.offset)
            }
            try reader.expectEnd()
            guard requestID.utf8.count <= Self.longestText else {
                throw MessagePackError(.tooLong, at: reader.offset)
            }
        } catch {
            throw ClusterProtocolError(.undecodable, error.description)
        }
    }

    var encoded: ByteBuffer {
        var bytes = ByteBuffer()
        switch self {
        case .take(let requestID, let node, let session):
            bytes.writeMessagePackArrayHeader(count: 4)
            for text in ["take", requestID.string, node.string, session.string] { bytes.writeMessagePack(text) }
        case .give(let requestID, let kept):
            bytes.writeMessagePackArrayHeader(count: 3)
            for text in ["give", requestID.string] { bytes.writeMessagePack(text) }
            if let kept { bytes.writeMessagePack(kept) } else { bytes.writeMessagePackNil() }
        }
        return bytes
    }
}
