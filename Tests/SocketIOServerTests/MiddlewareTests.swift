import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

/// In which order events pass middlewares and reach handlers.
@Suite(.timeLimit(.minutes(1))) struct MiddlewareTests {
    /// A handler that waits keeps only other asynchronous handlers of its socket waiting, whatever middlewares there are.
    @Test(arguments: ["none", "synchronous", "asynchronous", "both"])
    func slowHandlersKeepNoSynchronousEventWaiting(_ middlewares: String) async throws {
        let gate = Gate()
        try await TestServer(setUp: { io in
            io.onConnection { socket in
                if middlewares == "synchronous" || middlewares == "both" { socket.use { _ in } }
                if middlewares == "asynchronous" || middlewares == "both" { socket.use { _ in await Task.yield() } }
                socket.on("slow") { () async -> String in
                    await gate.wait()
                    return "slow"
                }
                socket.on("quick") { "quick" }
                socket.on("behind") { () async -> String in "behind" }
            }
        }).run { _, address in
            let client = try await TestClient.join(at: address)
            try await client.send(together: [.text("421[\"slow\"]"), .text("422[\"behind\"]"), .text("423[\"quick\"]")])
            #expect(await client.next() == .text("433[\"quick\"]"))
            gate.open()
            #expect(await client.next() == .text("431[\"slow\"]"))
            #expect(await client.next() == .text("432[\"behind\"]"))
        }
    }

    /// With synchronous middlewares an event is handled before the next one is looked at, as without middlewares.
    @Test func synchronousMiddlewaresActAtOnce() async throws {
        let seen = Recorder<String>()
        try await TestServer(setUp: { io in
            io.onConnection { socket in
                socket.use { event in seen.record("first \(event.name)") }
                socket.use { event in
                    if event.name == "no" { throw RejectedEvent("no") }
                    seen.record("second \(event.name)")
                }
                socket.on("a") { seen.record("a") }
                socket.on("no") { seen.record("no") }
                socket.on("b") { seen.record("b") }
            }
        }).run { _, address in
            let client = try await TestClient.join(at: address)
            try await client.send(together: ["a", "no", "b"].map { .text("42[\"\($0)\"]") })
            for expected in ["first a", "second a", "a", "first no", "first b", "second b", "b"] {
                #expect(await seen.next() == expected)
            }
        }
    }

    /// Events pass an asynchronous middleware one after the other: what comes later does not overtake.
    @Test func eventsPassAsynchronousMiddlewaresInOrder() async throws {
        let gate = Gate()
        try await TestServer(setUp: { io in
            io.onConnection { socket in
                socket.use { event in if event.name == "held" { await gate.wait() } }
                socket.on("held") { "held" }
                socket.on("next") { "next" }
            }
        }).run { _, address in
            let client = try await TestClient.join(at: address)
            try await client.send(together: [.text("421[\"held\"]"), .text("422[\"next\"]")])
            #expect(try await client.hasNothingMore())
            gate.open()
            #expect(await client.next() == .text("431[\"held\"]"))
            #expect(await client.next() == .text("432[\"next\"]"))
        }
    }

    /// What a middleware has answered is answered: the handler's answer does not count any more.
    @Test(arguments: [false, true]) func middlewaresMayAnswer(isAsynchronous: Bool) async throws {
        try await TestServer(setUp: { io in
            io.onConnection { socket in
                if isAsynchronous {
                    socket.use { event in
                        await Task.yield()
                        event.acknowledge("middleware")
                    }
                } else {
                    socket.use { event in event.acknowledge("middleware") }
                }
                socket.on("ask") { "handler" }
            }
        }).run { _, address in
            let client = try await TestClient.join(at: address)
            try await client.send("421[\"ask\"]")
            #expect(await client.next() == .text("431[\"middleware\"]"))
            #expect(try await client.hasNothingMore())
        }
    }
}
