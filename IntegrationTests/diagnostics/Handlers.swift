// What the compiler says of handlers: the comments are what it has to say, and it may say nothing else.
import SocketIOServer

struct Unsendable: Sendable {}

func unsendable(io: SocketServer, socket: Socket) {
    // A single expression, which would pass for one without a result.
    io.on("a") { (_: Socket, n: Int) in ["ok": true, "n": n] }  // expected-warning {{can't be sent}}
    io.on("b") { (_: Socket, n: Int) in (n, n) }  // expected-warning {{can't be sent}}
    io.on("c") { (_: Socket) in Unsendable() }  // expected-warning {{can't be sent}}
    io.of("/d").on("d") { (_: Socket, n: Int) in [n, "a"] }  // expected-warning {{can't be sent}}
    // Statements.
    io.on("e") { (_: Socket, n: Int) in  // expected-warning {{can't be sent}}
        print(n)
        return Unsendable()
    }
    io.on("f") { (_: Socket, n: Int) -> [String: Any] in  // expected-warning {{can't be sent}}
        ["ok": true, "n": n]
    }
    // Asynchronous ones.
    io.on("g") { (_: Socket, n: Int) async in  // expected-warning {{can't be sent}}
        await Task.yield()
        return (n, n)
    }
    // Those of a socket.
    socket.on("h") { (n: Int) in ["ok": true, "n": n] }  // expected-warning {{can't be sent}}
    socket.on("i") { (n: Int) async in  // expected-warning {{can't be sent}}
        await Task.yield()
        return Unsendable()
    }
    socket.once("j") { (n: Int) in (n, n) }  // expected-warning {{can't be sent}}
    socket.once("k") { (n: Int) async -> Unsendable in Unsendable() }  // expected-warning {{can't be sent}}
}

func sendable(io: SocketServer, socket: Socket) {
    io.on("a") { (_: Socket, n: Int) in n }
    io.on("b") { (_: Socket, n: Int) -> JSONValue in ["ok": true, "n": .int(n)] }
    io.on("c") { (socket: Socket, room: String) in socket.join(Room(room)) }
    io.on("d") { (_: Socket) in }
    io.on("e") { (_: Socket, n: Int) in if n > 1 { print(n) } }
    io.on("f") { (_: Socket, n: Int) in throw RejectedEvent("no") }
    io.on("g") { (_: Socket, n: Int?) in n }
    io.on("h") { (_: Socket) async in await Task.yield() }
    io.on("i") { (_: Socket) async throws -> [String: Int] in
        try await Task.sleep(for: .seconds(1))
        return ["n": 1]
    }
    io.on("j") { (_: Socket, n: Int) -> Void in
        guard n > 1 else { return }
        print(n)
    }
    socket.on("k") { "\(ContinuousClock.now)" }
    socket.on("l") { print("l") }
    socket.once("m") { (_: JSONValue?) in }
}

func answers(io: SocketServer, socket: Socket) async throws {
    let isReady = try await socket.emitWithAck("ready?", returning: Bool.self)
    let count: Int = try await socket.emitWithAck("count")
    let anything = try await socket.emitWithAck("anything", 1, "two")
    let value: JSONValue = try await socket.timeout(.seconds(1)).emitWithAck("value")
    try await socket.emitWithAck("done")
    try await socket.volatile.emitWithAck("done")
    let all = try await io.to("room").timeout(.seconds(1)).emitWithAck("all")
    let numbers: [Int] = try await io.to("room").timeout(.seconds(1)).emitWithAck("numbers", 1)
    try await io.to("room").timeout(.seconds(1)).emitWithAck("done")
    print(isReady, count, anything["a"] ?? .null, value, all.first?["a"] ?? .null, numbers)
}

func names(_ error: ListenError, _ refusal: HandshakeError, _ address: SocketAddress, _ engine: EngineServer) {
    let logger: Logger? = nil
    print(error.port, refusal.code, address, engine.sessionCount, logger as Any)
}
