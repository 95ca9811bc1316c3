import Foundation
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

/// Replays what the official server did over one WebSocket: what a client sends, and what it must get, in order.
@Suite(.timeLimit(.minutes(1))) struct TranscriptTests {
    struct Transcript: Sendable, CustomTestStringConvertible {
        enum Step: Sendable {
            case send(String)
            case sendBinary([UInt8])
            case expect(TestClient.Frame)
        }

        var id: String
        var connectTimeout: Int?
        var steps: [Step]
        var staysOpen: Bool
        /// The reasons with which sockets disconnected, in order.
        var disconnects: [String]
        var testDescription: String { self.id }
    }

    /// Entries that are not replayed here, and why.
    static let elsewhere: [String: String] = [
        "connect-dynamic": "dynamic namespaces are not offered yet",
        "cleanup-empty-child-namespaces": "dynamic namespaces are not offered yet",
        "recovery": "connection state recovery is not offered yet",
        "binary-zero":
            "the reference's decoder stays confused after a packet with zero attachments; ours goes on (improvement)",
        "server-ack-timeout": "EventTests.missingAcknowledgementsFail: the answer has to come after the timeout",
        "server-close": "ConnectionTests.disconnectReasons: the server is closed by the test",
        "disconnect-sockets": "BroadcastTests.commandsForManySockets: the server acts by itself",
        "broadcast": "BroadcastTests: the server acts by itself",
        "polling-binary": "PollingTests: several HTTP requests",
        "polling-malformed": "PollingTests: several HTTP requests",
        "polling-server-disconnect": "PollingTests: several HTTP requests",
        "http-client-files": "the client's files are not served; the answer is 404",
    ]

    static func transcripts() throws -> [Transcript] {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/socketio-transcripts", withExtension: "json"))
        let root = try JSONValue(parsing: ByteBuffer(bytes: try Data(contentsOf: url)))
        return try #require(root["transcripts"]?.arrayValue).compactMap { entry in
            let id = try #require(entry["id"]?.stringValue)
            guard self.elsewhere[id] == nil else { return nil }
            let steps = try #require(entry["steps"]?.arrayValue)
            let sockets = steps.filter { $0["websocket"] != nil }
            try #require(sockets.count == 1, "\(id) has \(sockets.count) connections: replay or list it")
            let frames = try #require(sockets[0]["websocket"]?["frames"]?.arrayValue)
            return Transcript(
                id: id,
                connectTimeout: entry["serverOptions"]?["connectTimeout"]?.intValue,
                steps: try frames.dropFirst().compactMap(self.step),
                staysOpen: steps.contains { $0["stillOpen"]?.boolValue == true },
                disconnects: steps.flatMap { $0["events"]?.arrayValue ?? [] }.compactMap { $0["reason"]?.stringValue }
            )
        }
    }

    private static func step(_ frame: JSONValue) throws -> Transcript.Step? {
        if frame["answer"] != nil { return nil }
        if frame["tcp"] != nil { return .expect(.end) }
        let isFromServer = frame["dir"] == "from server"
        switch frame["frame"]?.stringValue {
        case "text":
            let text = try #require(frame["text"]?.stringValue)
            return isFromServer ? .expect(.text(text)) : .send(text)
        case "binary":
            let hex = Array(try #require(frame["hex"]?.stringValue).utf8)
            let bytes = try stride(from: 0, to: hex.count, by: 2).map { index in
                try #require(UInt8(String(decoding: hex[index..<index + 2], as: UTF8.self), radix: 16))
            }
            return isFromServer ? .expect(.binary(bytes)) : .sendBinary(bytes)
        case "close":
            return .expect(.close)
        default:
            Issue.record("a frame of unknown kind: \(frame)")
            return nil
        }
    }

    /// The server that the recording was made with.
    private func setUp(_ io: SocketServer, disconnects: Recorder<String>) {
        let namespaces = ["/", "/custom", "/auth", "/greet"].map(io.of)
        io.of("/auth").use { socket in
            guard socket.handshake.auth["token"] == "ok" else {
                let details: JSONValue? =
                    socket.handshake.auth["data"] == nil ? nil : ["code": "E1", "details": [1, 2]]
                throw ConnectError("not authorized", data: details)
            }
        }
        io.of("/greet").onConnection { socket in socket.emit("welcome", socket.id.description.count) }
        for namespace in namespaces {
            namespace.onDisconnect { _, reason in disconnects.record(reason.rawValue) }
            namespace.onRaw("echo") { event in
                // Node passes the acknowledgement function on as one more argument, so the client is asked in turn.
                let values = try event.arguments.values()
                if event.expectsAcknowledgement {
                    Task { _ = try? await event.socket.emitWithAck("echo", values[0], returning: JSONValue.self) }
                } else {
                    event.socket.emit("echo", values: values)
                }
            }
            namespace.onRaw("ack") { event in event.acknowledge(values: try event.arguments.values()) }
            namespace.onRaw("ack-twice") { event in
                event.acknowledge(1)
                event.acknowledge(2)
            }
            namespace.on("bye") { (socket: Socket) in socket.disconnect() }
            namespace.on("bye-close") { (socket: Socket) in socket.disconnect(closingConnection: true) }
            namespace.on("ask") { (socket: Socket) async in
                _ = try? await socket.emitWithAck("question", 1, returning: JSONValue.self)
            }
            namespace.on("three") { (socket: Socket) in
                socket.emit("one", 1)
                socket.emit("two", ByteBuffer(bytes: [2]), ByteBuffer(bytes: [3]))
                socket.emit("three", 3)
            }
            namespace.on("join") { (socket: Socket, room: String) in socket.join(Room(room)) }
            namespace.on("send") { (socket: Socket) in socket.send("hi", 1) }
            namespace.on("handshake") { (socket: Socket) -> JSONValue in
                let handshake = socket.handshake
                return [
                    "auth": handshake.auth,
                    "query": .object(JSONObject(handshake.query.map { ($0.name, .string($0.value)) }) { $1 }),
                    "url": .string(handshake.url),
                    "xdomain": .bool(handshake.isCrossDomain),
                    "secure": .bool(handshake.isSecure),
                    "keys": .array((handshake.json.objectValue ?? [:]).keys.map { .string($0) }),
                ]
            }
        }
    }

    @Test(arguments: try transcripts())
    func clientGetsWhatTheReferenceSends(_ transcript: Transcript) async throws {
        var configuration = SocketServerConfiguration()
        if let timeout = transcript.connectTimeout { configuration.connectTimeout = .milliseconds(Int64(timeout)) }
        let disconnects = Recorder<String>()
        try await TestServer(configuration: configuration, setUp: { self.setUp($0, disconnects: disconnects) }).run {
            _,
            address in
            let client = try await TestClient.connect(to: address)
            for step in transcript.steps {
                switch step {
                // The server may have closed the connection before the client has sent everything.
                case .send(let text): try? await client.send(text)
                case .sendBinary(let bytes): try? await client.send(binary: bytes)
                case .expect(let frame): #expect(Self.normalized(await client.next()) == Self.normalized(frame))
                }
            }
            if transcript.staysOpen {
                // Whatever was sent before this has been handled when the answer is here, and nothing else was sent.
                try await client.send("40/probe")
                #expect(await client.next() == .text("44/probe,{\"message\":\"Invalid namespace\"}"))
            }
            // Most have been closed by the server; the others end here.
            await client.close()
            for reason in transcript.disconnects { #expect(await disconnects.next() == reason) }
        }
    }

    @Test func listOfExceptionsNamesRealEntries() throws {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/socketio-transcripts", withExtension: "json"))
        let root = try JSONValue(parsing: ByteBuffer(bytes: try Data(contentsOf: url)))
        let ids = Set(try #require(root["transcripts"]?.arrayValue).compactMap { $0["id"]?.stringValue })
        #expect(ids.count == 90)
        #expect(Set(Self.elsewhere.keys).subtracting(ids).isEmpty)
    }

    /// Ids differ from run to run.
    private static func normalized(_ frame: TestClient.Frame) -> TestClient.Frame {
        guard case .text(let text) = frame, let start = text.range(of: "\"sid\":\"") else { return frame }
        let end = text.index(start.upperBound, offsetBy: 20, limitedBy: text.endIndex) ?? text.endIndex
        return .text(text.replacingCharacters(in: start.upperBound..<end, with: "SID"))
    }
}
