import NIOCore
import NIOEmbedded
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import EngineIO

/// Connections that break in the middle of a call, and clients that don't read their answers.
@Suite(.timeLimit(.minutes(1))) struct BrokenConnectionTests {
    /// Breaks the connection as soon as something is written.
    private final class Breaking: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            promise?.fail(ChannelError.ioOnClosedChannel)
            context.close(promise: nil)
        }
    }

    /// Takes what is written, and never says that it has left.
    private final class Stuck: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        private var promises: [EventLoopPromise<Void>] = []

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            if let promise { self.promises.append(promise) }
        }

        func handlerRemoved(context: ChannelHandlerContext) {
            for promise in self.promises { promise.fail(ChannelError.ioOnClosedChannel) }
        }
    }

    private static func message(_ count: Int) -> EncodedPacket {
        EncodedPacket(.message, data: ByteBuffer(repeating: UInt8(ascii: "x"), count: count))
    }

    @Test func aSessionWhoseConnectionBreaksWhileItEndsEndsOnce() throws {
        let server = EmbeddedServer()
        let channel = try server.webSocket()
        try channel.pipeline.syncOperations.addHandler(Breaking(), position: .first)
        var bytes = ByteBuffer()
        bytes.writeMaskedWebSocketFrame(.text, payload: ByteBuffer(string: "4x"), mask: WebSocketMask(1))
        bytes.writeMaskedWebSocketFrame(.close, payload: ByteBuffer(), mask: WebSocketMask(1))
        try channel.writeInbound(bytes)
        server.loop.run()
        #expect(server.delegate.messages == ["x"])
        #expect(server.delegate.closed == ["transport close"])
        #expect(server.server.sessionCount == 0)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test func aPollBringsNoMoreThanAMegabyte() throws {
        let server = EmbeddedServer()
        let channel = try server.connect()
        _ = try server.request("GET", "EIO=4&transport=polling", on: channel)
        let session = try #require(server.sessions.first)
        for _ in 0..<3 { session.send(Self.message(500_000)) }
        session.send(Self.message(2_000_000))
        session.send(Self.message(3))
        let query = "EIO=4&transport=polling&sid=\(session.id.secret)"
        var lengths: [Int] = []
        for _ in 0..<4 { lengths.append(try server.request("GET", query, on: channel).body.readableBytes) }
        // What is longer than that comes alone.
        #expect(lengths == [1_000_003, 500_001, 2_000_001, 4])
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test func longAnswersAreNotCompressed() throws {
        let server = EmbeddedServer()
        let channel = try server.connect()
        _ = try server.request("GET", "EIO=4&transport=polling", on: channel)
        let session = try #require(server.sessions.first)
        let query = "EIO=4&transport=polling&sid=\(session.id.secret)"
        for (length, isCompressed) in [(262_143, true), (262_144, false)] {
            session.send(Self.message(length))
            let answer = try server.request("GET", query, fields: "Accept-Encoding: gzip\r\n", on: channel)
            #expect(answer.head.contains("Content-Encoding: gzip") == isCompressed)
        }
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// Each answer would be a copy of what waits, on a connection of its own.
    @Test func aClientThatReadsNoAnswersIsCutOff() throws {
        let server = EmbeddedServer()
        let first = try server.connect()
        _ = try server.request("GET", "EIO=4&transport=polling", on: first)
        let session = try #require(server.sessions.first)
        let query = "EIO=4&transport=polling&sid=\(session.id.secret)"
        var channels = [first]
        for number in 1...5 {
            #expect(session.state == .open, "answer \(number)")
            session.send(Self.message(100_000))
            let channel = try server.connect()
            try channel.pipeline.syncOperations.addHandler(Stuck(), position: .first)
            _ = try server.request("GET", query, on: channel)
            channels.append(channel)
        }
        #expect(session.state == .closed)
        #expect(server.delegate.closed == ["transport error"])
        for channel in channels { _ = try? channel.finish(acceptAlreadyClosed: true) }
    }
}
