import Foundation
import NIOCore
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import EngineIO

/// Every recorded conversation with the reference implementation, held against this server over TCP: bytes, order, case.
@Suite(.timeLimit(.minutes(1))) struct TranscriptTests {
    /// Where this server does something else than the reference implementation, on purpose.
    ///
    /// Two rules hold everywhere and are not listed. An answer that the reference sends in chunks has `Content-Length` in
    /// the place of `Transfer-Encoding: chunked`. What is compressed is compared as what it was: how many bytes become of
    /// it is a matter of zlib's version.
    static let deviations: [Deviation] = [
        Deviation(
            "errors-websocket",
            steps: ["no EIO", "EIO=abc"],
            reason: "Refused before the 101 instead of with a plain text answer on the open WebSocket",
            response: .refusal("Unsupported protocol version"),
            frames: .closed
        ),
        Deviation(
            "errors-websocket",
            steps: ["other path"],
            reason: "A foreign upgrade is told that nothing is there, at once, instead of being cut off after a second",
            response: .notFound,
            frames: .asRecorded
        ),
        Deviation(
            "errors-websocket",
            steps: ["Upgrade: h2c"],
            reason: "An offer of another protocol is ignored, and the request answered as if it were not there",
            response: .ordinary(status: "HTTP/1.1 400 Bad Request", body: #"{"code":3,"message":"Bad request"}"#),
            frames: .asRecorded
        ),
        Deviation(
            "polling-handshake",
            steps: ["absolute target"],
            reason: "Proxies write targets in absolute form, and servers have to take them (RFC 9112, section 3.2.2)",
            response: .ordinary(status: "HTTP/1.1 200 OK", body: #"0{"sid":""#),
            frames: .asRecorded
        ),
        Deviation(
            "websocket-close-packet",
            steps: [nil],
            reason: "A close packet over WebSocket closes the session, as the protocol document says",
            response: .asRecorded,
            frames: .closedByServer
        ),
        Deviation(
            "websocket-close-packet",
            steps: ["still open"],
            reason: "A close packet over WebSocket closes the session, as the protocol document says",
            response: .asRecorded,
            frames: .closedByServer
        ),
        Deviation(
            "websocket-per-message-deflate",
            steps: ["offered"],
            reason: """
                No compression state outlives a message, so that connections cost no memory and a broadcast is compressed \
                once. The threshold holds: the reference forgets it while it has such state, and makes short messages longer
                """,
            response: .extensions("permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
            frames: .compressedFrom(20)
        ),
    ]

    /// What is done when, where the order of the steps is not the order of the actions.
    static let scripts: [String: [Action]] = [
        "polling-held": [.run(0), .start(2), .held, .run(1), .finish(2)],
        "polling-overlap-get": [.run(0), .start(1), .held, .run(2), .finish(1), .run(3)],
        "polling-overlap-post": [.run(0), .start(1), .postArrived, .run(2), .finish(1), .run(3)],
        "polling-too-large": [
            .run(0), .run(1), .run(2), .run(3), .run(4), .run(5), .run(6), .run(7), .run(8),
        ],
        "polling-server-close": [
            .run(0), .run(1), .run(2), .run(3), .run(4), .start(6), .held, .run(5), .finish(6), .run(7), .run(8),
            .run(9), .run(10), .run(11), .run(12),
        ],
        "polling-client-close": [.run(0), .start(2), .held, .run(1), .finish(2), .run(3)],
        "upgrade": [.run(0), .open(3), .play(3, 0..<2), .run(1), .play(3, 2..<5), .run(2)],
        "upgrade-get-waiting": [.run(0), .start(1), .held, .open(2), .play(2, 0..<2), .finish(1), .play(2, 2..<5)],
        "upgrade-buffered": [.run(0), .open(2), .play(2, 0..<2), .run(1), .play(2, 2..<4)],
        "upgrade-post-after": [.run(0), .open(2), .play(2, 0..<3), .upgraded, .run(1)],
        "upgrade-get-waiting-no-probe-wait": [
            .run(0), .open(2), .play(2, 0..<2), .start(1), .held, .play(2, 2..<5), .finish(1),
        ],
        "upgrade-second-websocket": [.run(0), .open(3), .play(3, 0..<2), .run(1), .play(3, 2..<5), .run(2)],
        "upgrade-ping-during": [.run(0), .open(1), .play(1, 0..<2), .timeIsUp, .play(1, 2..<5)],
        "upgrade-timeout": [.run(0), .open(1), .play(1, 0..<2), .probeTimeIsUp, .play(1, 2..<5), .run(2), .run(3)],
        "polling-ping": [
            .run(0), .start(1), .held, .timeIsUp, .finish(1), .run(2), .start(3), .held, .timeIsUp, .finish(3),
            .start(4),
            .held, .timeIsUp, .finish(4), .run(5),
        ],
        "websocket-ping": [
            .open(0), .play(0, 0..<1), .timeIsUp, .play(0, 1..<3), .taken(0), .timeIsUp, .play(0, 3..<5), .taken(0),
            .timeIsUp, .play(0, 5..<6), .timeIsUp, .play(0, 6..<9),
        ],
        "websocket-pong-early": [
            .open(0), .play(0, 0..<2), .taken(0), .timeIsUp, .play(0, 2..<3), .timeIsUp, .play(0, 3..<6),
        ],
        "server-shutdown": [
            .run(0), .start(1), .held, .open(2), .play(2, 0..<1), .closeSessions, .finish(1), .play(2, 1..<4), .run(3),
        ],
        "compression": [
            .run(0), .serverSends(1022), .run(1), .serverSends(1023), .run(2), .serverSends(2000), .run(3),
            .serverSends(2000), .run(4), .serverSends(2000), .run(5), .serverSends(2000), .run(6),
        ],
        "compression-default": [.run(0), .serverSends(2000), .run(1)],
    ]

    @Test func everyTranscriptIsKnown() {
        #expect(Transcript.all.count == 117)
        let ids = Set(Transcript.all.map(\.id))
        #expect(Set(Self.scripts.keys).isSubset(of: ids))
        for deviation in Self.deviations {
            let steps = Transcript.all.first { $0.id == deviation.id }?.steps.map(\.label) ?? []
            for step in deviation.steps { #expect(steps.contains(step)) }
        }
    }

    @Test(arguments: Transcript.all) func replay(_ transcript: Transcript) async throws {
        try await EchoServer.run(transcript.configuration) { server in
            let replay = Replay(transcript, server)
            let actions =
                Self.scripts[transcript.id]
                ?? transcript.steps.indices.filter { transcript.steps[$0].events == nil }.map { .run($0) }
            for action in actions {
                do {
                    try await replay.perform(action)
                } catch {
                    Issue.record("\(transcript.id), \(action): \(error)")
                    throw error
                }
            }
            await replay.closeAll()
            if let events = transcript.steps.last?.events { try await replay.check(events) }
        }
    }

    struct Deviation: Sendable {
        enum Response {
            case asRecorded
            case refusal(String)
            case notFound
            /// That status, and a body that begins so.
            case ordinary(status: String, body: String)
            /// As recorded but for what has been agreed on.
            case extensions(String)
        }

        enum Frames {
            case asRecorded
            /// The same messages, but compressed from so many bytes on only.
            case compressedFrom(Int)
            case closed
            case closedByServer
        }

        let id: String
        let steps: [String?]
        let reason: String
        let response: Response
        let frames: Frames

        init(_ id: String, steps: [String?], reason: String, response: Response, frames: Frames) {
            self.id = id
            self.steps = steps
            self.reason = reason
            self.response = response
            self.frames = frames
        }
    }

    enum Action: Sendable {
        /// The whole step.
        case run(Int)
        /// Sends the step's request.
        case start(Int)
        /// Compares the answer to it.
        case finish(Int)
        /// Opens the step's WebSocket.
        case open(Int)
        /// Sends and compares some of its frames.
        case play(Int, Range<Int>)
        /// Waits until the session holds a GET.
        case held
        /// Waits until the session has seen the head of a POST.
        case postArrived
        /// Waits until the session is on WebSocket.
        case upgraded
        /// Waits until the server has seen what was sent over the step's WebSocket.
        case taken(Int)
        /// The session's ping interval is over, or the ping timeout.
        case timeIsUp
        case probeTimeIsUp
        /// Has the server send a message of so many bytes.
        case serverSends(Int)
        case closeSessions
    }
}

/// Plays a transcript's client.
private final class Replay {
    private let transcript: Transcript
    private let server: EchoServer
    private var connections: [Int: RawConnection] = [:]
    private var webSockets: [Int: RawConnection] = [:]
    /// The WebSocket of the last step.
    private var lastWebSocket: RawConnection?
    /// The recorded ids of sessions, and theirs here.
    private var ids: [(recorded: String, actual: String)] = []
    /// The compressed messages of the recording, one stream, and how many bytes of it have been compared.
    private var recordedStream = ByteBuffer()
    private var comparedBytes = 0

    init(_ transcript: Transcript, _ server: EchoServer) {
        self.transcript = transcript
        self.server = server
    }

    func perform(_ action: TranscriptTests.Action) async throws {
        switch action {
        case .run(let index):
            let step = self.transcript.steps[index]
            if step.request != nil {
                try await self.start(index)
                try await self.finish(index)
            } else if let webSocket = step.websocket {
                try await self.open(index)
                try await self.play(index, 0..<webSocket.frames.count)
            } else if let stillOpen = step.stillOpen {
                try await self.check(stillOpen: stillOpen, step)
            }
        case .start(let index): try await self.start(index)
        case .finish(let index): try await self.finish(index)
        case .open(let index): try await self.open(index)
        case .play(let index, let range): try await self.play(index, range)
        case .held: try await self.server.wait(for: self.session) { $0.holdsPoll }
        case .postArrived: try await self.server.wait(for: self.session) { $0.holdsPost }
        case .upgraded: try await self.server.wait(for: self.session) { $0.transport == .websocket }
        case .taken(let index):
            try await self.webSockets[index]?.send(.ping, [1])
            let pong = try await self.webSockets[index]?.frame()
            #expect(pong == RawConnection.Frame(opcode: .pong, payload: [1]))
        case .timeIsUp:
            try await self.server.wait(for: self.session) { session in
                session.timerFired(at: session.timers.now)
                return true
            }
        case .probeTimeIsUp:
            try await self.server.wait(for: self.session) { session in
                guard case .polling(let polling) = session.link else { return false }
                polling.probe?.timerFired(at: .distantFuture)
                return true
            }
        case .serverSends(let count):
            try await self.server.wait(for: self.session) { session in
                session.send(text: ByteBuffer(repeating: UInt8(ascii: "x"), count: count))
                return true
            }
        case .closeSessions: await self.server.server.closeSessions()
        }
    }

    func closeAll() async {
        for connection in self.connections.values { await connection.close() }
        for webSocket in self.webSockets.values { await webSocket.close() }
    }

    func check(_ events: [Transcript.Event]) async throws {
        var recorded = events.map { event -> EchoServer.Event in
            if let refusal = event.connectionError {
                return .refusal(
                    HandshakeError(
                        HandshakeError.Code(rawValue: refusal.code) ?? .badRequest,
                        context: refusal.context.mapValues { self.actual($0.text) }
                    )
                )
            }
            var description = event.description
            for prefix in ["RangeError: ", "Error: "] where description?.hasPrefix(prefix) == true {
                description?.removeFirst(prefix.count)
            }
            if description == "Invalid WebSocket frame: RSV1 must be clear" {
                description = "Invalid WebSocket frame: reserved bits must be clear"
            }
            return .close(event.close ?? "", description: description)
        }
        if self.transcript.id == "errors-websocket" {
            // The request that offered HTTP/2: the reference implementation does not tell of it.
            recorded.append(.refusal(HandshakeError(.badRequest, context: ["name": "TRANSPORT_HANDSHAKE_ERROR"])))
        }
        let expected = recorded
        try await self.server.wait { [server] in server.events.count >= expected.count }
        // The order of what happens on different loops is not fixed.
        #expect(
            self.server.events.map(\.description).sorted() == expected.map(\.description).sorted(),
            "\(self.transcript.id)"
        )
    }

    // MARK: Ids

    private var session: String { self.ids.last?.actual ?? "" }

    private func actual(_ text: String) -> String {
        self.ids.reduce(text) { $0.replacing($1.recorded, with: $1.actual) }
    }

    /// Takes the actual ids out of an answer, learning new ones.
    private func recorded(_ text: String, _ recorded: String) -> String {
        if let actual = text.sessionID, let old = recorded.sessionID, !self.ids.contains(where: { $0.actual == actual })
        {
            self.ids.append((old, actual))
        }
        let text = self.ids.reduce(text) { $0.replacing($1.actual, with: $1.recorded) }
        let options = self.transcript.serverOptions
        return [("pingInterval", options.pingInterval), ("pingTimeout", options.pingTimeout)].reduce(text) {
            guard let value = $1.1 else { return $0 }
            return $0.replacing("\"\($1.0)\":\(value.slower)", with: "\"\($1.0)\":\(value)")
        }
    }

    private func deviation(_ step: Transcript.Step) -> TranscriptTests.Deviation? {
        TranscriptTests.deviations.first { $0.id == self.transcript.id && $0.steps.contains(step.label) }
    }

    // MARK: HTTP

    private func start(_ index: Int) async throws {
        guard let request = self.transcript.steps[index].request else { return }
        let connection = try await self.server.connect()
        self.connections[index] = connection
        let isCut = request.aborted != nil || self.transcript.steps[index].label?.contains("never ends") == true
        try await connection.send(self.bytes(of: request, isCut: isCut))
        if request.aborted != nil {
            if request.body == nil {
                try await self.server.wait(for: self.session) { $0.holdsPoll }
            } else {
                try await self.server.wait(for: self.session) { $0.holdsPost }
            }
            await connection.close()
            try await self.server.wait(for: self.session) { _ in false }
        }
    }

    private func bytes(of request: Transcript.Request, isCut: Bool = false) -> ByteBuffer {
        var buffer = ByteBuffer(string: self.actual(request.line) + "\r\n")
        for header in request.headers { buffer.writeString("\(header[0]): \(self.actual(header[1]))\r\n") }
        buffer.writeString("\r\n")
        var body = request.body?.bytes ?? []
        if isCut, !body.isEmpty { body.removeLast() }
        buffer.writeBytes(body)
        return buffer
    }

    private func finish(_ index: Int) async throws {
        let step = self.transcript.steps[index]
        guard let request = step.request, let expected = step.response, let connection = self.connections[index] else {
            return
        }
        if let none = expected.none {
            if none.hasPrefix("no response") {
                try await self.server.wait(for: self.session) { $0.holdsPoll }
                #expect(connection.pending.isEmpty)
                await connection.close()
                try await self.server.wait(for: self.session) { _ in false }
            } else if none.hasPrefix("connection closed") {
                #expect(try await connection.end().isEmpty)
            }
            return
        }
        let isHead = request.line.hasPrefix("HEAD ")
        let response = try await connection.response(isHead: isHead)
        self.compare(response, with: expected, step)
        if expected.headers?.contains(["Connection", "close"]) == true {
            #expect(try await connection.end().isEmpty)
        }
    }

    private func compare(
        _ response: RawConnection.Response,
        with expected: Transcript.Response,
        _ step: Transcript.Step
    ) {
        let label = "\(self.transcript.id), \(step.label ?? "-")"
        if case .ordinary(let status, let body) = self.deviation(step)?.response {
            #expect(response.status == status, "\(label)")
            #expect(response.text.hasPrefix(body), "\(label)")
            return
        }
        var expectedBody = expected.body?.bytes ?? []
        let encoding = expected.headers?.first { $0[0] == "Content-Encoding" }?[1]
        var actualBody = response.body
        if let encoding {
            #expect(actualBody.count < 100, "\(label)")
            let bytes = try? inflated(ByteBuffer(bytes: actualBody), windowBits: encoding == "gzip" ? 31 : 15)
            actualBody = bytes.map { Array($0.readableBytesView) } ?? []
        }
        if let whole = expected.bodyDecompressed { expectedBody = whole.bytes }
        let expectedText = String(decoding: expectedBody, as: UTF8.self)
        let actualText = self.recorded(String(decoding: actualBody, as: UTF8.self), expectedText)
        #expect(actualText == expectedText, "\(label)")
        // Times are of other lengths here than in the recording.
        let isOfOtherLength = encoding != nil || actualText.utf8.count != actualBody.count
        var head = (expected.status ?? "") + "\r\n"
        for header in expected.headers ?? [] {
            switch header[0] {
            case "Transfer-Encoding": head += "Content-Length: \(expectedBody.count)\r\n"
            case "Content-Length" where isOfOtherLength: head += "Content-Length: \(response.body.count)\r\n"
            case "Sec-WebSocket-Extensions":
                var value = header[1]
                if case .extensions(let agreed) = self.deviation(step)?.response { value = agreed }
                head += "Sec-WebSocket-Extensions: \(value)\r\n"
            case "Date": head += "Date: -\r\n"
            default: head += "\(header[0]): \(header[1])\r\n"
            }
        }
        head += "\r\n"
        #expect(self.recorded(self.withoutDate(response.head), head) == head, "\(label)")
    }

    private func withoutDate(_ head: String) -> String {
        head.split(separator: "\r\n", omittingEmptySubsequences: false).map { line in
            guard line.hasPrefix("Date: ") else { return String(line) }
            #expect(line.count == 35 && line.hasSuffix(" GMT"))
            return "Date: -"
        }.joined(separator: "\r\n")
    }

    // MARK: WebSocket

    private func open(_ index: Int) async throws {
        let step = self.transcript.steps[index]
        guard let webSocket = step.websocket else { return }
        let connection = try await self.server.connect()
        self.webSockets[index] = connection
        self.lastWebSocket = connection
        try await connection.send(self.bytes(of: webSocket.request))
        let response: RawConnection.Response
        switch self.deviation(step)?.response ?? .asRecorded {
        case .refusal(let message):
            response = try await connection.response()
            #expect(response.text == message)
            #expect(response.status == "HTTP/1.1 400 Bad Request")
            #expect(try await connection.end().isEmpty)
            return
        case .notFound:
            response = try await connection.response()
            #expect(response.status == "HTTP/1.1 404 Not Found")
            return
        case .ordinary:
            response = try await connection.response()
            self.compare(response, with: webSocket.response, step)
            return
        case .asRecorded, .extensions:
            response = try await connection.response()
        }
        self.compare(response, with: webSocket.response, step)
        if webSocket.response.connection == "closed" { #expect(try await connection.end().isEmpty) }
        if webSocket.response.connection == "left open" {
            // Open, and good for the next request.
            try await connection.send("GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await connection.response().status == "HTTP/1.1 404 Not Found")
        }
    }

    private func play(_ index: Int, _ range: Range<Int>) async throws {
        let step = self.transcript.steps[index]
        guard let webSocket = step.websocket, let connection = self.webSockets[index] else { return }
        guard webSocket.response.status == "HTTP/1.1 101 Switching Protocols" else { return }
        switch self.deviation(step)?.frames ?? .asRecorded {
        case .closed,
            .asRecorded where webSocket.response.status == nil:
            return
        case .closedByServer, .compressedFrom, .asRecorded: break
        }
        for frame in webSocket.frames[range] {
            if frame.tcp != nil {
                #expect(try await connection.end().isEmpty)
            } else if frame.isFromServer {
                try await self.compare(connection.frame(), with: frame, step)
            } else {
                try await self.send(frame, over: connection)
            }
        }
        if case .closedByServer = self.deviation(step)?.frames {
            #expect(try await connection.frame() == RawConnection.Frame(opcode: .close, payload: []))
        }
    }

    private func compare(_ frame: RawConnection.Frame, with expected: Transcript.Frame, _ step: Transcript.Step) {
        let label = "\(self.transcript.id), \(step.label ?? "-")"
        let name: String =
            switch frame.opcode {
            case .text: "text"
            case .binary: "binary"
            case .close: "close"
            case .ping: "ping"
            case .pong: "pong"
            case .continuation: "continuation"
            }
        #expect(name == expected.frame, "\(label)")
        guard frame.opcode != .close else {
            var payload: [UInt8] = []
            if let code = expected.code {
                payload = [UInt8(code >> 8), UInt8(code & 0xFF)] + Array((expected.reason ?? "").utf8)
            }
            #expect(frame.payload == payload, "\(label)")
            return
        }
        if case .compressedFrom(let threshold) = self.deviation(step)?.frames {
            let expectedText = self.inflate(expected.payload)
            var payload = ByteBuffer(bytes: frame.payload)
            if frame.isCompressed {
                payload.writeBytes([0, 0, 0xFF, 0xFF])
                payload = (try? inflated(payload, windowBits: -15)) ?? ByteBuffer()
            }
            #expect(self.recorded(String(buffer: payload), expectedText) == expectedText, "\(label)")
            #expect(frame.isCompressed == (expectedText.utf8.count >= threshold), "\(label)")
            return
        }
        #expect(!frame.isCompressed, "\(label)")
        if frame.opcode == .text {
            let expectedText = String(decoding: expected.payload, as: UTF8.self)
            #expect(self.recorded(frame.text, expectedText) == expectedText, "\(label)")
        } else {
            #expect(frame.payload == expected.payload, "\(label)")
        }
    }

    /// A recorded message, which may refer to those before it.
    private func inflate(_ payload: [UInt8]) -> String {
        self.recordedStream.writeBytes(payload + [0, 0, 0xFF, 0xFF])
        guard let all = try? inflated(self.recordedStream, windowBits: -15) else { return "" }
        defer { self.comparedBytes = all.readableBytes }
        return all.getString(at: self.comparedBytes, length: all.readableBytes - self.comparedBytes) ?? ""
    }

    private func send(_ frame: Transcript.Frame, over connection: RawConnection) async throws {
        var payload = frame.payload
        let opcode: WebSocketOpcode
        switch frame.frame {
        case "binary": opcode = .binary
        case "continuation": opcode = .continuation
        case "ping": opcode = .ping
        case "pong": opcode = .pong
        case "close":
            opcode = .close
            if let code = frame.code {
                payload = [UInt8(code >> 8), UInt8(code & 0xFF)] + Array((frame.reason ?? "").utf8)
            }
        default: opcode = .text
        }
        if frame.masked == false {
            var buffer = ByteBuffer()
            buffer.writeWebSocketFrame(opcode, payload: ByteBuffer(bytes: payload))
            return try await connection.send(buffer)
        }
        if frame.rsv1 == true || (self.transcript.id == "websocket-rsv1" && opcode == .text) {
            var buffer = ByteBuffer()
            buffer.writeMaskedWebSocketFrame(opcode, payload: ByteBuffer(bytes: payload), mask: WebSocketMask(7))
            buffer.setInteger(UInt8(0xC0 | opcode.rawValue), at: 0)
            return try await connection.send(buffer)
        }
        // An answer to a close frame may come too late.
        do {
            try await connection.send(opcode, payload, isFinal: frame.fin ?? true)
        } catch  where frame.answer == true {}
    }

    private func check(stillOpen: Bool, _ step: Transcript.Step) async throws {
        guard let connection = self.lastWebSocket else { return }
        if stillOpen, self.deviation(step) == nil {
            try await connection.send(.ping, Array("still?".utf8))
            #expect(try await connection.frame() == RawConnection.Frame(opcode: .pong, payload: Array("still?".utf8)))
        } else {
            await connection.close()
            _ = try await connection.end()
        }
    }
}

extension Transcript {
    /// The server that the transcript was recorded from.
    fileprivate var configuration: EngineConfiguration {
        var configuration = EngineConfiguration()
        let options = self.serverOptions
        // What Node's HTTP server has.
        configuration.limits.keepAliveTimeout = .seconds(5)
        // Nothing here waits for a poll to be shortened, but one transcript wants a poll that is not.
        if self.id == "upgrade-get-waiting-no-probe-wait" { configuration.probeCheckInterval = .seconds(10) }
        if let value = options.pingInterval { configuration.pingInterval = .milliseconds(value.slower) }
        if let value = options.pingTimeout { configuration.pingTimeout = .milliseconds(value.slower) }
        if let value = options.upgradeTimeout { configuration.upgradeTimeout = .milliseconds(value.slower) }
        if let value = options.maxHttpBufferSize { configuration.maxHTTPBufferSize = value }
        if let value = options.allowEIO3 { configuration.allowEIO3 = value }
        if let value = options.perMessageDeflate {
            configuration.perMessageDeflate = PerMessageDeflate()
            configuration.perMessageDeflate?.threshold = value.threshold
        }
        if let value = options.httpCompression { configuration.httpCompression?.threshold = value.threshold }
        configuration.initialPacket = options.initialPacket
        if let value = options.allowUpgrades { configuration.allowUpgrades = value }
        if let value = options.transports { configuration.transports = value.compactMap(TransportName.init) }
        if let value = options.path { configuration.path = value }
        if let value = options.addTrailingSlash { configuration.addTrailingSlash = value }
        if options.allowRequest != nil {
            let message = self.id == "error-forbidden-message" ? "Thou shall not pass" : nil
            configuration.allowRequest = { _ in .refuse(message) }
        }
        if let cors = options.cors { configuration.cors = cors.configuration }
        switch options.cookie {
        case nil: break
        case .standard: configuration.cookie = CookieConfiguration()
        case .attributes(let attributes):
            var cookie = CookieConfiguration()
            if let value = attributes.name { cookie.name = value }
            if let value = attributes.path { cookie.path = value }
            if let value = attributes.httpOnly { cookie.httpOnly = value }
            if let value = attributes.sameSite { cookie.sameSite = .init(rawValue: value.capitalized) }
            if let value = attributes.secure { cookie.secure = value }
            cookie.maxAge = attributes.maxAge
            cookie.domain = attributes.domain
            configuration.cookie = cookie
        }
        return configuration
    }
}

extension Int64 {
    /// A time that does not pass by itself, however busy the machine.
    fileprivate var slower: Int64 { self < 1000 ? self * 1000 : self }
}

extension Transcript.Options.CORS {
    fileprivate var configuration: CORSConfiguration? {
        var cors = CORSConfiguration()
        switch self.origin {
        case .text("*"): cors.origin = .any
        case .text(let origin): cors.origin = .fixed(origin)
        case .list(let origins): cors.origin = .list(origins)
        case .flag(true): cors.origin = .matching { _ in true }
        case .flag(false): return nil
        }
        if let value = self.credentials { cors.credentials = value }
        if let value = self.methods { cors.methods = value.joined(separator: ",") }
        cors.allowedHeaders = self.allowedHeaders?.joined(separator: ",")
        cors.exposedHeaders = self.exposedHeaders?.joined(separator: ",")
        cors.maxAge = self.maxAge
        if let value = self.optionsSuccessStatus { cors.optionsSuccessStatus = value }
        if let value = self.preflightContinue { cors.preflightContinue = value }
        return cors
    }
}
