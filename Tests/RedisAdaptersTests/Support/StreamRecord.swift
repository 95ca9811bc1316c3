import Foundation
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire
import Testing

/// One call of the official streams adapter: what it sent, what other nodes sent for it, and what clients got.
struct StreamRecord: Sendable, CustomTestStringConvertible {
    struct Command: Sendable {
        var client: String
        var name: String
        /// As texts; a payload in hexadecimal.
        var arguments: [String]
        /// The type of the message, and what it is about.
        var type: Int?
        var data: JSONValue
        var requestID: JSONValue? { self.data["requestId"] }

        /// In the form of ``InProcessRedis/Command``.
        var observed: InProcessRedis.Command {
            InProcessRedis.Command(client: self.client, name: self.name, arguments: self.arguments)
        }

        init(_ command: JSONValue) {
            self.client = command["client"]?.stringValue ?? ""
            self.name = command["command"]?.stringValue ?? ""
            if let payload = command["payloadHex"]?.stringValue {
                self.arguments = [command["channel"]?.stringValue ?? "", payload]
                self.type = command["decoded"]?["type"]?.intValue
                self.data = (command["decoded"]?["data"] ?? .null).unwrapped
            } else {
                self.arguments = (command["args"]?.arrayValue ?? []).compactMap(\.stringValue)
                let fields = command["fields"]?.arrayValue ?? []
                self.type = fields.count > 2 ? fields[2][1]?.stringValue.flatMap { Int($0) } : nil
                self.data = (command["decodedData"] ?? .null).unwrapped
            }
        }
    }

    var session: String
    var options: JSONValue
    var uids: JSONValue
    var id: String
    var caller: String
    var commands: [Command]
    var deliveries: [JSONValue]
    var frames: [JSONValue]
    var result: JSONValue
    var testDescription: String { "\(self.session): \(self.id)" }

    static let file: JSONValue = {
        guard
            let url = Bundle.module.url(forResource: "redis-streams", withExtension: "json", subdirectory: "Fixtures"),
            let data = try? Data(contentsOf: url), let file = try? JSONValue(parsing: ByteBuffer(bytes: data))
        else { return .null }
        return file
    }()

    static let sessions = Self.file["sessions"]?.arrayValue ?? []

    static let all: [StreamRecord] = Self.sessions.flatMap { session in
        (session["records"]?.arrayValue ?? []).map { StreamRecord($0, of: session) }
    }

    /// What emitters send.
    static let emitted: [StreamRecord] = (Self.file["emitter"]?.arrayValue ?? []).map { StreamRecord($0, of: [:]) }

    /// Clients that are away and come back.
    static let recovery = Self.all.filter { $0.options["connectionStateRecovery"] != nil }

    private static let plain = Self.all.filter { $0.options["connectionStateRecovery"] == nil }

    /// Those in which a node sends something.
    static let sent = Self.plain.filter { record in record.commands.contains { $0.type != nil } }

    /// Those that a node settles alone.
    static let silent = Self.plain.filter { record in !record.commands.contains { $0.type != nil } }

    private init(_ record: JSONValue, of session: JSONValue) {
        self.session = session["title"]?.stringValue ?? "emitter"
        self.options = session["options"] ?? .null
        self.uids = session["uids"] ?? .null
        self.id = record["id"]?.stringValue ?? ""
        self.caller = record["caller"]?.stringValue ?? "A"
        self.commands = (record["commands"]?.arrayValue ?? []).map { Command($0) }
        self.deliveries = record["deliveries"]?.arrayValue ?? []
        self.frames = record["frames"]?.arrayValue ?? []
        self.result = record["result"] ?? .null
    }

    /// What nodes and emitters sent, not what they read.
    var sentCommands: [Command] { self.commands.filter { !$0.client.hasSuffix(".read") } }

    /// The namespace that the commands are for.
    var namespace: String {
        for command in self.sentCommands {
            if command.name == "XADD", command.arguments.count > 8 { return command.arguments[8] }
            let parts = (command.arguments.last { $0.contains("#") } ?? "").split(separator: "#")
            if parts.count > 1 { return String(parts[1]) }
        }
        return "/"
    }

    var hasNumericRooms: Bool { self.commands.contains { $0.data.hasNumericRoom } }

    // MARK: The recorded cluster

    /// The sockets of a node, as `howToRead` describes them.
    func sockets(of node: String) -> [FakeHost.FakeSocket] {
        let rooms: [(String, [String])] =
            switch (node, self.namespace) {
            case ("A", "/"): [("a1", ["r1"]), ("a2", ["r2", "kick"])]
            case ("B", "/"):
                [
                    ("b1", ["r1", "42", "a#b/c*", "é€", String(repeating: "a", count: 20)]),
                    ("b2", ["r1", "r2", "kick2"]), ("b3", []),
                ]
            case ("B", "/admin"): [("m1", ["ra"])]
            default: []
            }
        return rooms.map { name, rooms in
            let id = self.id(of: name)
            let recorded = self.recordedSockets.first { Self.owner(of: $0) == name }
            let description = SocketDescription(
                id: id,
                handshake: .object([:]),
                rooms: [Room(id)] + rooms.map { Room($0) },
                data: .object([:])
            )
            return FakeHost.FakeSocket(name: name, description: recorded ?? description)
        }
    }

    /// The id of a client's socket, where a record is addressed at it.
    private func id(of name: String) -> String {
        let isAddressed =
            self.id.contains("socket-id") || self.id.contains("sockets-id") || self.id.hasPrefix("remote-socket")
        let owner = self.id == "remote-socket-disconnect" ? "b3" : "b1"
        guard isAddressed, name == owner else { return name }
        return self.commands.first { $0.type != nil }?.data["opts"]?["rooms"]?[0]?.stringValue ?? name
    }

    private var recordedSockets: [SocketDescription] {
        self.commands.flatMap { $0.data["sockets"]?.arrayValue ?? [] }.compactMap { socket in
            guard let id = socket["id"]?.stringValue else { return nil }
            return SocketDescription(
                id: id,
                handshake: socket["handshake"] ?? .null,
                rooms: Self.rooms(socket["rooms"]),
                data: socket["data"] ?? .null
            )
        }
    }

    private static func owner(of socket: SocketDescription) -> String {
        if socket.rooms.contains("ra") { return "m1" }
        if socket.rooms.contains("42") { return "b1" }
        return socket.rooms.contains("kick2") ? "b2" : "b3"
    }

    static func rooms(_ value: JSONValue?) -> [Room] {
        (value?.arrayValue ?? []).map { Room($0.stringValue ?? "\($0.intValue ?? 0)") }
    }

    /// What the clients of a node got: `name event arguments`.
    func deliveries(to node: String) -> [String] {
        RecordedDelivery.texts(self.deliveries, toClients: node == "A" ? ["a"] : ["b", "m"])
    }
}

extension FakeHost {
    /// What clients got, as ``StreamRecord/deliveries(to:)`` tells it, and every other call.
    func delivered() throws -> (events: [String], others: [Call]) {
        var events: [String] = []
        var others: [Call] = []
        for call in self.calls {
            guard case .deliver(let text, let attachments, let options) = call else {
                others.append(call)
                continue
            }
            let value = try RecordedDelivery.payload(text, attachments, namespace: self.name)
            for name in self.names(options) { events.append("\(name) \(value)") }
        }
        return (events, others)
    }
}
