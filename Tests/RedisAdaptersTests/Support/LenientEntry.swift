import Foundation
import NIOCore
import OrderedCollections
import SocketIOWire
import Testing

@testable import RedisAdapters

/// An odd message that was published to an official node, what that did, and what a good node does.
struct LenientEntry: Sendable, CustomTestStringConvertible {
    struct Message: Sendable {
        var channel: String
        var payload: ByteBuffer
    }

    var id: String
    var title: String
    var want: String
    var call: String?
    var messages: [Message]
    var answersSpecifically: Bool
    var official: JSONValue
    var wantTo: [String]?
    var wantFrames: [JSONValue]
    var testDescription: String { "\(self.id): \(self.title)" }

    static let all: [LenientEntry] = {
        guard
            let url = Bundle.module.url(forResource: "redis-lenient", withExtension: "json", subdirectory: "Fixtures"),
            let data = try? Data(contentsOf: url),
            let file = try? JSONValue(parsing: ByteBuffer(bytes: data))
        else { return [] }
        return (file["entries"]?.arrayValue ?? []).map { entry in
            LenientEntry(
                id: entry["id"]?.stringValue ?? "",
                title: entry["title"]?.stringValue ?? "",
                want: entry["want"]?.stringValue ?? "",
                call: entry["call"]?.stringValue,
                messages: (entry["publish"]?.arrayValue ?? entry["responses"]?.arrayValue ?? []).map { message in
                    Message(
                        channel: message["channel"]?.stringValue ?? "",
                        payload: Self.bytes(message["b64"]?.stringValue)
                    )
                },
                answersSpecifically: entry["option"]?["adapter"]?["publishOnSpecificResponseChannel"] == true,
                official: entry["official"] ?? .null,
                wantTo: entry["wantTo"]?.arrayValue?.compactMap(\.stringValue),
                wantFrames: entry["wantFrames"]?.arrayValue ?? []
            )
        }
    }()

    static let published = Self.all.filter { $0.call == nil }
    static let calls = Self.all.filter { $0.call != nil }

    static func bytes(_ base64: String?) -> ByteBuffer {
        ByteBuffer(bytes: Data(base64Encoded: base64 ?? "") ?? Data())
    }

    // MARK: In one form

    /// A value in a form in which equal ones are equal: members sorted, numbers as JavaScript has them.
    static func canonical(_ value: JSONValue) -> String {
        switch value {
        case .int(let number): return "\(Double(number))"
        case .double(let number): return "\(number == 0 ? 0 : number)"
        case .array(let elements): return "[\(elements.map(self.canonical).joined(separator: ","))]"
        case .object(let members):
            if let hexadecimal = members["$hex"]?.stringValue { return "h'\(hexadecimal)'" }
            let parts = members.map { "\($0.key.debugDescription):\(self.canonical($0.value))" }
            return "{\(parts.sorted().joined(separator: ","))}"
        case .binary(let bytes): return "h'\(bytes.hexadecimal)'"
        default: return value.description
        }
    }

    /// An event as a client decodes it.
    ///
    /// - Parameters:
    ///   - text: An Engine.IO packet.
    ///   - attachments: What follows it.
    /// - Returns: The event, or why it is none.
    static func event(_ text: String, _ attachments: [ByteBuffer]) -> String {
        var decoder = PacketDecoder()
        var limits = PacketLimits()
        limits.maximumAttachments = 100
        do {
            var packet = try decoder.decode(text: ByteBuffer(string: String(text.dropFirst())), limits: limits)
            for attachment in attachments { packet = try decoder.decode(binary: attachment, limits: limits) }
            guard let packet, packet.type == .event, let payload = try packet.payload?.value() else {
                return "no event: \(text)"
            }
            return (packet.id == nil ? "" : "acknowledged ") + Self.canonical(payload)
        } catch {
            return "no packet: \(text)"
        }
    }

    /// A frame of the fixture: text, or bytes.
    static func events(_ frames: [JSONValue]) -> [String] {
        var events: [String] = []
        var rest = frames[...]
        while let frame = rest.popFirst() {
            let attachments = rest.prefix { $0.stringValue == nil }
            rest = rest.dropFirst(attachments.count)
            events.append(
                Self.event(frame.stringValue ?? "", attachments.map { Self.bytes($0["$b64"]?.stringValue) })
            )
        }
        return events
    }

    /// An answer without the order of what has none, rooms as their text, handshakes left out.
    static func answer(_ channel: String, _ message: JSONValue) -> String {
        guard case .object(var members) = message else { return "\(channel) \(message)" }
        func rooms(_ value: JSONValue?) -> JSONValue {
            let names = (value?.arrayValue ?? []).compactMap { room -> String? in
                switch room {
                case .string(let name): name
                case .int(let number): "\(number)"
                case .double(let number): "\(number)"
                default: nil
                }
            }
            return .array(Set(names.map { UTF8Text($0) }).sorted().map { .string($0.string) })
        }
        if members["rooms"] != nil { members["rooms"] = rooms(members["rooms"]) }
        if let sockets = members["sockets"]?.arrayValue {
            let canonical = sockets.map { socket -> String in
                guard let id = socket["id"] else { return Self.canonical(socket) }
                return "\(id) \(rooms(socket["rooms"])) \(Self.canonical(socket["data"] ?? .null))"
            }
            members["sockets"] = .array(canonical.sorted().map { .string($0) })
        }
        return "\(channel) \(Self.canonical(.object(members)))"
    }

    static func answer(_ channel: String, _ payload: ByteBuffer) -> String {
        guard let value = try? ClassicProtocolValue.parse(payload) else { return "\(channel) unreadable" }
        return Self.answer(channel, value)
    }

    // MARK: What the official node did

    /// What the official node did to its clients, in the form in which ours is observed.
    var officialConsequences: Consequences {
        var result = Consequences()
        for delivery in self.official["deliveries"]?.arrayValue ?? [] {
            let frames = delivery["frames"]?.arrayValue ?? []
            for client in delivery["to"]?.arrayValue?.compactMap(\.stringValue) ?? [] where frames != ["41"] {
                result.events[client, default: []] += Self.events(frames)
            }
        }
        for change in self.official["rooms"]?.arrayValue ?? [] {
            let client = change["client"]?.stringValue ?? ""
            func names(_ key: String) -> Set<String> {
                Set(change[key]?.arrayValue?.compactMap { $0.stringValue ?? $0.intValue.map { "\($0)" } } ?? [])
            }
            if change["joined"] != nil { result.joined[client] = names("joined") }
            if change["left"] != nil { result.left[client] = names("left") }
            if change["disconnected"] == true { result.disconnected.insert(client) }
        }
        result.closed = Set(self.official["transportClosed"]?.arrayValue?.compactMap(\.stringValue) ?? [])
        for event in self.official["serverEvents"]?.arrayValue ?? [] {
            let arguments = (event["args"]?.arrayValue ?? []).filter { $0["$"] != "function" }
            result.serverEvents.append(Self.canonical(.array([event["event"] ?? .null] + arguments)))
        }
        for answer in self.official["answers"]?.arrayValue ?? [] {
            let channel = answer["channel"]?.stringValue ?? ""
            if let json = answer["json"] {
                result.answers.append(Self.answer(channel, json))
            } else {
                result.answers.append(Self.answer(channel, Self.bytes(answer["b64"]?.stringValue)))
            }
        }
        return result
    }
}

/// JSON or MessagePack, as the adapters' messages are.
enum ClassicProtocolValue {
    static func parse(_ message: ByteBuffer) throws -> JSONValue {
        if message.readableBytesView.first == UInt8(ascii: "{") { return try JSONValue(parsing: message) }
        return try JSONValue(parsingMessagePack: message)
    }
}
