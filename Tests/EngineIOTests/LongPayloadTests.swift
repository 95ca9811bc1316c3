import NIOCore
import NIOEmbedded
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import EngineIO

/// Polling bodies of very many packets: in order, but not all in one go.
@Suite(.timeLimit(.minutes(1))) struct LongPayloadTests {
    /// A server and a client that has sent a body of 50,000 packets, of which some have been delivered.
    private final class Fixture {
        let server = EmbeddedServer()
        let channel: EmbeddedChannel
        let query: String
        let session: EngineSession
        static let count = 50_000

        init() throws {
            self.channel = try self.server.connect()
            _ = try self.server.request("GET", "EIO=4&transport=polling", on: self.channel)
            self.session = try #require(self.server.sessions.first)
            self.query = "EIO=4&transport=polling&sid=\(self.session.id.secret)"
            let body = (0..<Self.count).map { "4\($0)" }.joined(separator: "\u{1E}")
            let answer = try self.server.request("POST", self.query, body: Array(body.utf8), on: self.channel)
            #expect(answer.head.isEmpty)
        }

        var delivered: [String] { self.server.delegate.messages.filter { $0 != "other" } }

        func finish() {
            for _ in 0..<20 { self.server.loop.advanceTime(by: .milliseconds(1)) }
        }

        func expectEverything() {
            #expect(self.delivered.count == Self.count)
            #expect(self.delivered.enumerated().allSatisfy { "\($0)" == $1 })
        }
    }

    @Test func othersHaveTheirTurns() throws {
        let fixture = try Fixture()
        let other = try fixture.server.webSocket()
        #expect(fixture.delivered.count < 20_000)
        fixture.server.send("4other", to: other)
        #expect(try fixture.server.frames(of: other) == [.text("4other")])
        fixture.server.loop.advanceTime(by: .microseconds(100))
        #expect((10_000..<40_000).contains(fixture.delivered.count))
        #expect(fixture.server.text(of: fixture.channel).isEmpty)
        fixture.finish()
        fixture.expectEverything()
        // The answer comes after the last packet.
        #expect(fixture.server.text(of: fixture.channel).hasSuffix("\r\n\r\nok"))
        for channel in [fixture.channel, other] { _ = try? channel.finish(acceptAlreadyClosed: true) }
    }

    @Test func aPauseHoldsTheRest() throws {
        let fixture = try Fixture()
        fixture.session.pauseReading()
        let count = fixture.delivered.count
        fixture.finish()
        #expect(fixture.delivered.count == count)
        fixture.session.resumeReading()
        // At once paused again: what was to come does not.
        fixture.session.pauseReading()
        fixture.finish()
        #expect(fixture.delivered.count == count)
        #expect(fixture.server.text(of: fixture.channel).isEmpty)
        fixture.session.resumeReading()
        fixture.finish()
        fixture.expectEverything()
        #expect(fixture.server.text(of: fixture.channel).hasSuffix("\r\n\r\nok"))
        _ = try? fixture.channel.finish(acceptAlreadyClosed: true)
    }

    /// The client of an upgrade that does not wait for its POST.
    @Test func nothingOvertakes() throws {
        let fixture = try Fixture()
        let probe = try fixture.server.webSocket(query: fixture.query.replacing("polling", with: "websocket"))
        for text in ["2probe", "5", "4other"] { fixture.server.send(text, to: probe) }
        #expect(fixture.session.transport == .websocket)
        fixture.expectEverything()
        #expect(fixture.server.delegate.messages.last == "other")
        for channel in [fixture.channel, probe] { _ = try? channel.finish(acceptAlreadyClosed: true) }
    }

    /// A body that ends the session while a WebSocket takes over: nobody would look after the WebSocket.
    @Test func anEndInABodyEndsTheUpgradeToo() throws {
        let server = EmbeddedServer()
        let channel = try server.connect()
        _ = try server.request("GET", "EIO=4&transport=polling", on: channel)
        let session = try #require(server.sessions.first)
        let query = "EIO=4&transport=polling&sid=\(session.id.secret)"
        server.delegate.onText = { session, _ in session.pauseReading() }
        _ = try server.request("POST", query, body: Array("4a\u{1E}x".utf8), on: channel)
        let probe = try server.webSocket(query: query.replacing("polling", with: "websocket"))
        for text in ["2probe", "5"] { server.send(text, to: probe) }
        #expect(server.delegate.closed == ["parse error"])
        #expect(try server.frames(of: probe).last?.opcode == .close)
        server.loop.advanceTime(by: .seconds(31))
        #expect(!probe.isActive)
        for channel in [channel, probe] { _ = try? channel.finish(acceptAlreadyClosed: true) }
    }

    @Test func anEndIsTheEnd() throws {
        let fixture = try Fixture()
        let count = fixture.delivered.count
        fixture.session.close(discardingQueue: true)
        fixture.finish()
        #expect(fixture.delivered.count == count)
        #expect(fixture.server.delegate.closed == ["forced close"])
        #expect(fixture.server.text(of: fixture.channel).hasSuffix("\r\n\r\nok"))
        _ = try? fixture.channel.finish(acceptAlreadyClosed: true)
    }

    @Test func aSecondBodyBeforeTheAnswerIsAnOverlap() throws {
        let fixture = try Fixture()
        let other = try fixture.server.connect()
        let answer = try fixture.server.request("POST", fixture.query, body: Array("4x".utf8), on: other)
        #expect(answer.head.hasPrefix("HTTP/1.1 400 "))
        #expect(fixture.server.delegate.closed == ["transport error"])
        for channel in [fixture.channel, other] { _ = try? channel.finish(acceptAlreadyClosed: true) }
    }
}
