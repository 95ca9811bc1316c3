import Foundation
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

/// The transcripts in which the server acts by itself, several clients take part, or HTTP requests come one by one.
@Suite(.timeLimit(.minutes(1))) struct TranscriptScenarioTests {
    private static func transcript(_ id: String) throws -> [JSONValue] {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/socketio-transcripts", withExtension: "json"))
        let root = try JSONValue(parsing: ByteBuffer(bytes: try Data(contentsOf: url)))
        let entries = try #require(root["transcripts"]?.arrayValue)
        let entry = try #require(entries.first { $0["id"]?.stringValue == id })
        return try #require(entry["steps"]?.arrayValue)
    }

    /// What clients and server did over each of a transcript's WebSockets.
    private static func connections(_ steps: [JSONValue]) throws -> [[TranscriptTests.Transcript.Step]] {
        try steps.compactMap { $0["websocket"]?["frames"]?.arrayValue }.map { frames in
            try frames.dropFirst().compactMap(TranscriptTests.step)
        }
    }

    private static func events(_ steps: [JSONValue]) -> [String] {
        steps.flatMap { $0["events"]?.arrayValue ?? [] }.compactMap(TranscriptTests.event)
    }

    private func run(
        _ configuration: SocketServerConfiguration = SocketServerConfiguration(),
        _ body: (SocketServer, SocketAddress, Recorder<String>) async throws -> Void
    ) async throws {
        let events = Recorder<String>()
        try await TestServer(configuration: configuration, setUp: { TranscriptTests.setUp($0, events: events) }).run {
            io,
            address in
            try await body(io, address, events)
        }
    }

    private func expect(_ expected: [String], of events: Recorder<String>) async {
        for event in expected { #expect(await events.next() == event) }
    }

    /// Sends and expects what the transcript says; what the server does by itself happens at the step of that number.
    private func replay(
        _ steps: [TranscriptTests.Transcript.Step],
        on client: TestClient,
        actions: [Int: () async throws -> Void] = [:]
    ) async throws {
        for (index, step) in steps.enumerated() {
            try await actions[index]?()
            switch step {
            case .send(let text): try await client.send(text)
            case .sendBinary(let bytes): try await client.send(binary: bytes)
            case .expect(let frame):
                #expect(TranscriptTests.normalized(await client.next()) == TranscriptTests.normalized(frame))
            }
        }
    }

    @Test func serverClose() async throws {
        let steps = try Self.transcript("server-close")
        let connection = try #require(try Self.connections(steps).first)
        try await self.run { io, address, events in
            let client = try await TestClient.connect(to: address)
            try await self.replay(connection, on: client, actions: [4: { await io.close() }])
            await self.expect(Self.events(steps), of: events)
        }
    }

    @Test func disconnectSockets() async throws {
        let steps = try Self.transcript("disconnect-sockets")
        let connections = try Self.connections(steps)
        try await self.run { io, address, events in
            let first = try await TestClient.connect(to: address)
            try await self.replay(connections[0], on: first, actions: [2: { io.disconnectSockets() }])
            try await #expect(first.hasNothingMore())
            let second = try await TestClient.connect(to: address)
            try await self.replay(
                connections[1],
                on: second,
                actions: [2: { io.disconnectSockets(closingConnection: true) }]
            )
            await self.expect(Self.events(steps), of: events)
        }
    }

    @Test func broadcast() async throws {
        let steps = try Self.transcript("broadcast")
        let connections = try Self.connections(steps)
        try await self.run { io, address, events in
            let custom = try await TestClient.connect(to: address)
            let main = try await TestClient.connect(to: address)
            try await self.replay(Array(connections[0].prefix(4)), on: main)
            try await self.replay(Array(connections[1].prefix(2)), on: custom)
            io.emit("a", 1)
            io.to("r1").emit("b", ByteBuffer(bytes: [1]))
            io.except("r1").emit("c")
            io.of("/custom").emit("d", ["x": 1])
            io.to("nobody").emit("e")
            io.local.emit("f")
            async let answers = io.to("r1").timeout(.seconds(20)).emitWithAck("g", returning: String.self)
            try await self.replay(Array(connections[0].dropFirst(4)), on: main)
            try await self.replay(Array(connections[1].dropFirst(2)), on: custom)
            let result = steps.first { $0["result"] != nil }?["result"]?["responses"]
            try await #expect(answers.map { JSONValue.string($0) } == result?.arrayValue)
            await custom.close()
            // The first to connect was that of the transcript's second one.
            await self.expect(["/ connection", "/custom connection", "/custom transport close"], of: events)
            await main.close()
            await self.expect(["/ transport close"], of: events)
        }
    }

    @Test func serverAckTimeout() async throws {
        let steps = try Self.transcript("server-ack-timeout")
        let connection = try #require(try Self.connections(steps).first)
        try await self.run { _, address, events in
            let client = try await TestClient.connect(to: address)
            try await self.replay(
                connection,
                on: client,
                actions: [
                    4: {
                        await self.expect(["/ connection", "operation has timed out"], of: events)
                    }
                ]
            )
            try await #expect(client.hasNothingMore())
            await client.close()
            await self.expect(["/ transport close"], of: events)
        }
    }

    @Test func cleanupEmptyChildNamespaces() async throws {
        let steps = try Self.transcript("cleanup-empty-child-namespaces")
        var configuration = SocketServerConfiguration()
        configuration.cleanupEmptyChildNamespaces = true
        func names(_ index: Int) throws -> Set<UTF8Text> {
            Set(try #require(steps[index]["names"]?.arrayValue).compactMap { $0.stringValue.map(UTF8Text.init(_:)) })
        }
        try await self.run(configuration) { io, address, events in
            let client = try await TestClient.connect(to: address)
            _ = try await client.join("/dyn-1")
            #expect(Set(io.namespaces.keys) == (try names(0)))
            try await client.send("41/dyn-1,")
            await self.expect(Self.events(steps), of: events)
            try await #expect(client.hasNothingMore())
            #expect(Set(io.namespaces.keys) == (try names(1)))
        }
    }

    /// Offsets and pids are this run's: those of the transcript stand for the ones that were received in their place.
    @Test func recovery() async throws {
        let steps = try Self.transcript("recovery")
        let connections = try Self.connections(steps)
        var configuration = SocketServerConfiguration()
        configuration.connectionStateRecovery = ConnectionStateRecovery(maxDisconnectionDuration: .minutes(1))
        try await self.run(configuration) { io, address, events in
            var names = Substitution()
            func replay(
                _ connection: [TranscriptTests.Transcript.Step],
                actions: [Int: () async throws -> Void] = [:]
            ) async throws {
                let client = try await TestClient.connect(to: address)
                for (index, step) in connection.enumerated() {
                    try await actions[index]?()
                    switch step {
                    case .send(let text): try await client.send(names.outgoing(text))
                    case .sendBinary(let bytes): try await client.send(binary: bytes)
                    case .expect(.text(let expected)):
                        let text = try #require(await client.nextText())
                        let isTheSame = names.matches(text, expected)
                        #expect(isTheSame, "\(text) instead of \(expected)")
                    case .expect(let frame): #expect(await client.next() == frame)
                    }
                }
                await client.close()
            }
            let first = connections[0]
            try await replay(
                first,
                actions: [
                    4: {
                        io.to("r1").emit("e", 1)
                        io.to("r1").emit("bin", ByteBuffer(bytes: [1]))
                        let socket = try #require(await io.sockets.localSockets().first)
                        socket.emit("direct", 1)
                    }
                ]
            )
            await self.expect(["/ connection", "/ transport close"], of: events)
            io.to("r1").emit("m", 1)
            io.to("r2").emit("other", 1)
            io.emit("m", 2)
            io.to("r1").emit("mbin", ByteBuffer(bytes: [7]))
            try await replay(connections[1], actions: [6: { io.to("r1").emit("after", 1) }])
            await self.expect(["/ connection", "/ transport close"], of: events)
            for connection in connections.dropFirst(2) {
                try await replay(connection)
                await self.expect(["/ connection", "/ transport close"], of: events)
            }
        }
    }

    /// This run's ids for those of a transcript.
    private struct Substitution {
        private var ours: [String: String] = [:]

        /// A recorded packet with this run's ids in it.
        func outgoing(_ text: String) -> String {
            self.ours.reduce(text) { $0.replacing("\"\($1.key)\"", with: "\"\($1.value)\"") }
        }

        /// Whether a packet is the recorded one but for ids, which stand for each other from then on.
        ///
        /// Named deviation: our answer to CONNECT has an offset, too.
        mutating func matches(_ text: String, _ expected: String) -> Bool {
            let text = text.hasPrefix("40{") ? text.replacing(/,"offset":"[^"]*"/, with: "") : text
            let own = text.split(separator: "\"", omittingEmptySubsequences: false).map(String.init)
            let recorded = expected.split(separator: "\"", omittingEmptySubsequences: false).map(String.init)
            guard own.count == recorded.count else { return false }
            for (own, recorded) in zip(own, recorded) where own != recorded {
                if let known = self.ours[recorded] {
                    guard known == own else { return false }
                } else {
                    guard !self.ours.values.contains(own) else { return false }
                    self.ours[recorded] = own
                }
            }
            return true
        }
    }

    @Test(arguments: ["polling-binary", "polling-malformed", "http-client-files", "polling-server-disconnect"])
    func httpRequests(_ id: String) async throws {
        let steps = try Self.transcript(id)
        try await self.run { _, address, events in
            var session = ""
            if id == "polling-server-disconnect" {
                // The transcript begins when the client has connected.
                session = try await self.handshake(with: address)
                _ = try await exchange("POST", self.target(session), body: "40", with: address)
                _ = try await exchange("GET", self.target(session), with: address)
            }
            for step in steps {
                guard let request = step["request"], let response = step["response"] else { continue }
                let line = try #require(request["line"]?.stringValue).split(separator: " ")
                var target = String(line[1])
                if let start = target.range(of: "&sid=") { target = target[..<start.upperBound] + session }
                let (status, body) = try await exchange(
                    String(line[0]),
                    target,
                    body: request["body"]?["text"]?.stringValue,
                    with: address
                )
                let expected = try #require(response["body"]?["text"]?.stringValue)
                #expect("HTTP/1.1 \(status)" == response["status"]?.stringValue.map { String($0.prefix(12)) })
                if body.hasPrefix("0{") {
                    session = String(body.dropFirst("0{\"sid\":\"".count).prefix(20))
                }
                #expect(
                    TranscriptTests.normalized(.text(body)) == TranscriptTests.normalized(.text(expected)),
                    "\(line)"
                )
            }
            await self.expect(Self.events(steps), of: events)
        }
    }

    private func handshake(with address: SocketAddress) async throws -> String {
        let (_, body) = try await exchange("GET", "/socket.io/?EIO=4&transport=polling", with: address)
        return String(body.dropFirst("0{\"sid\":\"".count).prefix(20))
    }

    private func target(_ session: String) -> String { "/socket.io/?EIO=4&transport=polling&sid=\(session)" }
}
