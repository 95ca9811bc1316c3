import EngineIO
import NIOCore
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@Suite(.timeLimit(.minutes(1))) struct EventTests {
    struct Point: Codable, Sendable, Equatable {
        var x: Int
        var y: Int
    }

    @Test func typedHandlersAnswerAcknowledgements() async throws {
        try await TestServer(setUp: { io in
            io.sockets.on("add") { (_: Socket, a: Int, b: Int) in a + b }
            io.sockets.on("mirror") { (_: Socket, point: Point) in Point(x: point.y, y: point.x) }
            io.sockets.on("nothing") { (_: Socket) in }
            io.sockets.on("maybe") { (_: Socket, text: String?) in text ?? "none" }
            io.sockets.on("later") { (_: Socket, text: String) async -> String in
                await Task.yield()
                return text
            }
            io.sockets.onConnection { socket in
                socket.on("own") { (text: String) in "\(socket.id) \(text)" }
            }
        }).run { _, address in
            let client = try await TestClient.join(at: address)
            try await client.send("420[\"add\",1,2]")
            #expect(await client.next() == .text("430[3]"))
            try await client.send("421[\"mirror\",{\"x\":1,\"y\":2}]")
            #expect(await client.next() == .text("431[{\"x\":2,\"y\":1}]"))
            try await client.send("422[\"nothing\"]")
            #expect(await client.next() == .text("432[]"))
            try await client.send("423[\"maybe\"]")
            #expect(await client.next() == .text("433[\"none\"]"))
            try await client.send("424[\"later\",\"x\"]")
            #expect(await client.next() == .text("434[\"x\"]"))
            try await client.send("42456[\"own\",\"y\"]")
            #expect(await client.next() == .text("43456[\"\(client.id) y\"]"))
        }
    }

    @Test func waitingClientIsToldWhatWentWrong() async throws {
        struct Secret: Error {}
        try await TestServer(setUp: { io in
            io.sockets.on("number") { (_: Socket, number: Int) in number }
            io.sockets.on("rejects") { (_: Socket) in throw RejectedEvent("too late", data: ["by": 3]) }
            io.sockets.on("fails") { (_: Socket) in throw Secret() }
        }).run { _, address in
            let client = try await TestClient.join(at: address)
            try await client.send("421[\"number\",\"x\"]")
            #expect(await client.next() == .text("431[{\"error\":\"invalid arguments\"}]"))
            try await client.send("422[\"number\"]")
            #expect(await client.next() == .text("432[{\"error\":\"invalid arguments\"}]"))
            try await client.send("423[\"rejects\"]")
            #expect(await client.next() == .text("433[{\"error\":\"too late\",\"data\":{\"by\":3}}]"))
            try await client.send("424[\"fails\"]")
            #expect(await client.next() == .text("434[{\"error\":\"internal error\"}]"))
        }
    }

    @Test func onlyTheFirstAnswerCounts() async throws {
        try await TestServer(setUp: { io in
            io.sockets.onRaw("twice") { event in
                event.acknowledge(1)
                event.acknowledge(2)
            }
            io.sockets.on("twice") { (_: Socket) in 3 }
            io.sockets.on("end") { (_: Socket) in }
        }).run { _, address in
            let client = try await TestClient.join(at: address)
            try await client.send("420[\"twice\"]")
            try await client.send("421[\"end\"]")
            #expect(await client.next() == .text("430[1]"))
            #expect(await client.next() == .text("431[]"))
        }
    }

    @Test func binaryTravelsBothWays() async throws {
        try await TestServer(setUp: { io in
            io.sockets.on("bytes") { (socket: Socket, value: JSONValue) in
                socket.emit("bytes", value)
                return value
            }
        }).run { _, address in
            let client = try await TestClient.join(at: address)
            try await client.send("451-7[\"bytes\",{\"a\":{\"_placeholder\":true,\"num\":0}}]")
            try await client.send(binary: [1, 2, 3])
            #expect(await client.next() == .text("451-[\"bytes\",{\"a\":{\"_placeholder\":true,\"num\":0}}]"))
            #expect(await client.next() == .binary([1, 2, 3]))
            #expect(await client.next() == .text("461-7[{\"a\":{\"_placeholder\":true,\"num\":0}}]"))
            #expect(await client.next() == .binary([1, 2, 3]))
        }
    }

    @Test func asynchronousHandlersOfOneSocketKeepTheirOrder() async throws {
        try await TestServer(setUp: { io in
            io.sockets.on("slow") { (socket: Socket, number: Int) async in
                for _ in 0..<(10 - number) { await Task.yield() }
                socket.emit("done", number)
            }
        }).run { _, address in
            let client = try await TestClient.join(at: address)
            for number in 0..<10 { try await client.send("42[\"slow\",\(number)]") }
            for number in 0..<10 { #expect(await client.next() == .text("42[\"done\",\(number)]")) }
        }
    }

    @Test func attachmentsThatNeverComeEndTheConnection() async throws {
        var configuration = SocketServerConfiguration()
        // None of them passes by itself.
        configuration.engine.pingInterval = .hours(4)
        configuration.attachmentTimeout = .hours(1)
        try await TestServer(
            configuration: configuration,
            setUp: { io in
                io.sockets.on("bytes") { (_: Socket, bytes: ByteBuffer) in bytes.readableBytes }
            }
        ).run { server, address in
            let client = try await TestClient.join(at: address)
            let header = "451-0[\"bytes\",{\"_placeholder\":true,\"num\":0}]"
            try await client.send(together: [.text(header), .binary([1, 2, 3])])
            #expect(await client.next() == .text("430[3]"))
            await server.advanceTime(by: .minutes(61))
            try await client.send(header)
            try await client.settle()
            await server.advanceTime(by: .minutes(59))
            try await client.settle()
            await server.advanceTime(by: .minutes(2))
            #expect(await client.next() == .close)
        }
    }

    /// More events than the mailbox takes: reading pauses and resumes, and nothing is lost.
    @Test func fullMailboxPausesReading() async throws {
        var configuration = SocketServerConfiguration()
        configuration.limits.waitingEvents = 4
        let gate = Gate()
        try await TestServer(
            configuration: configuration,
            setUp: { io in
                io.sockets.on("first") { (_: Socket) async in await gate.wait() }
                io.sockets.on("slow") { (socket: Socket, number: Int) async in socket.emit("done", number) }
            }
        ).run { _, address in
            let client = try await TestClient.join(at: address)
            try await client.send("42[\"first\"]")
            for number in 0..<200 { try await client.send("42[\"slow\",\(number)]") }
            gate.open()
            for number in 0..<200 { #expect(await client.next() == .text("42[\"done\",\(number)]")) }
        }
    }

    @Test func handlerMayWaitForItsOwnClient() async throws {
        try await TestServer(setUp: { io in
            io.sockets.on("ask me") { (socket: Socket) async throws -> String in
                try await socket.emitWithAck("question", 1, returning: String.self)
            }
        }).run { _, address in
            let client = try await TestClient.join(at: address)
            try await client.send("425[\"ask me\"]")
            #expect(await client.next() == .text("420[\"question\",1]"))
            try await client.send("430[\"answer\"]")
            #expect(await client.next() == .text("435[\"answer\"]"))
        }
    }

    @Test func missingAcknowledgementsFail() async throws {
        let outcomes = Recorder<AcknowledgementError.Code>()
        try await TestServer(setUp: { io in
            io.sockets.onConnection { socket in
                socket.on("go") { (milliseconds: Int?) async in
                    do {
                        if let milliseconds {
                            _ = try await socket.timeout(.milliseconds(Int64(milliseconds)))
                                .emitWithAck("question", returning: Int.self)
                        } else {
                            _ = try await socket.emitWithAck("question", returning: Int.self)
                        }
                    } catch let error as AcknowledgementError {
                        outcomes.record(error.code)
                    } catch {}
                }
            }
        }).run { _, address in
            let client = try await TestClient.join(at: address)
            try await client.send("42[\"go\",20]")
            #expect(await client.next() == .text("420[\"question\"]"))
            #expect(await outcomes.next() == .timeout)
            // Late: nobody waits any more.
            try await client.send("430[1]")
            try await client.send("42[\"go\"]")
            #expect(await client.next() == .text("421[\"question\"]"))
            try await client.send("431[\"no number\"]")
            #expect(await outcomes.next() == .unexpectedAnswer)
            try await client.send("42[\"go\"]")
            #expect(await client.next() == .text("422[\"question\"]"))
            await client.close()
            #expect(await outcomes.next() == .disconnected)
        }
    }

    @Test func catchAllListenersAndPacketMiddleware() async throws {
        let seen = Recorder<String>()
        try await TestServer(setUp: { io in
            io.sockets.onConnection { socket in
                socket.onAny { event, arguments in seen.record("in \(event) \(arguments.count)") }
                socket.onAnyOutgoing { event, arguments in seen.record("out \(event) \(arguments.count)") }
                socket.use { event in
                    if event.name == "forbidden" { throw RejectedEvent("no") }
                }
                socket.on("x") { (number: Int) in
                    socket.emit("y", number)
                    io.sockets.emit("z", number, number)
                }
                socket.on("forbidden") { seen.record("handled") }
            }
        }).run { _, address in
            let client = try await TestClient.join(at: address)
            try await client.send("42[\"x\",1]")
            #expect(await client.next() == .text("42[\"y\",1]"))
            #expect(await client.next() == .text("42[\"z\",1,1]"))
            #expect(await seen.next() == "in x 1")
            #expect(await seen.next() == "out y 1")
            #expect(await seen.next() == "out z 2")
            try await client.send("429[\"forbidden\"]")
            #expect(await client.next() == .text("439[{\"error\":\"no\"}]"))
            #expect(await seen.next() == "in forbidden 0")
        }
    }

    @Test(arguments: ["connect", "disconnect", "disconnecting", "connect_error", "newListener", "removeListener"])
    func reservedNamesAreNotSent(_ name: String) async throws {
        let connected = Recorder<Socket>()
        try await TestServer(setUp: { io in
            io.sockets.onConnection { socket in
                socket.emit(name, 1)
                io.sockets.emit(name, 1)
                socket.emit("end")
                connected.record(socket)
            }
        }).run { io, address in
            let client = try await TestClient.join(at: address)
            #expect(await client.next() == .text("42[\"end\"]"))
            let socket = await connected.next()
            // Who waits for an answer is told at once.
            var errors: [AcknowledgementError.Code?] = []
            do { _ = try await socket?.emitWithAck(name, returning: Int.self) } catch {
                errors.append((error as? AcknowledgementError)?.code)
            }
            do { _ = try await io.timeout(.hours(1)).emitWithAck(name, returning: Int.self) } catch {
                errors.append((error as? AcknowledgementError)?.code)
            }
            #expect(errors == [.unencodable, .unencodable])
        }
    }

    /// `error`, `__proto__` and the like are ordinary names here.
    @Test(arguments: ["error", "__proto__", "connection", "toString", "constructor", ""])
    func everyOtherNameIsHarmless(_ name: String) async throws {
        try await TestServer(setUp: { io in io.sockets.on("end") { (_: Socket) in } }).run { _, address in
            let client = try await TestClient.join(at: address)
            try await client.send("42[\"\(name)\",1]")
            try await client.send("420[\"end\"]")
            #expect(await client.next() == .text("430[]"))
        }
    }
}
