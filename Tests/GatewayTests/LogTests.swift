import Logging
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

/// What the log of a gateway says of publishing and of credentials.
@Suite(.timeLimit(.minutes(1))) struct LogTests {
    private static let article = "api::article.article"

    /// A verb, and what its line says.
    struct Verb: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let line: String
        let perform: @Sendable (IO, _ socket: String) async throws -> Void

        init(_ name: String, _ line: String, _ perform: @escaping @Sendable (IO, String) async throws -> Void) {
            self.testDescription = name
            self.line = line
            self.perform = perform
        }
    }

    static let verbs = [
        Verb("raw", "outcome=sent sio.event=x sio.namespace=/ sio.rooms=a,b verb=emit") { io, _ in
            try io.raw(event: "x", rooms: ["a", "b"], data: "planted-payload")
        },
        Verb("raw with an answer", "outcome=published sio.event=x sio.namespace=/ sio.rooms=all verb=emit") { io, _ in
            _ = try await io.publisher().raw(event: "x", data: "planted-payload")
        },
        Verb("raw to nobody", "outcome=none") { io, _ in
            _ = try await io.publisher().raw(event: "x", rooms: [], data: "planted-payload")
        },
        Verb("emit", "outcome=published sio.event=article:update sio.namespace=/") { io, _ in
            _ = try await io.publisher().emit(
                LifecycleEvent(event: "update", schema: "api::article.article", data: Samples.entry)
            )
        },
        Verb("a namespace", "outcome=sent sio.event=x sio.namespace=/chat sio.rooms=all verb=emit") { io, _ in
            try io.emitToNamespace("chat", event: "x", data: "planted-payload")
        },
        Verb("a socket", "outcome=sent sio.event=x sio.namespace=/ sio.rooms=SOCKET verb=emit") { io, socket in
            try io.sendPrivateMessage(socket, event: "x", data: "planted-payload")
        },
        Verb(
            "all but a socket",
            "outcome=sent sio.event=x sio.namespace=/ sio.rooms=all sio.rooms.except=SOCKET verb=emit"
        ) { io, socket in
            try await io.broadcast(socket, event: "x", data: "planted-payload")
        },
        Verb("a user", "outcome=sent sio.event=x sio.namespace=/ sio.rooms=user:7 verb=emit") { io, _ in
            try io.sendToUser(7, event: "x", data: "planted-payload")
        },
        Verb("an entity", "outcome=sent sio.event=x sio.namespace=/ sio.rooms=\(Self.article):1 verb=emit") { io, _ in
            try io.emitToEntity(Self.article, 1, event: "x", data: "planted-payload")
        },
        Verb("a destination", "outcome=sent sio.event=x sio.namespace=/ sio.rooms=lobby verb=emit") { io, _ in
            try io.send(destination: "lobby", payload: IO.Message(topic: "x", data: "planted-payload"))
        },
        Verb("joining", "outcome=published sio.namespace=/ sio.rooms=SOCKET verb=join") { io, socket in
            _ = try await io.publisher().joinRoom(socket, "a")
        },
        Verb("leaving", "outcome=published sio.namespace=/ sio.rooms=SOCKET verb=leave") { io, socket in
            _ = try await io.publisher().leaveRoom(socket, "a")
        },
        Verb(
            "disconnecting",
            "outcome=published sio.event=io:disconnect sio.namespace=/ sio.rooms=SOCKET verb=emit,disconnect"
        ) { io, socket in
            _ = try await io.publisher().disconnectSocket(socket, reason: "planted-payload")
        },
        Verb(
            "names without an end",
            "sio.rooms=0,1,2,3,4,5,6,7 and 992 more verb=emit"
        ) { io, _ in
            try io.raw(event: "x", rooms: (0..<1000).map { Room("\($0)") }, data: .null)
        },
        Verb("a name that forges lines", #"sio.rooms=a\u{a}debug"#) { io, _ in
            try io.raw(event: "x", rooms: ["a\ndebug Published"], data: .null)
        },
    ]

    /// At debug each publish has its line, and none says what was published.
    @Test(arguments: Self.verbs) func publishesAreNamed(_ verb: Verb) async throws {
        let lines = LogLines()
        var configuration = Samples.configuration
        configuration.namespaces = [GatewayNamespace(name: "chat")]
        try await TestCluster.run(nodes: 2, configuration: configuration, logger: lines.logger(.trace)) { cluster in
            let client = try await cluster[0].join(user(7, role: "editor"))
            _ = lines.take()
            try await verb.perform(cluster[0].io, client.id)
            let published = lines.all.filter { $0.hasPrefix("debug Published") }
            let expected = verb.line.replacing("SOCKET", with: client.id)
            #expect(published.count == 1, "\(published)")
            #expect(published.first?.contains(" \(expected)") == true, "\(published)")
            #expect(lines.all.filter { $0.contains("planted") || $0.contains("PRIVATE") } == [])
            await client.close()
        }
    }

    @Test func refusedPublishesAreNamed() async throws {
        let lines = LogLines()
        try await TestCluster.run(nodes: 2, logger: lines.logger(.debug)) { cluster in
            cluster.bus.setOutcome(.refused(reason: "away"))
            await #expect(throws: ClusterError.self) {
                try await cluster[0].io.publisher(whileUnreachable: .refuse).raw(event: "x", data: 1)
            }
            let published = lines.all.filter { $0.hasPrefix("debug Published") }
            let line = "outcome=refused: away sio.event=x sio.namespace=/ sio.rooms=all verb=emit"
            #expect(published == ["debug Published \(line)"])
        }
    }

    /// While nobody listens, nothing is made of a publish for the log.
    @Test func infoIsSilentAboutPublishes() async throws {
        let lines = LogLines()
        try await TestCluster.run(logger: lines.logger(.info)) { cluster in
            _ = lines.take()
            var made = false
            func outcome() -> String {
                made = true
                return "sent"
            }
            let events = cluster[0].io.events
            events.tell(try events.rawPublication(event: "x", rooms: nil, data: 1), outcome: outcome())
            #expect(!made)
            #expect(lines.all == [])
        }
    }

    /// Who wrote to whom, and not what.
    @Test func privateMessagesAreNamed() async throws {
        let lines = LogLines()
        var configuration = Samples.configuration
        configuration.rooms.enablePrivateRooms = true
        try await TestCluster.run(configuration: configuration, logger: lines.logger(.trace)) { cluster in
            let one = try await cluster[0].join(user(7, role: "editor"))
            let other = try await cluster[0].join(user(8, role: "editor"))
            let message: JSONValue = ["to": .string(other.id), "message": "planted-payload"]
            #expect(try await one.call("private-message", message)["success"] == true)
            let line = "debug A client has written to another sio.socket.id=\(one.id) to=\(other.id) user=7"
            #expect(lines.all.contains(line), "\(lines.all)")
            #expect(lines.all.filter { $0.contains("planted") } == [])
            for client in [one, other] { await client.close() }
        }
    }

    // MARK: Credentials

    /// What is presented, good or bad, is nowhere in any line; whose it was is.
    @Test(arguments: [false, true]) func credentialsAreNowhere(eventMode: Bool) async throws {
        let lines = LogLines()
        var configuration = Samples.configuration
        if eventMode { configuration.authentication.mode = .event }
        let good = makeToken(["id": 7, "role": "editor"])
        let bad = [
            makeToken(["id": 7, "exp": 1]), makeToken(["id": 7], secret: "planted and wrong, of thirty-two bytes"),
            makeToken(["id": 7], header: ["alg": "none"]), "planted-text", "planted.planted.planted", good + "planted",
        ]
        var auths: [JSONValue] = (bad + [good]).map { ["token": .string($0)] }
        auths += ["Full", "Late", "Revoked", "planted"].map { apiToken($0) }
        auths += [["strategy": "planted-strategy", "token": "planted-text"], ["token": ["planted"]]]
        let logger = lines.logger(.trace)
        try await TestCluster.run(configuration: configuration, clock: ConnectionTests.atThousand, logger: logger) {
            cluster in
            for auth in auths {
                let token = auth["token"]?.stringValue ?? "planted"
                let headers = [("Authorization", "Bearer \(token)"), ("Cookie", "token=\(token)")]
                if let client = try? await cluster[0].join(auth, headers: headers) {
                    if eventMode { _ = try? await client.call("authenticate", auth) }
                    await client.close()
                }
                let query = "&token=\(token)&auth=\(token)"
                if let client = try? await TestClient.connect(to: cluster[0].address, query: query) {
                    _ = try? await client.join(auth: auth)
                    await client.close()
                }
            }
        }
        let secrets =
            ["planted", Samples.secret, Samples.salt] + bad + ["Full", "Late", "Revoked"].map { Samples.key($0) }
            + good.split(separator: ".").map(String.init)
        #expect(lines.all.contains { $0.contains("A client was let in") && $0.contains("user=7") })
        #expect(lines.all.contains { $0.contains("A client was not let in") && $0.contains("address=127.0.0.1") })
        #expect(lines.all.filter { line in secrets.contains { line.contains($0) } } == [])
    }
}
