import EngineIO
import NIOCore
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

/// Handlers and listeners that come and go: `once`, `off`, catch-all listeners, changes of transport and of rooms.
@Suite(.timeLimit(.minutes(1))) struct ListenerTests {
    /// Runs the events of one client through a socket that `setUp` has prepared, then hands over what was seen.
    private func run(
        _ setUp: @escaping @Sendable (Socket, Recorder<String>) -> Void,
        _ body: (SocketServer, TestClient, Recorder<String>) async throws -> Void
    ) async throws {
        let seen = Recorder<String>()
        try await TestServer(setUp: { io in
            io.sockets.onConnection { socket in setUp(socket, seen) }
            io.sockets.on("end") { (_: Socket) in seen.record("end") }
        }).run { io, address in
            let client = try await TestClient.join(at: address)
            try await body(io, client, seen)
        }
    }

    private func expect(_ expected: String..., of seen: Recorder<String>) async {
        for text in expected { #expect(await seen.next() == text) }
    }

    @Test func onceRunsForOneEvent() async throws {
        try await self.run { socket, seen in
            socket.once("sync") { (number: Int) in
                seen.record("sync \(number)")
                return number
            }
            socket.once("silent") { (number: Int) in seen.record("silent \(number)") }
            socket.once("async") { (number: Int) async in
                await Task.yield()
                seen.record("async \(number)")
                return number
            }
            socket.once("async silent") { (number: Int) async in seen.record("async silent \(number)") }
            socket.on("sync") { (number: Int) in seen.record("always \(number)") }
        } _: { _, client, seen in
            try await client.send("420[\"sync\",1]")
            #expect(await client.next() == .text("430[1]"))
            try await client.send("421[\"sync\",2]")
            #expect(await client.next() == .text("431[]"))
            await self.expect("sync 1", "always 1", "always 2", of: seen)
            for number in 1...2 { try await client.send("42[\"silent\",\(number)]") }
            try await client.send("422[\"async\",1]")
            #expect(await client.next() == .text("432[1]"))
            try await client.send("423[\"async silent\",1]")
            #expect(await client.next() == .text("433[]"))
            for event in ["async", "async silent", "end"] { try await client.send("42[\"\(event)\",2]") }
            await self.expect("silent 1", "async 1", "async silent 1", "end", of: seen)
        }
    }

    /// A handler that is to run once is gone before it runs, so what it sends itself does not reach it again.
    @Test func removedHandlersStaySilent() async throws {
        try await self.run { socket, seen in
            let first = socket.on("x") { seen.record("first") }
            socket.on("x") { seen.record("second") }
            socket.on("y") { seen.record("y") }
            socket.on("remove first") { socket.off(first) }
            socket.on("remove x") { socket.removeHandlers(of: "x") }
            socket.on("count") { [socket.handlerCount(of: "x"), socket.handledEvents.count] }
            socket.on("remove all") { socket.removeAllHandlers() }
        } _: { _, client, seen in
            try await client.send("420[\"count\"]")
            #expect(await client.next() == .text("430[[2,6]]"))
            for event in ["x", "remove first", "x", "remove x", "x", "y"] { try await client.send("42[\"\(event)\"]") }
            await self.expect("first", "second", "second", "y", of: seen)
            try await client.send("421[\"count\"]")
            #expect(await client.next() == .text("431[[0,5]]"))
            // Those of the namespace stay.
            for event in ["remove all", "y", "end"] { try await client.send("42[\"\(event)\"]") }
            await self.expect("end", of: seen)
        }
    }

    @Test func catchAllListenersHaveAnOrderAndAnEnd() async throws {
        try await self.run { socket, seen in
            let listener = socket.onAny { event, _ in seen.record("any \(event)") }
            socket.prependAny { event, arguments in seen.record("before \(event) \(arguments.count)") }
            let outgoing = socket.onAnyOutgoing { event, _ in seen.record("out \(event)") }
            socket.prependAnyOutgoing { event, arguments in seen.record("before out \(event) \(arguments.count)") }
            socket.on("counts") { [socket.catchAllListenerCounts.incoming, socket.catchAllListenerCounts.outgoing] }
            socket.on("off") {
                socket.off(listener)
                socket.off(outgoing)
            }
            socket.on("off all") {
                socket.offAny()
                socket.offAnyOutgoing()
            }
            socket.on("speak") { socket.emit("answer", 1) }
        } _: { _, client, seen in
            try await client.send("42[\"speak\",1,2]")
            #expect(await client.next() == .text("42[\"answer\",1]"))
            await self.expect(
                "before speak 2",
                "any speak",
                "before out answer 1",
                "out answer",
                of: seen
            )
            // Acknowledgements are no events.
            try await client.send("420[\"counts\"]")
            #expect(await client.next() == .text("430[[2,2]]"))
            await self.expect("before counts 0", "any counts", of: seen)
            for event in ["off", "speak"] { try await client.send("42[\"\(event)\"]") }
            await self.expect("before off 0", "any off", "before speak 0", "before out answer 1", of: seen)
            _ = await client.next()
            for event in ["off all", "speak", "end"] { try await client.send("42[\"\(event)\"]") }
            await self.expect("before off all 0", "end", of: seen)
        }
    }

    /// Emits, broadcasts and what other sockets send, with and without attachments.
    @Test func outgoingListenersSeeEveryEventThatIsSentToTheirSocket() async throws {
        try await self.run { socket, seen in
            socket.onAnyOutgoing { event, arguments in
                let bytes = JSONValue.binary(ByteBuffer(bytes: [1, 2]))
                let values = ((try? arguments.values()) ?? []).map { $0 == bytes ? "bytes" : "\($0)" }
                seen.record("\(event) \(values.joined(separator: ","))")
            }
            socket.on("go") { () async throws -> Int in
                socket.emit("a", 1)
                socket.volatile.emit("b", 2)
                socket.compress(false).emit("c", ByteBuffer(bytes: [1, 2]))
                socket.send("d")
                return try await socket.emitWithAck("e", returning: Int.self)
            }
        } _: { io, client, seen in
            try await client.send("420[\"go\"]")
            await self.expect("a 1", "b 2", "c bytes", "message \"d\"", "e ", of: seen)
            for _ in 0..<6 {
                if case .text(let text) = await client.next(), text.hasSuffix("[\"e\"]") {
                    try await client.send("43\(text.dropFirst(2).prefix { $0.isNumber })[7]")
                }
            }
            io.emit("f", 1)
            io.to(Room(client.id)).emit("g", ByteBuffer(bytes: [1, 2]))
            await self.expect("f 1", "g bytes", of: seen)
        }
    }

    @Test func errorListenersSeeWhatHandlersThrow() async throws {
        struct Broken: Error {}
        try await self.run { socket, seen in
            let first = socket.onError { error in seen.record("\(type(of: error))") }
            socket.on("number") { (_: Int) in }
            socket.on("throws") { throw Broken() }
            socket.on("throws later") { () async throws in throw Broken() }
            socket.on("off") { socket.off(first) }
        } _: { _, client, seen in
            try await client.send("42[\"throws\"]")
            try await client.send("42[\"throws later\"]")
            await self.expect("Broken", "Broken", of: seen)
            try await client.send("42[\"number\",\"x\"]")
            await self.expect("ArgumentError", of: seen)
            for event in ["off", "throws", "end"] { try await client.send("42[\"\(event)\"]") }
            await self.expect("end", of: seen)
        }
    }

    @Test func changeOfTransportIsTold() async throws {
        let seen = Recorder<String>()
        try await TestServer(setUp: { io in
            io.sockets.onConnection { socket in
                seen.record(socket.transport.rawValue)
                let never = socket.onTransportChange { _ in seen.record("never") }
                socket.onTransportChange { transport in
                    seen.record("changed to \(transport.rawValue), \(socket.transport.rawValue)")
                }
                socket.off(never)
            }
        }).run { io, address in
            let open = try await exchange("GET", "/socket.io/?EIO=4&transport=polling", with: address).body
            let id = open.dropFirst("0{\"sid\":\"".count).prefix(20)
            _ = try await exchange("POST", "/socket.io/?EIO=4&transport=polling&sid=\(id)", body: "40", with: address)
            await self.expect("polling", of: seen)
            _ = try await exchange("GET", "/socket.io/?EIO=4&transport=polling&sid=\(id)", with: address)
            let probe = try await TestClient.probe(of: String(id), at: address)
            try await probe.send("2probe")
            #expect(await probe.next() == .text("3probe"))
            try await probe.send("5")
            await self.expect("changed to websocket, websocket", of: seen)
            io.emit("x")
            #expect(await probe.next() == .text("42[\"x\"]"))
        }
    }

    @Test func roomsComeAndGo() async throws {
        let changes = Recorder<RoomChange>()
        try await TestServer(setUp: { io in
            io.sockets.onRoomChange { changes.record($0) }
            io.sockets.on("join") { (socket: Socket, room: String) in socket.join(Room(room)) }
            io.sockets.on("leave") { (socket: Socket, room: String) in socket.leave(Room(room)) }
        }).run { _, address in
            func expect(_ expected: RoomChange...) async {
                for change in expected { #expect(await changes.next() == change) }
            }
            func ask(_ client: TestClient, _ event: String) async throws {
                try await client.send("420[\"\(event)\",\"r\"]")
                #expect(await client.next() == .text("430[]"))
            }
            let a = try await TestClient.join(at: address)
            let idA = try #require(SocketID(a.id))
            await expect(.created(idA.room), .joined(idA.room, idA))
            try await ask(a, "join")
            try await ask(a, "join")
            await expect(.created("r"), .joined("r", idA))
            let b = try await TestClient.join(at: address)
            let idB = try #require(SocketID(b.id))
            await expect(.created(idB.room), .joined(idB.room, idB))
            try await ask(b, "join")
            await expect(.joined("r", idB))
            try await ask(a, "leave")
            await expect(.left("r", idA))
            await b.close()
            await expect(.left("r", idB), .deleted("r"), .left(idB.room, idB), .deleted(idB.room))
        }
    }
}
