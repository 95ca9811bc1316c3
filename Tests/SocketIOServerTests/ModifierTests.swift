import NIOCore
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

/// What flags do, and what a socket says about itself and its client.
@Suite(.timeLimit(.minutes(1))) struct ModifierTests {
    /// An answer to a poll says whether it was compressed.
    @Test func compressReachesTheConnection() async throws {
        let text = String(repeating: "x", count: 4_000)
        let events: [(String, Bool)] = [
            ("plain", true), ("compressed", true), ("uncompressed", false), ("broadcast", true),
            ("uncompressed broadcast", false), ("room", false), ("asked", false),
        ]
        try await TestServer(setUp: { io in
            io.sockets.on("say") { (socket: Socket, event: String) in
                switch event {
                case "plain": socket.emit(event, text)
                case "compressed": socket.compress(true).emit(event, text)
                case "uncompressed": socket.compress(false).emit(event, text)
                case "broadcast": io.emit(event, text)
                case "uncompressed broadcast": io.compress(false).emit(event, text)
                case "room": io.to(socket.id.room).compress(false).emit(event, text)
                default:
                    Task {
                        _ = try await io.compress(false).timeout(.seconds(20))
                            .emitWithAck(event, text, returning: Int.self)
                    }
                }
            }
        }).run { _, address in
            let open = try await exchange("GET", "/socket.io/?EIO=4&transport=polling", with: address).body
            let target = "/socket.io/?EIO=4&transport=polling&sid=\(open.dropFirst("0{\"sid\":\"".count).prefix(20))"
            _ = try await exchange("POST", target, body: "40", with: address)
            _ = try await exchange("GET", target, with: address)
            let poll = try await RawConnection(address)
            for (event, isCompressed) in events {
                _ = try await exchange("POST", target, body: "42[\"say\",\"\(event)\"]", with: address)
                try await poll.send("GET \(target) HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n")
                let head = try await poll.response().head.lowercased()
                #expect(head.contains("content-encoding: gzip") == isCompressed, "\(event)")
            }
            await poll.close()
        }
    }

    /// Whatever addresses one socket sends in each of the ways that the socket does; lists of rooms are rooms.
    @Test func everyWayToSendIsThere() async throws {
        try await TestServer(setUp: { io in
            io.of { name, _ in name == "/dynamic" }
            io.sockets.on("go") { (socket: Socket) in
                socket.volatile.emit("values", values: [1, "two"])
                socket.compress(false).send("sent")
                socket.join(["a", "b", "c"])
                socket.leave(["a", "b"])
                socket.emit("rooms", socket.rooms.filter { $0.name.count == 1 }.map(\.name))
                socket.in(["c"]).emit("in")
                socket.except(["c"]).emit("except")
            }
            io.sockets.on("join") { (socket: Socket) in socket.join("c") }
        }).run { _, address in
            let client = try await TestClient.join(at: address)
            let other = try await TestClient.join(at: address)
            try await other.send("420[\"join\"]")
            #expect(await other.nextText() == "430[]")
            try await client.send("42[\"go\"]")
            #expect(await client.nextText() == #"42["values",1,"two"]"#)
            #expect(await client.nextText() == #"42["message","sent"]"#)
            #expect(await client.nextText() == #"42["rooms",["c"]]"#)
            #expect(await other.nextText() == #"42["in"]"#)
            try await #expect(other.hasNothingMore())
        }
    }

    @Test func localMeansThisNode() async throws {
        let adapters = PublicationRecorder()
        try await TestServer(
            adapter: adapters,
            setUp: { io in
                io.sockets.on("tell") { (socket: Socket) in
                    socket.local.emit("socket local")
                    io.local.emit("local")
                    io.to("r").local.emit("local room")
                    io.local.socketsJoin(["r"])
                    io.local.disconnectSockets()
                    io.emit("everybody")
                }
            }
        ).run { _, address in
            let other = try await TestClient.join(at: address)
            let client = try await TestClient.join(at: address)
            try await client.send("42[\"tell\"]")
            // The first thing that the other nodes hear.
            #expect(await adapters.publications.next() == "everybody")
            #expect(await client.next() == .text("42[\"local\"]"))
            #expect(await other.next() == .text("42[\"socket local\"]"))
            #expect(await other.next() == .text("42[\"local\"]"))
        }
    }

    @Test func socketKnowsWhetherItIsConnected() async throws {
        let states = Recorder<Bool>()
        let left = Recorder<Socket>()
        try await TestServer(setUp: { io in
            io.use { socket in states.record(socket.isConnected) }
            io.onConnection { socket in states.record(socket.isConnected) }
            io.onDisconnecting { socket, _ in states.record(socket.isConnected) }
            io.onDisconnect { socket, _ in
                states.record(socket.isConnected)
                left.record(socket)
            }
        }).run { io, address in
            let client = try await TestClient.join(at: address)
            let id = try #require(SocketID(client.id))
            #expect(await io.sockets.socket(id)?.isConnected == true)
            await client.close()
            for state in [false, true, true, false] { #expect(await states.next() == state) }
            #expect(await left.next()?.isConnected == false)
            #expect(await io.sockets.socket(id) == nil)
        }
    }

    @Test func otherSocketsOfTheClientAreFound() async throws {
        try await TestServer(setUp: { io in
            _ = io.of("/a")
            _ = io.of("/b")
        }).run { io, address in
            let client = try await TestClient.join(at: address)
            let id = try #require(SocketID(client.id))
            let socket = try #require(await io.sockets.socket(id))
            try await client.join("/a")
            let sibling = try #require(await socket.sibling(in: "/a"))
            #expect(sibling.id.description == client.id)
            #expect(sibling.namespace.name == "/a")
            #expect(await sibling.sibling(in: "/") === socket)
            #expect(await socket.sibling(in: "/b") == nil)
        }
    }
}

/// Adapters that say what other nodes are told.
private struct PublicationRecorder: AdapterFactory {
    let publications = Recorder<String>()

    func makeAdapter(for host: any AdapterHost) -> any Adapter { Recording(publications: self.publications) }

    private struct Recording: LonelyAdapter {
        let publications: Recorder<String>

        func publish(_ broadcast: Broadcast) {
            self.publications.record(broadcast.arguments.first?.stringValue ?? "")
        }

        func addSockets(_ options: BroadcastOptions, rooms: [Room]) { self.publications.record("addSockets") }
        func delSockets(_ options: BroadcastOptions, rooms: [Room]) { self.publications.record("delSockets") }
        func disconnectSockets(_ options: BroadcastOptions, closingConnection: Bool) {
            self.publications.record("disconnectSockets")
        }
    }
}
