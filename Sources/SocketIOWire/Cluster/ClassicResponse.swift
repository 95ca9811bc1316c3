package import NIOCore
import OrderedCollections

/// An answer of another node.
package struct ClassicResponse: Sendable {
    package enum Body: Sendable {
        case sockets([ClassicSocket])
        case rooms([Room])
        /// Another server's answer to an event; `nil`: it answered with nothing.
        case serverSideAnswer(JSONValue?)
        case clientCount(Int)
        /// The first argument of a client's acknowledgement; `nil`: it had none.
        case acknowledgement(JSONValue?)
    }

    package let requestID: String
    package let body: Body

    /// Reads a response: JSON text, or MessagePack.
    package init(parsing message: ByteBuffer) throws(ClassicProtocolError) {
        let value = try ClassicProtocol.value(parsing: message)
        guard let requestID = value["requestId"]?.stringValue else {
            throw ClassicProtocolError(.unexpectedShape, "a response without the id of its request")
        }
        self.requestID = requestID
        self.body = try Self.body(value)
    }

    private static func body(_ value: JSONValue) throws(ClassicProtocolError) -> Body {
        if let type = value["type"]?.intValue {
            switch ClassicProtocol.MessageType(rawValue: type) {
            case .serverSideEmit: return .serverSideAnswer(value["data"])
            case .broadcastAcknowledgement: return .acknowledgement(value["packet"])
            case .broadcastClientCount:
                guard let count = value["clientCount"]?.intValue, count >= 0 else {
                    throw ClassicProtocolError(.unexpectedShape, "a response without a count")
                }
                return .clientCount(count)
            default: throw ClassicProtocolError(.unknownType, "a response of type \(type)")
            }
        }
        if let sockets = value["sockets"]?.arrayValue {
            var result: [ClassicSocket] = []
            result.reserveCapacity(sockets.count)
            for socket in sockets {
                guard let id = socket["id"]?.stringValue else {
                    throw ClassicProtocolError(.unexpectedShape, "a socket without an id")
                }
                result.append(
                    ClassicSocket(
                        id: id,
                        handshake: socket["handshake"] ?? .null,
                        rooms: try ClassicProtocol.rooms(socket["rooms"]),
                        data: socket["data"] ?? .object([:])
                    )
                )
            }
            return .sockets(result)
        }
        if let rooms = value["rooms"] { return .rooms(try ClassicProtocol.rooms(rooms)) }
        throw ClassicProtocolError(.unexpectedShape, "a response without an answer")
    }

    /// The id of the request, if it stands where official nodes write it; `nil` tells nothing.
    ///
    /// Every node receives every answer, and most are for others: this spares parsing them.
    package static func peekRequestID(_ message: ByteBuffer) -> String? {
        message.getInteger(at: message.readerIndex, as: UInt8.self) == UInt8(ascii: "{")
            ? self.peekJSON(message) : self.peekMessagePack(message)
    }

    private static func peekJSON(_ message: ByteBuffer) -> String? {
        var rest = message.readableBytesView.prefix(64)
        if rest.starts(with: #"{"type":"#.utf8), rest.count > 10, rest[rest.startIndex + 9] == UInt8(ascii: ",") {
            rest = rest.dropFirst(10)
        } else {
            rest = rest.dropFirst(1)
        }
        let key = #""requestId":""#.utf8
        guard rest.starts(with: key) else { return nil }
        rest = rest.dropFirst(key.count)
        guard let end = rest.firstIndex(of: UInt8(ascii: "\"")) else { return nil }
        let id = rest[..<end]
        return id.contains(UInt8(ascii: "\\")) ? nil : String(decoding: id, as: UTF8.self)
    }

    private static func peekMessagePack(_ message: ByteBuffer) -> String? {
        var reader = MessagePackReader(message)
        guard let count = try? reader.readMapHeader() else { return nil }
        for _ in 0..<min(count, 2) {
            guard let key = try? reader.readKey() else { return nil }
            if key == "requestId" { return try? reader.readString() }
            guard (try? reader.skipValue()) != nil else { return nil }
        }
        return nil
    }
}
