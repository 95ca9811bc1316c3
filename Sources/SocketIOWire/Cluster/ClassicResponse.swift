package import NIOCore
import OrderedCollections

extension ClusterResponse {
    /// Reads a response of the classic adapter: JSON text, or MessagePack.
    package init(parsingClassic message: ByteBuffer) throws(ClusterProtocolError) {
        guard case .object(let members) = try ClusterProtocol.value(parsing: message),
            let requestID = members["requestId"]?.stringValue
        else { throw ClusterProtocolError(.unexpectedShape, "a response without the id of its request") }
        // Official nodes don't say who answers.
        let uid = members["uid"]?.stringValue.map { UTF8Text($0) }
        self.init(requestID: UTF8Text(requestID), uid: uid, content: .untyped(members))
    }

    static func classicAnswer(
        _ members: JSONObject,
        to question: Question
    ) throws(ClusterProtocolError) -> Answer {
        if question != .acknowledgements, let reason = members[self.refusalKey]?.stringValue {
            return .refusal(reason)
        }
        let type = members["type"].map { $0.intValue ?? -1 }
        let hasSockets = members["sockets"] != nil
        let hasRooms = members["rooms"] != nil
        switch question {
        case .sockets where type == nil || type == ClassicProtocol.MessageType.fetchSockets.rawValue:
            if case .array(let sockets)? = members["sockets"] { return .sockets(self.sockets(sockets)) }
            if hasSockets || !(hasRooms || members["data"] != nil) { return .nothing }
        case .rooms where type == nil || type == ClassicProtocol.MessageType.allRooms.rawValue:
            if case .array? = members["rooms"] { return .rooms(RoomList(members["rooms"])?.rooms ?? []) }
            if hasRooms || !(hasSockets || members["data"] != nil) { return .nothing }
        case .serverSideEmit where type == nil || type == ClassicProtocol.MessageType.serverSideEmit.rawValue:
            if !hasSockets && !hasRooms { return .serverSide(members["data"]) }
        case .acknowledgements where type == ClassicProtocol.MessageType.broadcastClientCount.rawValue:
            return .clientCount(try self.clientCount(members["clientCount"] ?? members["clientcount"]))
        case .acknowledgements where type == ClassicProtocol.MessageType.broadcastAcknowledgement.rawValue:
            return .acknowledgement(members["packet"])
        default: break
        }
        throw ClusterProtocolError(.unexpectedShape, "an answer to another kind of question")
    }
}

// MARK: - Whose answer it is

extension ClusterResponse {
    /// The id of the request, if it stands where official nodes write it.
    ///
    /// `nil` does not mean that there is no id. Every node receives every answer, and most answers are for other nodes.
    /// With this a node need not parse them.
    package static func peekClassicRequestID(_ message: ByteBuffer) -> UTF8Text? {
        message.getInteger(at: message.readerIndex, as: UInt8.self) == UInt8(ascii: "{")
            ? self.peekJSON(message) : self.peekMessagePack(message)
    }

    private static func peekJSON(_ message: ByteBuffer) -> UTF8Text? {
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
        return id.contains(UInt8(ascii: "\\")) ? nil : UTF8Text(decoding: id)
    }

    private static func peekMessagePack(_ message: ByteBuffer) -> UTF8Text? {
        var reader = MessagePackReader(message)
        guard let count = try? reader.readMapHeader() else { return nil }
        for _ in 0..<min(count, 2) {
            guard let key = try? reader.readKey() else { return nil }
            if key == "requestId" { return (try? reader.readString()).map { UTF8Text($0) } }
            guard (try? reader.skipValue()) != nil else { return nil }
        }
        return nil
    }
}
