import NIOCore
import NIOPosix
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import EngineIO

/// Clients that go away at every stage, and clients that are slow.
@Suite(.timeLimit(.minutes(1))) struct StressTests {
    /// What a client does before it goes away.
    enum Stage: Int, CaseIterable {
        case connected
        case halfRequest
        case opened
        case refusedUpgrade
        case polling
        case halfPost
        case upgrading
        case probed
        case upgraded
        case talked
        case closed
    }

    @Test func clientsMayGoAwayAtAnyStage() async throws {
        var configuration = EngineConfiguration()
        configuration.allowRequest = { request in
            await Task.yield()
            return request.target.contains("refuse") ? .refuse(nil) : .accept
        }
        try await EchoServer.run(configuration) { server in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for round in 0..<20 {
                    for stage in Stage.allCases {
                        group.addTask { try await Self.client(server, until: stage, isRude: round % 2 == 0) }
                    }
                }
                try await group.waitForAll()
            }
            await server.server.closeSessions()
            #expect(server.server.sessionCount == 0)
            // Each session that was opened was closed, once.
            let closed = server.events.filter { if case .close = $0 { true } else { false } }.count
            #expect(closed == 20 * (Stage.allCases.count - 3))
        }
    }

    private static func client(_ server: EchoServer, until stage: Stage, isRude: Bool) async throws {
        let path = "/engine.io/?EIO=4&transport=polling"
        var connections: [RawConnection] = []
        func finish() async {
            for connection in connections {
                if isRude { try? await connection.reset() } else { await connection.close() }
            }
        }
        let first = try await server.connect()
        connections.append(first)
        if stage == .connected { return await finish() }
        if stage == .refusedUpgrade {
            try await first.send(EchoServer.upgrade("&sid=unknown"))
            return await finish()
        }
        if stage == .halfRequest {
            try await first.send("GET \(path) HTTP/1.1\r\nHo")
            return await finish()
        }
        try await first.send("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
        let id = try #require(try await first.response().text.sessionID)
        if stage == .opened { return await finish() }
        if stage == .halfPost {
            try await first.send("POST \(path)&sid=\(id) HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n4half")
            try await server.wait(for: id) { $0.holdsPost }
            return await finish()
        }
        if stage == .polling {
            try await first.send("GET \(path)&sid=\(id) HTTP/1.1\r\nHost: x\r\n\r\n")
            try await server.wait(for: id) { $0.holdsPoll }
            return await finish()
        }
        let second = try await server.connect()
        connections.append(second)
        try await second.send(EchoServer.upgrade("&sid=\(id)"))
        if stage == .upgrading { return await finish() }
        #expect(try await second.response().status == "HTTP/1.1 101 Switching Protocols")
        try await second.send(frame: "2probe")
        if stage == .probed { return await finish() }
        #expect(try await second.frame() == .text("3probe"))
        try await second.send(frame: "5")
        if stage == .upgraded { return await finish() }
        for index in 0..<10 {
            try await second.send(frame: "4\(index)")
            #expect(try await second.frame() == .text("4\(index)"))
        }
        if stage == .talked { return await finish() }
        try await second.send(.close, [])
        #expect(try await second.frame().opcode == .close)
        _ = try await second.end()
        await finish()
    }

    @Test func aBigDownloadIsNoSilence() async throws {
        var configuration = EngineConfiguration()
        configuration.limits.maxQueuedBytes = 100_000_000
        try await EchoServer.run(configuration) { server in
            let connection = try await server.webSocket()
            let id = try #require(try await connection.frame().text.sessionID)
            try await connection.setReading(false)
            // More than the kernel takes.
            try await server.wait(for: id) { session in
                for _ in 0..<200 { session.send(text: ByteBuffer(repeating: 0x78, count: 200_000)) }
                return true
            }
            try await server.wait(for: id) { $0.queuedBytes < 40_000_000 }
            try await server.wait(for: id) { session in
                // The ping interval is over: the ping waits behind 40 MB.
                session.timerFired(at: session.timers.now)
                return true
            }
            try await connection.setReading(true)
            for _ in 0..<200 { #expect(try await connection.frame().payload.count == 200_001) }
            #expect(try await connection.frame() == .text("2"))
            try await server.wait(for: id) { session in
                // The ping timeout is over: no pong, but the bytes moved.
                session.timerFired(at: session.timers.now)
                #expect(session.state == .open)
                // Another one without any sign.
                session.timerFired(at: session.timers.now)
                #expect(session.state == .closed)
                return true
            }
            #expect(server.events == [.close("ping timeout", description: nil)])
            await connection.close()
        }
    }

    @Test func aBigPollIsNoSilence() async throws {
        try await EchoServer.run { server in
            let id = try await server.handshake()
            let connection = try await server.connect()
            try await connection.setReading(false)
            try await server.wait(for: id) { session in
                session.send(text: ByteBuffer(repeating: 0x78, count: 10_000_000))
                return true
            }
            try await connection.send("GET /engine.io/?EIO=4&transport=polling&sid=\(id) HTTP/1.1\r\nHost: x\r\n\r\n")
            try await server.wait(for: id) { session in session.queuedBytes == 0 }
            try await server.wait(for: id) { session in
                for _ in 0..<5 { session.timerFired(at: session.timers.now) }
                #expect(session.state == .open)
                return true
            }
            try await connection.setReading(true)
            let response = try await connection.response()
            #expect(response.body.count == 10_000_001)
            try await server.wait(for: id) { session in
                session.timerFired(at: session.timers.now)
                return session.state == .closed
            }
            #expect(server.events == [.close("ping timeout", description: nil)])
            await connection.close()
        }
    }
}
