import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import EngineIO

/// Reads whose messages are not all handed out at once: the client is to wait, or the channel calls again meanwhile.
@Suite(.timeLimit(.minutes(1))) struct HeldReadTests {
    /// Hands over more bytes, or the connection's end, from within the first write.
    private final class Reentering: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        private var more: ByteBuffer?
        private let ends: Bool

        init(_ more: ByteBuffer, ends: Bool = false) {
            self.more = more
            self.ends = ends
        }

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            context.write(data, promise: promise)
            guard let more = self.more.take() else { return }
            context.fireChannelRead(NIOAny(more))
            context.fireChannelReadComplete()
            if self.ends { context.fireChannelInactive() }
        }
    }

    private static func frames(_ texts: String...) -> ByteBuffer {
        var bytes = ByteBuffer()
        for text in texts {
            bytes.writeMaskedWebSocketFrame(.text, payload: ByteBuffer(string: text), mask: WebSocketMask(5))
        }
        return bytes
    }

    @Test func bytesThatComeWhileAMessageIsHandledWaitTheirTurn() throws {
        let server = EmbeddedServer()
        let channel = try server.webSocket()
        var first = Self.frames("4a", "4b", "4c")
        // The read ends within a frame.
        let second = try #require(first.getSlice(at: first.writerIndex - 3, length: 3))
        first.moveWriterIndex(to: first.writerIndex - 3)
        var more = second
        more.writeImmutableBuffer(Self.frames("4d"))
        try channel.pipeline.syncOperations.addHandler(Reentering(more), position: .first)
        server.delegate.onText = { session, _ in session.flush() }
        server.send(first, to: channel)
        #expect(server.delegate.messages == ["a", "b", "c", "d"])
        #expect(server.delegate.closed.isEmpty)
        server.send("4e", to: channel)
        #expect(try server.frames(of: channel).map(\.text) == ["4a", "4b", "4c", "4d", "4e"])
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test func anEndWhileAMessageIsHandledIsTheEnd() throws {
        let server = EmbeddedServer()
        let channel = try server.webSocket()
        try channel.pipeline.syncOperations.addHandler(Reentering(Self.frames("4c"), ends: true), position: .first)
        server.delegate.onText = { session, _ in session.flush() }
        server.send(Self.frames("4a", "4b"), to: channel)
        #expect(server.delegate.messages == ["a"])
        #expect(server.delegate.closed == ["transport close"])
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// The body of the second request comes while the first is answered, and is no request, whatever it looks like.
    @Test func bytesThatComeBeforeTheDecoderReadsGoToIt() throws {
        let seen = NIOLockedValueBox<[String]>([])
        let server = EmbeddedServer { configuration in
            configuration.routes = { _, target in
                seen.withLockedValue { $0.append(target) }
                return .text("x")
            }
        }
        let channel = try server.connect()
        let body = "GET /three HTTP/1.1\r\nHost: x\r\n\r\n"
        try channel.pipeline.syncOperations.addHandler(Reentering(ByteBuffer(string: body)), position: .first)
        // NIO's decoder reads the second head, because a field is empty.
        let two = "POST /two HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\nX-Empty:\r\n\r\n"
        server.send(ByteBuffer(string: "GET /one HTTP/1.1\r\nHost: x\r\n\r\n" + two), to: channel)
        #expect(seen.withLockedValue { $0 } == ["/one", "/two"])
        let four = try server.exchange("GET /four HTTP/1.1\r\nHost: x\r\n\r\n", on: channel)
        #expect(four.hasPrefix("HTTP/1.1 200 "))
        #expect(seen.withLockedValue { $0 } == ["/one", "/two", "/four"])
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test func aPausedSessionReadsNoPost() throws {
        let server = EmbeddedServer()
        let poller = try server.connect()
        _ = try server.request("GET", "EIO=4&transport=polling", on: poller)
        let session = try #require(server.sessions.first)
        session.pauseReading()
        let post = try server.connect()
        let target = "/engine.io/?EIO=4&transport=polling&sid=\(session.id.secret)"
        let request = "POST \(target) HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n4x"
        #expect(try server.exchange(request, on: post).isEmpty)
        server.loop.run()
        #expect(server.delegate.messages.isEmpty && server.text(of: post).isEmpty)
        session.resumeReading()
        server.loop.advanceTime(by: .milliseconds(1))
        #expect(server.delegate.messages == ["x"])
        #expect(server.text(of: post).hasSuffix("ok"))
        for channel in [poller, post] { _ = try? channel.finish(acceptAlreadyClosed: true) }
    }

    @Test func aPauseLeavesTheRestOfTheReadUndecoded() throws {
        let server = EmbeddedServer()
        let channel = try server.webSocket()
        let session = try #require(server.sessions.first)
        server.delegate.onText = { session, text in if text != "b" { session.pauseReading() } }
        var bytes = Self.frames("4a", "4b", "4c")
        // Nobody looks at this before its turn.
        bytes.writeBytes([0xFF, 0xFF])
        server.send(bytes, to: channel)
        #expect(server.delegate.messages == ["a"])
        session.resumeReading()
        #expect(server.delegate.messages == ["a"])
        // At once paused again.
        session.pauseReading()
        server.loop.run()
        #expect(server.delegate.messages == ["a"])
        session.resumeReading()
        // What comes before the rest's turn stays behind it.
        server.delegate.onText = { session, text in if text == "c" { session.pauseReading() } }
        server.loop.run()
        #expect(server.delegate.messages == ["a", "b", "c"])
        #expect(server.delegate.closed.isEmpty)
        session.resumeReading()
        server.loop.run()
        #expect(server.delegate.closed == ["transport error"])
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test func whatIsReadInAPauseStaysBehindWhatWasLeft() throws {
        let server = EmbeddedServer()
        let channel = try server.webSocket()
        let session = try #require(server.sessions.first)
        server.delegate.onText = { session, text in if text == "a" { session.pauseReading() } }
        server.send(Self.frames("4a", "4b"), to: channel)
        server.send(Self.frames("4c"), to: channel)
        session.resumeReading()
        try channel.writeInbound(Self.frames("4d"))
        server.loop.run()
        #expect(server.delegate.messages == ["a", "b", "c", "d"])
        server.send("4e", to: channel)
        #expect(server.delegate.messages.last == "e")
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test func aSessionThatEndsInAPauseDeliversNothingMore() throws {
        let server = EmbeddedServer()
        let channel = try server.webSocket()
        let session = try #require(server.sessions.first)
        server.delegate.onText = { session, _ in session.pauseReading() }
        server.send(Self.frames("4a", "4b"), to: channel)
        session.close()
        server.loop.run()
        #expect(server.delegate.messages == ["a"])
        #expect(server.delegate.closed == ["forced close"])
        // The closing handshake is waited for, and found behind the rest.
        var close = ByteBuffer()
        close.writeMaskedWebSocketFrame(.close, payload: ByteBuffer(), mask: WebSocketMask(1))
        server.send(close, to: channel)
        #expect(!channel.isActive)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// The client counts the time since the last ping: a pause of the server must not end its connection.
    @Test func aPauseHoldsNoPings() throws {
        let server = EmbeddedServer()
        let channel = try server.webSocket()
        let session = try #require(server.sessions.first)
        session.pauseReading()
        server.loop.advanceTime(by: .seconds(25))
        #expect(try server.frames(of: channel) == [.text("2")])
        for _ in 0..<5 {
            server.loop.advanceTime(by: .seconds(20))
            #expect(try server.frames(of: channel) == [.text("2")])
        }
        session.resumeReading()
        server.send("3", to: channel)
        server.loop.advanceTime(by: .seconds(20))
        #expect(try server.frames(of: channel).isEmpty)
        #expect(server.delegate.closed.isEmpty)
        server.loop.advanceTime(by: .seconds(26))
        #expect(server.delegate.closed == ["ping timeout"])
    }

    /// At the end of the stream the channel reads whatever there is, pause or not.
    @Test func whoGoesInAPauseIsHeardToTheEnd() throws {
        let server = EmbeddedServer()
        let channel = try server.webSocket()
        #expect(try channel.getOption(.allowRemoteHalfClosure).wait())
        let session = try #require(server.sessions.first)
        server.delegate.onText = { session, text in if text != "c" { session.pauseReading() } }
        server.send(Self.frames("4a", "4b"), to: channel)
        server.send(Self.frames("4c"), to: channel)
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        for expected in [["a"], ["a", "b"]] {
            server.loop.run()
            #expect(server.delegate.messages == expected)
            #expect(server.delegate.closed.isEmpty)
            session.resumeReading()
        }
        server.loop.run()
        #expect(server.delegate.messages == ["a", "b", "c"])
        #expect(server.delegate.closed == ["transport close"])
        #expect(!channel.isActive)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test func whoSaysNoMoreIsGone() throws {
        let server = EmbeddedServer()
        let channel = try server.webSocket()
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        server.loop.run()
        #expect(server.delegate.closed == ["transport close"])
        #expect(!channel.isActive)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// The end of the stream is told once: a pause at the very last message must not lose it.
    @Test func aClientThatHasGoneEndsAfterThePauseOfItsLastMessage() throws {
        let server = EmbeddedServer()
        let channel = try server.webSocket()
        let session = try #require(server.sessions.first)
        server.delegate.onText = { session, _ in session.pauseReading() }
        server.send(Self.frames("4a", "4b"), to: channel)
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        session.resumeReading()
        server.loop.run()
        #expect(server.delegate.messages == ["a", "b"])
        #expect(channel.isActive)
        session.resumeReading()
        server.loop.run()
        #expect(!channel.isActive)
        #expect(server.delegate.closed == ["transport close"])
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// Small messages that are long when they are decompressed leave the loop's other connections their turns.
    @Test func decompressingHasItsTurns() throws {
        let server = EmbeddedServer { $0.perMessageDeflate = PerMessageDeflate() }
        let channel = try server.webSocket(fields: "Sec-WebSocket-Extensions: permessage-deflate\r\n")
        let deflater = try #require(Deflater(.raw(windowBits: 15), level: 6))
        var compressed = ByteBuffer()
        let message = ByteBuffer(string: "4" + String(repeating: "x", count: 900_000))
        #expect(deflater.writeMessage(message, into: &compressed))
        var read = ByteBuffer()
        for _ in 0..<10 {
            read.writeMaskedWebSocketFrame(.text, payload: compressed, mask: WebSocketMask(7), isCompressed: true)
        }
        read.writeImmutableBuffer(Self.frames("4last"))
        server.send(read, to: channel)
        for count in 1...10 {
            #expect(server.delegate.messages.count == count)
            server.loop.advanceTime(by: .microseconds(100))
        }
        #expect(server.delegate.messages.count == 11)
        #expect(server.delegate.messages.last == "last")
        // It reads on.
        server.send("4more", to: channel)
        #expect(server.delegate.messages.last == "more")
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test func aPauseHoldsTheRestOfABody() throws {
        let server = EmbeddedServer()
        let channel = try server.connect()
        _ = try server.request("GET", "EIO=4&transport=polling", on: channel)
        let session = try #require(server.sessions.first)
        server.delegate.onText = { session, _ in session.pauseReading() }
        let query = "EIO=4&transport=polling&sid=\(session.id.secret)"
        let body = Array("4a\u{1E}4b".utf8)
        #expect(try server.request("POST", query, body: body, on: channel).head.isEmpty)
        for expected in [["a"], ["a", "b"]] {
            server.loop.advanceTime(by: .milliseconds(1))
            #expect(server.delegate.messages == expected)
            #expect(server.text(of: channel).isEmpty)
            session.resumeReading()
        }
        server.loop.advanceTime(by: .milliseconds(1))
        #expect(server.text(of: channel).hasSuffix("\r\n\r\nok"))
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }
}
