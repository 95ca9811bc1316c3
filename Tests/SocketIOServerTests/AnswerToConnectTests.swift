import NIOCore
import NIOEmbedded
import SocketIOServer
import SocketIOWire
import Testing

/// What connection handlers send: there are clients that handle all messages of one read at once, before those who waited
/// for the answer to CONNECT listen to events.
@Suite(.timeLimit(.minutes(1))) struct AnswerToConnectTests {
    private let server = StillServer()

    @Test func whatConnectionHandlersSendComesAMomentLater() throws {
        self.server.io.onConnection { socket in
            socket.emit("hello")
            socket.emit("again")
        }
        self.server.io.sockets.on("ping") { (socket: Socket) in socket.emit("pong") }
        let client = try self.server.connect()
        try client.send("40")
        let answers = try client.received()
        #expect(answers.count == 1)
        #expect(answers.first?.hasPrefix("40{\"sid\":") == true)
        // What is sent meanwhile does not overtake it.
        try client.send(#"42["ping"]"#)
        #expect(try client.received() == [])
        self.server.loop.advanceTime(by: .milliseconds(5))
        #expect(try client.received() == [#"42["hello"]"#, #"42["again"]"#, #"42["pong"]"#])
        try client.send(#"42["ping"]"#)
        #expect(try client.received() == [#"42["pong"]"#])
        try client.close()
    }

    @Test func nothingWaitsWithoutSuchHandlers() throws {
        self.server.io.sockets.on("ping") { (socket: Socket) in socket.emit("pong") }
        let client = try self.server.connect()
        try client.send("40", #"42["ping"]"#)
        let messages = try client.received()
        #expect(messages.count == 2)
        #expect(messages.last == #"42["pong"]"#)
        try client.close()
    }

    @Test func handlersThatSendNothingDelayNothing() throws {
        self.server.io.onConnection { _ in }
        self.server.io.sockets.on("ping") { (socket: Socket) in socket.emit("pong") }
        let client = try self.server.connect()
        try client.send("40")
        #expect(try client.received().count == 1)
        self.server.loop.advanceTime(by: .milliseconds(5))
        try client.send(#"42["ping"]"#)
        #expect(try client.received() == [#"42["pong"]"#])
        try client.close()
    }

    @Test func clientThatIsSentAwayAtOnceGetsAllOfItAtOnce() throws {
        self.server.io.onConnection { socket in
            socket.emit("bye")
            socket.disconnect(closingConnection: true)
        }
        let client = try self.server.connect()
        try client.send("40")
        // The last one is the close frame.
        #expect(try client.received().dropFirst().prefix(2) == [#"42["bye"]"#, "41"])
        try client.close()
    }

    @Test func muchDoesNotWait() throws {
        let text = String(repeating: "x", count: 30_000)
        self.server.io.onConnection { socket in for _ in 0..<10 { socket.emit("event", text) } }
        let client = try self.server.connect()
        try client.send("40")
        #expect(try client.received().count == 11)
        try client.close()
    }
}
