package import NIOCore
import OrderedCollections

/// An answer of another node.
///
/// It doesn't say to what kind of question it is an answer, so it is read for the one that its id belongs to.
package struct ClassicResponse: Sendable {
    /// The kinds of questions.
    package enum Question: Sendable, Hashable {
        case sockets
        case rooms
        case serverSideEmit
        case acknowledgements
    }

    package enum Answer: Sendable {
        case sockets([SocketDescription])
        case rooms([Room])
        /// Another server's answer to an event; `nil`: it answered with nothing.
        case serverSide(JSONValue?)
        case clientCount(Int)
        /// The first argument of a client's acknowledgement; `nil`: it had none.
        case acknowledgement(JSONValue?)
        /// No list where one was asked for: some nodes leave empty ones out.
        case nothing
        /// The other node does not tell what it was asked, and says why.
        case refusal(String)
    }

    /// The question that is answered.
    package let requestID: UTF8Text
    private let members: JSONObject

    /// Reads a response: JSON text, or MessagePack.
    package init(parsing message: ByteBuffer) throws(ClassicProtocolError) {
        guard case .object(let members) = try ClassicProtocol.value(parsing: message),
            let requestID = members["requestId"]?.stringValue
        else { throw ClassicProtocolError(.unexpectedShape, "a response without the id of its request") }
        self.requestID = UTF8Text(requestID)
        self.members = members
    }

    /// What this answers to a question.
    ///
    /// - Throws: ``ClassicProtocolError`` if it is no answer to that kind of question.
    package func answer(to question: Question) throws(ClassicProtocolError) -> Answer {
        if question != .acknowledgements, let reason = self.members[Self.refusalKey]?.stringValue {
            return .refusal(reason)
        }
        let type = self.members["type"].map { $0.intValue ?? -1 }
        let hasSockets = self.members["sockets"] != nil
        let hasRooms = self.members["rooms"] != nil
        switch question {
        case .sockets where type == nil || type == ClassicProtocol.MessageType.fetchSockets.rawValue:
            if case .array(let sockets)? = self.members["sockets"] {
                return .sockets(sockets.compactMap { SocketDescription($0) })
            }
            if hasSockets || !(hasRooms || self.members["data"] != nil) { return .nothing }
        case .rooms where type == nil || type == ClassicProtocol.MessageType.allRooms.rawValue:
            if case .array? = self.members["rooms"] { return .rooms(RoomList(self.members["rooms"])?.rooms ?? []) }
            if hasRooms || !(hasSockets || self.members["data"] != nil) { return .nothing }
        case .serverSideEmit where type == nil || type == ClassicProtocol.MessageType.serverSideEmit.rawValue:
            if !hasSockets && !hasRooms { return .serverSide(self.members["data"]) }
        case .acknowledgements where type == ClassicProtocol.MessageType.broadcastClientCount.rawValue:
            return .clientCount(try self.clientCount())
        case .acknowledgements where type == ClassicProtocol.MessageType.broadcastAcknowledgement.rawValue:
            return .acknowledgement(self.members["packet"])
        default: break
        }
        throw ClassicProtocolError(.unexpectedShape, "an answer to another kind of question")
    }

    /// The member that says why a node does not answer; official nodes don't look at it.
    static let refusalKey: UTF8Text = "refused"

    private func clientCount() throws(ClassicProtocolError) -> Int {
        switch self.members["clientCount"] ?? self.members["clientcount"] {
        case nil, .null?: return 0
        case .string(let text)?:
            if let count = Int(text) { return max(0, count) }
        case let value?:
            if let count = value.intValue { return max(0, count) }
        }
        throw ClassicProtocolError(.unexpectedShape, "a response without a count")
    }
}

extension SocketDescription {
    /// A socket as another node describes it; `nil` if it has no id to be reached by.
    fileprivate init?(_ value: JSONValue) {
        guard let id = value["id"].flatMap({ Room($0) })?.name else { return nil }
        let handshake = value["handshake"]?.objectValue ?? [:]
        self.init(
            id: id,
            handshake: .object(handshake),
            rooms: RoomList(value["rooms"])?.rooms ?? [],
            data: value["data"] ?? .object([:])
        )
    }
}

// MARK: - Whose answer it is

extension ClassicResponse {
    /// The id of the request, if it stands where official nodes write it; `nil` tells nothing.
    ///
    /// Every node receives every answer, and most are for others: this spares parsing them.
    package static func peekRequestID(_ message: ByteBuffer) -> UTF8Text? {
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
