import NIOCore
import NIOEmbedded
import SocketIOWire
import Testing

@testable import EngineIO

/// Heartbeats on a loop that has too much to do: clients count interval and timeout by their own clocks.
@Suite(.timeLimit(.minutes(1))) struct LateLoopTests {
    private let server = EmbeddedServer()

    private func timers() throws -> TimingWheel { try #require(self.server.server.loop(of: self.server.loop)).timers }

    @Test func clientHasNoMoreTimeBecauseItsPingIsLate() throws {
        let channel = try self.server.webSocket()
        // The ping was due after 25 s, so the session is over after 45.
        try self.timers().advance(by: .seconds(30))
        try self.timers().advance(by: .milliseconds(14_900))
        #expect(self.server.delegate.closed.isEmpty)
        try self.timers().advance(by: .milliseconds(100))
        #expect(self.server.delegate.closed == ["ping timeout"])
        _ = try channel.finish(acceptAlreadyClosed: true)
    }

    @Test func clientHasTimeForItsPongHoweverLateThePingIs() throws {
        let channel = try self.server.webSocket()
        try self.timers().advance(by: .seconds(3600))
        try self.timers().advance(by: .milliseconds(9_900))
        #expect(self.server.delegate.closed.isEmpty)
        try self.timers().advance(by: .milliseconds(100))
        #expect(self.server.delegate.closed == ["ping timeout"])
        _ = try channel.finish(acceptAlreadyClosed: true)
    }

    /// The loop reads from its connections before it looks at its timers.
    @Test func pollThatComesTooLateFindsNoSession() throws {
        let channel = try self.server.connect()
        let due = self.server.loop.now + .seconds(45)
        _ = try self.server.request("GET", "EIO=4&transport=polling", on: channel)
        let session = try #require(self.server.sessions.first)
        let poll = "GET /engine.io/?EIO=4&transport=polling&sid=\(session.id.secret) HTTP/1.1\r\nHost: x\r\n\r\n"
        self.server.loop.advanceTime(to: due - .milliseconds(30))
        let late = try self.server.connect()
        #expect(session.state == .open)
        // Time has passed, but nothing else has been done.
        let loop = try #require(self.server.server.loop(of: self.server.loop))
        loop.timers.lag(behind: .milliseconds(30))
        try late.writeInbound(ByteBuffer(string: poll))
        #expect(self.server.delegate.closed == ["ping timeout"])
        #expect(self.server.text(of: late).hasPrefix("HTTP/1.1 400 "))
    }
}
