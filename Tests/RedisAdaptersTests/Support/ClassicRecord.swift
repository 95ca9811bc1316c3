import Foundation
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire
import Testing

/// One call of the official adapter: what it published, what other nodes published for it, and what clients got.
struct ClassicRecord: Sendable, CustomTestStringConvertible {
    struct Command: Sendable {
        var client: String
        var name: String
        var channel: String
        var arguments: [String]
        var payload: ByteBuffer
        var decoded: JSONValue

        /// In the form of ``InProcessRedis/Command``.
        var observed: InProcessRedis.Command {
            InProcessRedis.Command(
                client: self.client,
                name: self.name,
                arguments: self.name == "PUBLISH" ? [self.channel, self.payload.hexadecimal] : self.arguments
            )
        }
    }

    var session: String
    var options: JSONValue
    var id: String
    var api: String
    var caller: String
    var commands: [Command]
    var deliveries: [JSONValue]
    var result: JSONValue
    var testDescription: String { "\(self.session): \(self.id)" }

    var key: String { self.options["key"]?.stringValue ?? "socket.io" }

    var usesSpecificChannel: Bool { self.options["publishOnSpecificResponseChannel"]?.boolValue ?? false }

    /// The namespace that the commands are for.
    var namespace: String {
        let first = self.commands.first
        let channel = first?.arguments.last ?? first?.channel ?? ""
        let parts = channel.split(separator: "#", maxSplits: 2, omittingEmptySubsequences: false)
        return parts.count > 1 ? String(parts[1]) : "/"
    }

    /// Node's numeric rooms, which a Swift server only writes if told to.
    var hasNumericRooms: Bool { self.commands.contains { $0.decoded.hasNumericRoom } }

    static let sessions: [JSONValue] = {
        guard
            let url = Bundle.module.url(forResource: "redis-classic", withExtension: "json", subdirectory: "Fixtures"),
            let data = try? Data(contentsOf: url),
            let file = try? JSONValue(parsing: ByteBuffer(bytes: data))
        else { return [] }
        return file["sessions"]?.arrayValue ?? []
    }()

    static let all: [ClassicRecord] = Self.sessions.flatMap { session in
        (session["records"]?.arrayValue ?? []).map { record in
            ClassicRecord(
                session: session["title"]?.stringValue ?? "",
                options: session["options"] ?? .null,
                id: record["id"]?.stringValue ?? "",
                api: record["api"]?.stringValue ?? "",
                caller: record["caller"]?.stringValue ?? "A",
                commands: (record["commands"]?.arrayValue ?? []).map { command in
                    Command(
                        client: command["client"]?.stringValue ?? "",
                        name: command["command"]?.stringValue ?? "",
                        channel: command["channel"]?.stringValue ?? "",
                        arguments: (command["args"]?.arrayValue ?? []).compactMap(\.stringValue),
                        payload: ByteBuffer(hexadecimal: command["payloadHex"]?.stringValue ?? ""),
                        decoded: (command["decoded"] ?? .null).unwrapped
                    )
                },
                deliveries: record["deliveries"]?.arrayValue ?? [],
                result: record["result"] ?? .null
            )
        }
    }

    /// Those in which a node publishes something.
    static let published = Self.all.filter { record in
        record.commands.contains { $0.client == "\(record.caller).pub" && $0.name == "PUBLISH" }
            && !record.commands.contains { $0.client == "hand" }
    }

    static let byHand = Self.all.filter { $0.commands.first?.client == "hand" }

    /// Those that a node settles alone.
    static let silent = Self.all.filter { record in
        !record.commands.contains { $0.name == "PUBLISH" } && !record.id.hasPrefix("dynamic")
    }

    // MARK: The recorded cluster

    /// The sockets of a node at the start of a session, as `howToRead` describes them.
    func sockets(of node: String) -> [FakeHost.FakeSocket] {
        if node == "B", !self.session.hasPrefix("dynamic"), let answer = self.commands.last?.decoded,
            answer["type"] == nil, let rooms = answer["rooms"]
        {
            // An answer that names all rooms: whose they are doesn't show.
            let names = (rooms.arrayValue ?? []).map { Room($0.stringValue ?? "\($0.intValue ?? 0)") }
            let description = SocketDescription(id: "b1", handshake: .null, rooms: names, data: .null)
            return [FakeHost.FakeSocket(name: "b1", description: description)]
        }
        let rooms: [(String, [String])] =
            switch (self.session.hasPrefix("dynamic"), node, self.namespace) {
            case (true, "B", "/"): [("b1", ["room1"])]
            case (true, "A", "/dyn-7"): [("d1", [])]
            case (true, "B", "/dyn-7"): [("d2", [])]
            case (true, _, _): []
            case (false, "A", "/"): [("a1", ["r1"]), ("a2", ["r2", "kick"])]
            case (false, "B", "/"):
                [
                    ("b1", ["r1", "42", "a#b/c*", "é€", String(repeating: "a", count: 20)]),
                    ("b2", ["r1", "r2", "kick2"]), ("b3", []),
                ]
            case (false, "B", "/admin"): [("m1", ["ra"])]
            case (false, _, _): []
            }
        return rooms.map { name, rooms in
            let recorded = self.recordedSocket(named: name)
            return FakeHost.FakeSocket(
                name: name,
                description: recorded
                    ?? SocketDescription(
                        id: self.id(of: name),
                        handshake: .object([:]),
                        rooms: [Room(self.id(of: name))] + rooms.map { Room($0) },
                        data: .object([:])
                    )
            )
        }
    }

    /// The id that a client's socket had in this session, as far as anything depends on it.
    private func id(of name: String) -> String {
        if self.session.hasPrefix("dynamic") { return "f0zISUsENvI40b44AAAp" }
        // A record that is addressed at a socket names it.
        if name == "b1",
            self.id.contains("socket-id") || self.id.contains("fetch-sockets-id") || self.id.hasPrefix("remote-socket")
        {
            if let id = self.commands.first(where: { $0.name == "PUBLISH" })?.decoded.options["rooms"]?[0]?.stringValue
            {
                return id
            }
        }
        return name
    }

    /// The socket as it stands in an answer of this record.
    private func recordedSocket(named name: String) -> SocketDescription? {
        let sockets = self.commands.flatMap { $0.decoded["sockets"]?.arrayValue ?? [] }
        for socket in sockets where socket["id"] != nil {
            let rooms = (socket["rooms"]?.arrayValue ?? []).map { Room($0.stringValue ?? "\($0.intValue ?? 0)") }
            let owner =
                if self.session.hasPrefix("dynamic") { "b1" } else if rooms.contains("ra") {
                    "m1"
                } else if rooms.contains("42") { "b1" } else if rooms.contains("kick2") { "b2" } else { "b3" }
            guard owner == name, let id = socket["id"]?.stringValue else { continue }
            return SocketDescription(
                id: id,
                handshake: socket["handshake"] ?? .null,
                rooms: rooms,
                data: socket["data"] ?? .null
            )
        }
        return nil
    }

    /// What the clients of a node got: `name event arguments`.
    func deliveries(to node: String) -> [String] {
        RecordedDelivery.texts(self.deliveries, toClients: node == "A" ? ["a", "d1"] : ["b", "m", "d2"])
    }
}

extension JSONValue {
    /// The value with the fixture's stand-ins (`{"$hex":…}`) replaced by what they stand for.
    var unwrapped: JSONValue {
        switch self {
        case .object(let members):
            if let hexadecimal = members["$hex"]?.stringValue { return .binary(ByteBuffer(hexadecimal: hexadecimal)) }
            switch members["$float"]?.stringValue {
            case "NaN": return .double(.nan)
            case "Infinity": return .double(.infinity)
            case "-Infinity": return .double(-.infinity)
            default: break
            }
            if let date = members["$date"] { return date }
            return .object(members.mapValues(\.unwrapped))
        case .array(let elements): return .array(elements.map(\.unwrapped))
        default: return self
        }
    }

    /// The options of a broadcast or a request.
    var options: JSONValue { self[2] ?? self["opts"] ?? .object([:]) }

    var hasNumericRoom: Bool {
        let lists =
            [
                self.options["rooms"], self.options["except"], self["rooms"],
            ] + (self["sockets"]?.arrayValue ?? []).map { $0["rooms"] }
        return lists.contains { $0?.arrayValue?.contains { $0.intValue != nil } ?? false }
    }
}

extension BroadcastOptions {
    /// Options as they stand in a recorded message, flags in their order.
    init(recorded value: JSONValue) {
        func rooms(_ key: String) -> [Room] {
            (value[key]?.arrayValue ?? []).map { Room($0.stringValue ?? "\($0.intValue ?? 0)") }
        }
        self.init(rooms: rooms("rooms"), except: rooms("except"))
        for (key, flag) in value["flags"]?.objectValue ?? [:] {
            switch (key, flag) {
            case ("volatile", .bool(let value)): self.flags.set(.volatile(value))
            case ("compress", .bool(let value)): self.flags.set(.compress(value))
            case ("expectSingleResponse", .bool(let value)): self.flags.set(.expectSingleResponse(value))
            case ("timeout", .int(let value)): self.flags.set(.timeout(milliseconds: value))
            default: Issue.record("an unknown flag: \(key)")
            }
        }
    }
}
