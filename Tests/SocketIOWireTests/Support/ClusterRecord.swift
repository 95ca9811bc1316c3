import Foundation
import NIOCore
import OrderedCollections
import SocketIOWire
import Testing

/// One message that an official node or emitter published, or added to a stream.
struct ClusterRecord: Sendable, CustomTestStringConvertible {
    /// Session, call and number of the command.
    var name: String
    var options: JSONValue
    /// Where it was published; `nil` for an entry of a stream.
    var channel: String?
    var stream: String?
    /// What was published.
    var payload: ByteBuffer
    /// The fields of an entry, and their values.
    var fields: [ByteBuffer]
    var type: Int
    var uid: String
    var namespace: String
    var data: JSONValue

    var testDescription: String { self.name }

    private static func file(_ name: String) -> JSONValue {
        guard let url = Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: "json"),
            let bytes = try? Data(contentsOf: url), let file = try? JSONValue(parsing: ByteBuffer(bytes: bytes))
        else { return .null }
        return file
    }

    static let sharded = Self.file("redis-sharded")
    static let streams = Self.file("redis-streams")

    static let shardedMessages = Self.records(Self.sharded).filter { $0.channel != nil }
    static let publishedMessages = Self.records(Self.streams).filter { $0.channel != nil }
    static let entries = Self.records(Self.streams).filter { $0.stream != nil }
    static let emitted = (Self.streams["emitter"]?.arrayValue ?? []).flatMap { record in
        Self.commands(record, name: "emitter", options: [:])
    }

    private static func records(_ file: JSONValue) -> [ClusterRecord] {
        (file["sessions"]?.arrayValue ?? []).flatMap { session in
            (session["records"]?.arrayValue ?? []).flatMap { record in
                Self.commands(
                    record,
                    name: session["title"]?.stringValue ?? "",
                    options: session["options"] ?? .null
                )
            }
        }
    }

    private static func commands(_ record: JSONValue, name: String, options: JSONValue) -> [ClusterRecord] {
        (record["commands"]?.arrayValue ?? []).enumerated().compactMap { number, command in
            let name = "\(name): \(record["id"]?.stringValue ?? "") \(number)"
            if let payload = command["payloadHex"]?.stringValue, let message = command["decoded"] {
                return ClusterRecord(
                    name: name,
                    options: options,
                    channel: command["channel"]?.stringValue,
                    payload: hex(payload),
                    fields: [],
                    type: message["type"]?.intValue ?? 0,
                    uid: message["uid"]?.stringValue ?? "",
                    namespace: message["nsp"]?.stringValue ?? "",
                    data: Self.value(message["data"])
                )
            }
            guard let fields = command["fields"]?.arrayValue else { return nil }
            let texts = fields.flatMap { ($0.arrayValue ?? []).compactMap(\.stringValue) }
            return ClusterRecord(
                name: name,
                options: options,
                stream: command["stream"]?.stringValue,
                payload: ByteBuffer(),
                fields: texts.map { text($0) },
                type: Int(texts[5]) ?? 0,
                uid: texts[1],
                namespace: texts[3],
                data: Self.value(command["decodedData"])
            )
        }
    }

    private static func value(_ fixture: JSONValue?) -> JSONValue {
        guard let fixture, case .value(let value) = PacketFixtures.value(fixture) else { return .null }
        return value
    }

    // MARK: What it says

    /// The call's options, flags in their order.
    var broadcastOptions: BroadcastOptions {
        let opts = self.data["opts"]
        var options = BroadcastOptions(rooms: Self.rooms(opts?["rooms"]), except: Self.rooms(opts?["except"]))
        for (key, value) in opts?["flags"]?.objectValue ?? [:] {
            switch (key, value) {
            case ("volatile", .bool(let value)): options.flags.set(.volatile(value))
            case ("compress", .bool(let value)): options.flags.set(.compress(value))
            case ("expectSingleResponse", .bool(let value)): options.flags.set(.expectSingleResponse(value))
            case ("timeout", .int(let value)): options.flags.set(.timeout(milliseconds: value))
            default: Issue.record("an unknown flag: \(key)")
            }
        }
        return options
    }

    static func rooms(_ value: JSONValue?) -> [Room] {
        (value?.arrayValue ?? []).map { Room($0.stringValue ?? "\($0.intValue ?? -1)") }
    }

    /// Whether a node with a numeric room wrote it, which a Swift node does only if told to.
    var hasNumericRooms: Bool {
        let lists =
            [self.data["opts"]?["rooms"], self.data["opts"]?["except"], self.data["rooms"]]
            + (self.data["sockets"]?.arrayValue ?? []).map { $0["rooms"] }
        return lists.contains { $0?.arrayValue?.contains { $0.intValue != nil } ?? false }
    }

    /// The same message as a Swift node would send it.
    var message: ClusterMessage? {
        let requestID = self.data["requestId"]
        switch self.type {
        case 3:
            return .broadcast(
                self.data["packet"]?["data"]?.arrayValue ?? [],
                self.broadcastOptions,
                requestID: requestID?.stringValue,
                packetID: self.data["packet"]?["id"]?.intValue
            )
        case 4: return .join(self.broadcastOptions, rooms: Self.rooms(self.data["rooms"]))
        case 5: return .leave(self.broadcastOptions, rooms: Self.rooms(self.data["rooms"]))
        case 6:
            return .disconnect(self.broadcastOptions, closingConnection: self.data["close"]?.boolValue ?? false)
        case 7: return .fetchSockets(self.broadcastOptions, requestID: requestID?.stringValue ?? "")
        case 8: return .sockets(self.sockets, requestID: requestID)
        case 9: return .serverSideEmit(self.data["packet"]?.arrayValue ?? [], requestID: requestID?.stringValue)
        case 10: return .serverSideAnswer(self.data["packet"], requestID: requestID)
        case 11: return .clientCount(self.data["clientCount"]?.intValue ?? -1, requestID: requestID)
        case 12: return .acknowledgement(self.data["packet"], requestID: requestID)
        default: return nil
        }
    }

    var sockets: [SocketDescription] {
        (self.data["sockets"]?.arrayValue ?? []).map { socket in
            SocketDescription(
                id: socket["id"]?.stringValue ?? "",
                handshake: socket["handshake"] ?? .null,
                rooms: Self.rooms(socket["rooms"]),
                data: socket["data"] ?? .null
            )
        }
    }

    var encoder: ClusterEncoder {
        UTF8Text(self.uid) == "emitter"
            ? ClusterEncoder(emitterFor: self.namespace)
            : ClusterEncoder(uid: self.uid, namespace: self.namespace, writesNumericRooms: self.hasNumericRooms)
    }

    /// Checks that what was read says what was recorded.
    func check(_ content: ClusterEnvelope.Content) throws {
        switch content {
        case .broadcast(let broadcast):
            #expect(self.type == 3 && self.data["requestId"] == nil)
            let arguments = self.data["packet"]?["data"]?.arrayValue ?? []
            #expect(broadcast.options == self.broadcastOptions)
            #expect(broadcast.hasID == (self.data["packet"]?["id"] != nil))
            let read = try JSONValue.array(broadcast.payload.arguments())
            #expect(read.isSameInJavaScript(as: .array(arguments)))
            for offset in [nil, "1-2"] {
                let packet = try broadcast.payload.packet(for: self.namespace, offset: offset)
                let expected = PacketEncoder.event(namespace: self.namespace) { writer in
                    writer.write(contentsOf: arguments + (offset.map { [.string($0)] } ?? []))
                }
                #expect(packet.frames == expected.frames)
            }
        case .request(let request):
            #expect(request.uid == UTF8Text(self.uid))
            #expect(request.requestID == self.data["requestId"])
            try self.check(request.body)
        case .response(let response):
            #expect(response.uid == UTF8Text(self.uid))
            #expect(response.requestID == UTF8Text(self.data["requestId"]?.stringValue ?? ""))
            try self.check(response)
        case .heartbeat: Issue.record("a heartbeat")
        }
    }

    private func check(_ body: ClusterRequest.Body) throws {
        let options = self.broadcastOptions
        switch body {
        case .join(let read, let rooms):
            #expect(self.type == 4 && read == options && rooms == Self.rooms(self.data["rooms"]))
        case .leave(let read, let rooms):
            #expect(self.type == 5 && read == options && rooms == Self.rooms(self.data["rooms"]))
        case .disconnect(let read, let closing):
            #expect(self.type == 6 && read == options && .bool(closing) == self.data["close"])
        case .fetchSockets(let read): #expect(self.type == 7 && read == options)
        case .serverSideEmit(let arguments):
            #expect(self.type == 9 && .array(arguments) == self.data["packet"])
        case .broadcast(let arguments, let read):
            #expect(self.type == 3 && read == options && .array(arguments) == self.data["packet"]?["data"])
        case .socketIDs, .allRooms, .joinSocket, .leaveSocket, .disconnectSocket:
            Issue.record("a request of the classic adapter")
        }
    }

    private func check(_ response: ClusterResponse) throws {
        switch self.type {
        case 8:
            guard case .sockets(let sockets) = try response.answer(to: .sockets) else {
                Issue.record("no sockets")
                return
            }
            #expect(sockets == self.sockets)
        case 10:
            guard case .serverSide(let value) = try response.answer(to: .serverSideEmit) else {
                Issue.record("no answer of a server")
                return
            }
            #expect(value == self.data["packet"])
        case 11:
            guard case .clientCount(let count) = try response.answer(to: .acknowledgements) else {
                Issue.record("no count")
                return
            }
            #expect(count == self.data["clientCount"]?.intValue)
        case 12:
            guard case .acknowledgement(let value) = try response.answer(to: .acknowledgements) else {
                Issue.record("no acknowledgement")
                return
            }
            #expect(value == self.data["packet"])
        default: Issue.record("type \(self.type) is no response")
        }
        #expect(throws: ClusterProtocolError.self) { try response.answer(to: .rooms) }
    }
}
