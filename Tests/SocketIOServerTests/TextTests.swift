import NIOCore
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import SocketIOServer

/// Names that clients send are told apart by their bytes, whatever Swift's strings take them for.
@Suite(.timeLimit(.minutes(1))) struct TextTests {
    /// Two texts that Swift's strings take for equal.
    struct Pair: Sendable, CustomTestStringConvertible {
        let first: String
        let second: String

        var testDescription: String { "\(self.first.utf8.count) and \(self.second.utf8.count) bytes" }
    }

    static let pairs = [
        Pair(first: "caf\u{E9}", second: "cafe\u{301}"),
        Pair(first: "K1", second: "\u{212A}1"),
        Pair(first: "\u{1112}\u{1161}\u{11AB}", second: "\u{D55C}"),
        Pair(first: "a\u{301}\u{323}", second: "a\u{323}\u{301}"),
        // Longer than what is compared as two words.
        Pair(first: "a name of more than sixteen bytes \u{E9}", second: "a name of more than sixteen bytes e\u{301}"),
    ]

    @Test(arguments: Self.pairs) func swiftTakesThemForEqual(_ pair: Pair) {
        #expect(pair.first == pair.second)
        #expect(UTF8Text(pair.first) != UTF8Text(pair.second))
    }

    private func event(_ id: Int, _ namespace: String = "", _ name: String) -> String {
        "42\(namespace)\(id)\(JSONValue.array([.string(name)]))"
    }

    /// With few handlers and with many, on the namespace and on the socket.
    @Test(arguments: Self.pairs, [0, 20]) func eventsReachTheirHandlers(_ pair: Pair, others: Int) async throws {
        try await TestServer(setUp: { io in
            for number in 0..<others { io.on("other \(number)") { (_: Socket) in } }
            io.on(pair.first) { (_: Socket) in "first" }
            io.on(pair.second) { (_: Socket) in "second" }
            io.of("/own").onConnection { socket in
                socket.on(pair.first) { "first" }
                socket.on(pair.second) { () async -> String in "second" }
                socket.use { event in
                    let isFirst = event.name == UTF8Text(pair.first)
                    if isFirst == (event.name == UTF8Text(pair.second)) { throw RejectedEvent("both or none") }
                }
                socket.on("remove") { socket.removeHandlers(of: pair.first) }
            }
        }).run { _, address in
            let client = try await TestClient.join(at: address)
            _ = try await client.join("/own")
            for namespace in ["", "/own,"] {
                try await client.send(self.event(1, namespace, pair.first))
                #expect(await client.next() == .text("43\(namespace)1[\"first\"]"))
                try await client.send(self.event(2, namespace, pair.second))
                #expect(await client.next() == .text("43\(namespace)2[\"second\"]"))
            }
        }
    }

    /// As the guides tell developers to do it: in a `switch`, as a key, in a type of their own.
    @Test(arguments: Self.pairs) func handlersCompareTextsByTheirBytes(_ pair: Pair) async throws {
        struct Choice: Codable, Sendable { var name: UTF8Text }
        let (first, second) = (UTF8Text(pair.first), UTF8Text(pair.second))
        try await TestServer(setUp: { io in
            io.on("text") { (_: Socket, text: UTF8Text, keys: [UTF8Text: Int], choice: Choice) -> [Int] in
                let place =
                    switch text {
                    case first: 1
                    case second: 2
                    default: 0
                    }
                return [place, keys[first] ?? 0, keys[second] ?? 0, choice.name == text ? 1 : 0]
            }
        }).run { _, address in
            let client = try await TestClient.join(at: address)
            let keys: JSONValue = [first: 3, second: 4]
            for (text, place) in [(first, 1), (second, 2)] {
                let choice: JSONValue = ["name": .string(text.string)]
                try await client.send("421\(JSONValue.array(["text", .string(text.string), keys, choice]))")
                #expect(await client.next() == .text("431[[\(place),3,4,1]]"))
            }
        }
    }

    @Test(arguments: Self.pairs) func handlersAreRemovedByTheirNames(_ pair: Pair) async throws {
        let seen = Recorder<String>()
        try await TestServer(setUp: { io in
            io.onConnection { socket in
                socket.on(pair.first) { seen.record("first") }
                socket.on(pair.second) { seen.record("second") }
                socket.removeHandlers(of: pair.first)
                socket.on("end") { seen.record("end") }
            }
        }).run { _, address in
            let client = try await TestClient.join(at: address)
            for name in [pair.first, pair.second, "end"] {
                try await client.send("42\(JSONValue.array([.string(name)]))")
            }
            #expect(await seen.next() == "second")
            #expect(await seen.next() == "end")
        }
    }

    @Test(arguments: Self.pairs) func namespacesAreTwo(_ pair: Pair) async throws {
        let first = "/\(pair.first)"
        let second = "/\(pair.second)"
        try await TestServer(setUp: { io in
            io.of(first).on("who") { (_: Socket) in "first" }
            io.of(second).on("who") { (_: Socket) in "second" }
        }).run { io, address in
            #expect(io.of(first) !== io.of(second))
            #expect(io.namespaces.count == 3)
            let client = try await TestClient.connect(to: address)
            _ = try await client.join(first)
            _ = try await client.join(second)
            try await client.send("42\(first),1[\"who\"]")
            #expect(await client.next() == .text("43\(first),1[\"first\"]"))
            try await client.send("42\(second),2[\"who\"]")
            #expect(await client.next() == .text("43\(second),2[\"second\"]"))
            let socket = try #require(await io.of(first).localSockets().first)
            #expect(await socket.sibling(in: second)?.namespace === io.of(second))
        }
    }

    /// Those that clients ask for, too: by a closure, and at the same time.
    @Test(arguments: Self.pairs) func dynamicNamespacesAreTwo(_ pair: Pair) async throws {
        try await TestServer(setUp: { io in
            io.of { _, _ in
                await Task.yield()
                return true
            }
        }).run { io, address in
            let client = try await TestClient.connect(to: address)
            try await client.send(together: [.text("40/\(pair.first),"), .text("40/\(pair.second),")])
            var answers: Set<UTF8Text> = []
            for _ in 0..<2 {
                guard case .text(let text) = await client.next() else { break }
                answers.insert(UTF8Text(decoding: text.utf8.prefix { $0 != UInt8(ascii: ",") }))
            }
            #expect(answers == [UTF8Text("40/\(pair.first)"), UTF8Text("40/\(pair.second)")])
            #expect(io.namespaces.count == 3)
        }
    }

    @Test func patternsMatchWhatTheySay() async throws {
        try await TestServer(setUp: { io in
            io.of(matching: /\/caf\u{E9}-\d+/)
        }).run { _, address in
            let client = try await TestClient.connect(to: address)
            _ = try await client.join("/caf\u{E9}-1")
            try await client.send("40/cafe\u{301}-1,")
            #expect(await client.next() == .text("44/cafe\u{301}-1,{\"message\":\"Invalid namespace\"}"))
        }
    }

    @Test(arguments: Self.pairs) func roomsAreTwo(_ pair: Pair) async throws {
        try await TestServer(setUp: { io in
            io.on("join") { (socket: Socket, room: String) in socket.join(Room(room)) }
            io.on("leave") { (socket: Socket, room: String) in socket.leave(Room(room)) }
        }).run { io, address in
            let client = try await TestClient.join(at: address)
            try await client.send("421\(JSONValue.array(["join", .string(pair.first)]))")
            #expect(await client.next() == .text("431[]"))
            try await client.send("422\(JSONValue.array(["leave", .string(pair.second)]))")
            #expect(await client.next() == .text("432[]"))
            io.to(Room(pair.second)).emit("to", "second")
            io.to(Room(pair.first)).except(Room(pair.second)).emit("to", "first")
            #expect(await client.next() == .text("42[\"to\",\"first\"]"))
            #expect(try await io.sockets.allRooms().count == 2)
        }
    }

    @Test(arguments: Self.pairs) func serverSideEventsReachTheirHandlers(_ pair: Pair) {
        let seen = Recorder<String>()
        let io = SocketServer()
        io.onServerSide(pair.first) { _, _ in seen.record("first") }
        io.onServerSide(pair.second) { _, _ in seen.record("second") }
        #expect(io.sockets.serverSideHandlers(of: pair.first).count == 1)
        #expect(io.sockets.serverSideHandlers(of: pair.second).count == 1)
    }

    /// Marks in an order that normalising has to change take it seconds, for each time that they are looked at.
    @Test func longNamesAreLookedAtQuickly() async throws {
        func name(_ count: Int) -> String {
            "a" + String(repeating: "\u{301}", count: count) + String(repeating: "\u{323}", count: count)
        }
        try await TestServer(setUp: { io in
            for number in 0..<20 { io.on("a\u{301}\(number)") { (_: Socket) in } }
            io.onConnection { socket in
                socket.use { event in if event.name == "forbidden" { throw RejectedEvent("no") } }
                socket.onAny { event, _ in if event.hasPrefix("no") || event == "nobody" { socket.disconnect() } }
                socket.on("a\u{301}") { "wrong" }
            }
            io.on("end") { (_: Socket) in "end" }
        }).run { _, address in
            let client = try await TestClient.connect(to: address)
            // Each as long as it may be: `auth`, events and their arguments, names of namespaces.
            _ = try await client.join(auth: [UTF8Text(name(7_000)): 1, UTF8Text(name(7_000) + "b"): 2])
            for _ in 0..<4 {
                try await client.send("42[\"\(name(40_000))\",{\"\(name(40_000))\":1,\"\(name(40_000))b\":2}]")
                try await client.send("40/\(name(200)),")
                #expect(await client.next() == .text("44/\(name(200)),{\"message\":\"Invalid namespace\"}"))
            }
            try await client.send("421[\"end\"]")
            #expect(await client.next() == .text("431[\"end\"]"))
        }
    }

    /// A room's name with a value in it.
    @Test func roomsAreMadeOfInterpolations() {
        let id = 7
        let room: Room = "user:\(id)"
        #expect(room == Room("user:7"))
        #expect(SocketServer().to("user:\(id)", "lobby").options.rooms == [Room("user:7"), "lobby"])
    }
}
