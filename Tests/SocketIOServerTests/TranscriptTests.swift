import EngineIO
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
        /// Which namespaces sockets connected to, and with which reasons they disconnected, in order.
        var events: [String]
        var testDescription: String { self.id }
    }

    /// Entries that are not replayed here, and why: none.
    static let elsewhere: [String: String] = [:]

    /// Entries in which this server does something else on purpose: the reason, and what happens instead from the frame of
    /// that number on.
    static let deviations: [String: (reason: String, from: Int, steps: [Transcript.Step])] = [
        "binary-zero": (
            reason:
                "the reference's decoder stays confused after a packet with zero attachments and closes; ours goes on",
            from: 5,
            steps: [.expect(.text("42[\"echo\",1]")), .expect(.text("42[\"echo\",2]"))]
        ),
        "connect-array": Self.authExplained, "connect-null": Self.authExplained, "connect-string": Self.authExplained,
    ]

    private static let authExplained: (reason: String, from: Int, steps: [Transcript.Step]) = (
        reason: "the reference closes the connection without a word; ours says why before it does",
        from: 2,
        steps: [
            .expect(
                .text(
                    #"44{"message":"auth must be an object, such as {token: \"…\"}, and no text, number or list"}"#
                )
            ),
            .expect(.close),
        ]
    )

    /// Entries that are more than what one client does over one WebSocket: replayed one by one in
    /// ``TranscriptScenarioTests``.
    static let scenarios: Set<String> = [
        "cleanup-empty-child-namespaces", "recovery", "server-ack-timeout", "server-close", "disconnect-sockets",
        "broadcast", "polling-binary", "polling-malformed", "polling-server-disconnect", "http-client-files",
    ]

    static func transcripts() throws -> [Transcript] {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/socketio-transcripts", withExtension: "json"))
        let root = try JSONValue(parsing: ByteBuffer(bytes: try Data(contentsOf: url)))
        return try #require(root["transcripts"]?.arrayValue).compactMap { entry in
            let id = try #require(entry["id"]?.stringValue)
            guard self.elsewhere[id] == nil, !self.scenarios.contains(id) else { return nil }
            let steps = try #require(entry["steps"]?.arrayValue)
            let sockets = steps.filter { $0["websocket"] != nil }
            try #require(sockets.count == 1, "\(id) has \(sockets.count) connections: replay or list it")
            let frames = try #require(sockets[0]["websocket"]?["frames"]?.arrayValue)
            var transcript = Transcript(
                id: id,
                connectTimeout: entry["serverOptions"]?["connectTimeout"]?.intValue,
                steps: try frames.dropFirst().compactMap(self.step),
                staysOpen: steps.contains { $0["stillOpen"]?.boolValue == true },
                events: steps.flatMap { $0["events"]?.arrayValue ?? [] }.compactMap(self.event)
            )
            if let deviation = self.deviations[id] {
                transcript.steps = Array(try frames[1..<deviation.from].compactMap(self.step)) + deviation.steps
                let isClosed = transcript.steps.contains {
                    if case .expect(.close) = $0 { true } else { false }
                }
                transcript.staysOpen = !isClosed
                transcript.events = isClosed ? [] : ["/ connection", "/ transport close"]
            }
            return transcript
        }
    }

    /// What happened on the server, if it is a connection or its end.
    static func event(_ event: JSONValue) -> String? {
        guard let namespace = event["nsp"]?.stringValue else { return nil }
        switch event["event"] {
        case "connection": return "\(namespace) connection"
        case "disconnect": return "\(namespace) \(event["reason"]?.stringValue ?? "")"
        default: return nil
        }
    }

    static func step(_ frame: JSONValue) throws -> Transcript.Step? {
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
    static func setUp(_ io: SocketServer, events: Recorder<String>) {
        let namespaces: [any HandlerRegistry] =
            ["/", "/custom", "/auth", "/greet"].map { io.of($0) } + [io.of(matching: /\/dyn-\d+/)]
        io.of("/auth").use { socket in
            guard socket.handshake.auth["token"] == "ok" else {
                let details: JSONValue? =
                    socket.handshake.auth["data"] == nil ? nil : ["code": "E1", "details": [1, 2]]
                throw ConnectError("not authorized", data: details)
            }
        }
        io.of("/greet").onConnection { socket in socket.emit("welcome", socket.id.description.count) }
        for namespace in namespaces {
            namespace.onConnection { socket in events.record("\(socket.namespace.name) connection") }
            namespace.onDisconnect { socket, reason in events.record("\(socket.namespace.name) \(reason)") }
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
            namespace.on("ask-timeout") { (socket: Socket) async in
                do {
                    _ = try await socket.timeout(.milliseconds(100)).emitWithAck(
                        "question",
                        1,
                        returning: JSONValue.self
                    )
                } catch {
                    events.record("\(error)")
                }
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
                    "query": .object(JSONObject(handshake.query.map { (UTF8Text($0.name), .string($0.value)) }) { $1 }),
                    "url": .string(handshake.url),
                    "xdomain": .bool(handshake.isCrossDomain),
                    "secure": .bool(handshake.isSecure),
                    "keys": .array((handshake.json.objectValue ?? [:]).keys.map { .string($0.string) }),
                ]
            }
        }
    }

    @Test(arguments: try transcripts())
    func clientGetsWhatTheReferenceSends(_ transcript: Transcript) async throws {
        var configuration = SocketServerConfiguration()
        // It does not pass by itself: joining takes its time on a busy machine.
        if transcript.connectTimeout != nil {
            configuration.engine.pingInterval = .hours(4)
            configuration.connectTimeout = .hours(1)
        }
        let events = Recorder<String>()
        try await TestServer(configuration: configuration, setUp: { Self.setUp($0, events: events) }).run {
            server,
            address in
            let client = try await TestClient.connect(to: address)
            for step in transcript.steps {
                switch step {
                case .expect(.close) where transcript.connectTimeout != nil:
                    await server.advanceTime(by: .minutes(59))
                    try await client.settle()
                    await server.advanceTime(by: .minutes(2))
                    #expect(await client.next() == .close)
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
            for event in transcript.events { #expect(await events.next() == event) }
        }
    }

    @Test func listOfExceptionsNamesRealEntries() throws {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/socketio-transcripts", withExtension: "json"))
        let root = try JSONValue(parsing: ByteBuffer(bytes: try Data(contentsOf: url)))
        let ids = Set(try #require(root["transcripts"]?.arrayValue).compactMap { $0["id"]?.stringValue })
        #expect(ids.count == 90)
        #expect(Set(Self.elsewhere.keys).subtracting(ids).isEmpty)
        #expect(Set(Self.deviations.keys).subtracting(ids).isEmpty)
        #expect(Self.scenarios.subtracting(ids).isEmpty)
    }

    /// Ids differ from run to run.
    static func normalized(_ frame: TestClient.Frame) -> TestClient.Frame {
        guard case .text(let text) = frame, let start = text.range(of: "\"sid\":\"") else { return frame }
        let end = text.index(start.upperBound, offsetBy: 20, limitedBy: text.endIndex) ?? text.endIndex
        return .text(text.replacingCharacters(in: start.upperBound..<end, with: "SID"))
    }
}
