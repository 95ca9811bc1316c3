import NIOCore
import NIOEmbedded
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import EngineIO

/// A POST that ends its session, and the poll that was sent at the same moment.
@Suite(.timeLimit(.minutes(1))) struct LingeringTests {
    /// What ends a session, and what a poll is told of it.
    struct Ending: Sendable, CustomTestStringConvertible {
        var body: String
        var poll: String

        var testDescription: String { self.body }
    }

    static let endings = [
        Ending(body: "1", poll: "6"),
        Ending(body: "abc", poll: "1"),
        Ending(body: "3\u{1E}1", poll: "6"),
        Ending(body: "4end", poll: "1"),
    ]

    private func open() throws -> (server: EmbeddedServer, get: EmbeddedChannel, post: EmbeddedChannel, query: String) {
        let server = EmbeddedServer()
        server.delegate.onText = { session, text in if text == "end" { session.close(discardingQueue: true) } }
        let get = try server.connect()
        _ = try server.request("GET", "EIO=4&transport=polling", on: get)
        let session = try #require(server.sessions.first)
        return (server, get, try server.connect(), "EIO=4&transport=polling&sid=\(session.id.secret)")
    }

    /// Read first or second, both get what they get from one thread that reads the poll first.
    @Test(arguments: Self.endings, [true, false]) func theOrderDoesNotMatter(ending: Ending, pollFirst: Bool) throws {
        let (server, get, post, query) = try self.open()
        let body = Array(ending.body.utf8)
        var poll = ""
        if pollFirst { _ = try server.request("GET", query, on: get) }
        var (head, _) = try server.request("POST", query, body: body, on: post)
        #expect(server.delegate.closed.count == 1, "Everybody else knows at once")
        if pollFirst {
            poll = server.text(of: get)
        } else {
            #expect(head.isEmpty, "The POST waits for the poll")
            let answer = try server.request("GET", query, on: get)
            poll = answer.head + String(buffer: answer.body)
            head = server.text(of: post)
        }
        #expect(poll.hasPrefix("HTTP/1.1 200 OK"))
        #expect(poll.hasSuffix("\r\n\r\n\(ending.poll)"))
        #expect(head.hasPrefix("HTTP/1.1 200 OK"))
        #expect(try server.request("GET", query, on: get).head.hasPrefix("HTTP/1.1 400 "), "It was the last")
        #expect(server.delegate.closed.count == 1)
    }

    /// A poll that is sent after the answer to the POST is too late.
    @Test(arguments: Self.endings) func aPollThatDoesNotComeIsNotWaitedForLong(ending: Ending) throws {
        let (server, get, post, query) = try self.open()
        let body = Array(ending.body.utf8)
        #expect(try server.request("POST", query, body: body, on: post).head.isEmpty)
        server.loop.advanceTime(by: server.server.configuration.lingeringTime)
        server.loop.advanceTime(by: .milliseconds(20))
        #expect(server.text(of: post).hasPrefix("HTTP/1.1 200 OK"))
        #expect(try server.request("GET", query, on: get).head.hasPrefix("HTTP/1.1 400 "))
        #expect(server.server.sessionCount == 0)
    }

    /// The session is over: it takes nothing more, and no WebSocket.
    @Test func nobodyElseFindsIt() throws {
        let (server, _, post, query) = try self.open()
        _ = try server.request("POST", query, body: Array("1".utf8), on: post)
        let other = try server.connect()
        #expect(try server.request("POST", query, body: Array("4x".utf8), on: other).head.hasPrefix("HTTP/1.1 400 "))
        #expect(server.delegate.messages.isEmpty)
        #expect(server.server.sessionCount == 0)
        #expect(server.server.session(server.sessions[0].id) == nil)
    }

    /// Which of the two requests the server reads first.
    enum Order: Sendable, CaseIterable { case poll, post, together }

    /// Two loops: whichever connection is read first, and whichever loop has it and the session.
    @Test(arguments: ["1", "abc"], Order.allCases)
    func twoConnectionsAtTheSameMoment(body: String, first: Order) async throws {
        let group = ClockedLoops()
        let server = group.makeServer()
        for round in 0..<(first == .together ? 80 : 8) {
            let loops = (0..<3).map { group.loops[round >> $0 & 1] }
            let opening = try await ClockedLoops.Connection(to: server, on: loops[0])
            try await opening.send("GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n")
            await group.run()
            let id = try #require(try await opening.answer().sessionID)
            let get = try await ClockedLoops.Connection(to: server, on: loops[1])
            let post = try await ClockedLoops.Connection(to: server, on: loops[2])
            let target = "/engine.io/?EIO=4&transport=polling&sid=\(id) HTTP/1.1\r\nHost: x\r\n"
            let (poll, data) = ("GET \(target)\r\n", "POST \(target)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
            switch first {
            case .poll:
                try await get.send(poll)
                try await post.send(data)
            case .post:
                try await post.send(data)
                try await get.send(poll)
            case .together:
                async let sentPoll: Void = get.send(poll)
                async let sentData: Void = post.send(data)
                _ = try await (sentPoll, sentData)
            }
            await group.run()
            #expect(try await get.answer().hasSuffix("\r\n\r\n\(body == "1" ? "6" : "1")"))
            #expect(try await post.answer().hasSuffix("\r\n\r\nok"))
            try await get.send(poll)
            await group.run()
            #expect(try await get.answer().hasPrefix("HTTP/1.1 400 "), "It was the last")
            for connection in [opening, get, post] { try await connection.close() }
        }
        #expect(server.sessionCount == 0)
        await group.stop()
    }
}

/// The packet that completes an upgrade, and a poll that is sent behind it.
@Suite(.timeLimit(.minutes(1))) struct PollBehindUpgradeTests {
    /// Two loops: whichever connection is read first, the poll is told that polling is over.
    @Test func thePollIsReadSecond() async throws {
        try await EchoServer.run { server in
            for _ in 0..<50 {
                let id = try await server.handshake()
                let webSocket = try await server.webSocket("&sid=\(id)")
                let poll = try await server.connect()
                try await Self.upgrade(webSocket)
                try await poll.send("GET /engine.io/?EIO=4&transport=polling&sid=\(id) HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try await poll.response().status == "HTTP/1.1 400 Bad Request")
                try await webSocket.send(frame: "4hello")
                while try await webSocket.frame() != .text("4hello") {}
                await poll.close()
                await webSocket.close()
            }
        }
    }

    private static func upgrade(_ webSocket: RawConnection) async throws {
        try await webSocket.send(frame: "2probe")
        try await webSocket.send(frame: "5")
    }

    /// A poll that waits for the WebSocket, and goes, ends the session as any other.
    @Test func aDelayedPollMayGo() async throws {
        try await EchoServer.run { server in
            for _ in 0..<20 {
                let id = try await server.handshake()
                let webSocket = try await server.webSocket("&sid=\(id)")
                let poll = try await server.connect()
                try await poll.send("GET /engine.io/?EIO=4&transport=polling&sid=\(id) HTTP/1.1\r\nHost: x\r\n\r\n")
                await poll.close()
                try await server.wait { server.server.sessionCount == 0 }
                await webSocket.close()
            }
            #expect(server.events.allSatisfy { $0 == Self.premature })
        }
    }

    private static let premature = EchoServer.Event.close(
        "transport error",
        description: "poll connection closed prematurely"
    )
}
