import NIOCore
import NIOEmbedded
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import EngineIO

/// Peers that mean harm, on channels without a network, with time that the tests move.
@Suite(.timeLimit(.minutes(1))) struct HostileInputTests {
    private static let handshake = ByteBuffer(
        string: "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n\r\n"
    )

    @Test func randomBytesAfterTheUpgrade() throws {
        let fixture = EmbeddedServer()
        var generator = SeededGenerator(seed: 42)
        for _ in 0..<400 {
            let channel = try fixture.webSocket()
            for _ in 0..<4 {
                let count = Int.random(in: 1...200, using: &generator)
                fixture.send(
                    ByteBuffer(bytes: (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }),
                    to: channel
                )
            }
            _ = try? channel.finish(acceptAlreadyClosed: true)
        }
        #expect(fixture.delegate.closed.count == 400)
        #expect(fixture.server.sessionCount == 0)
    }

    @Test func spoiledFrames() throws {
        let fixture = EmbeddedServer()
        var generator = SeededGenerator(seed: 7)
        var valid = ByteBuffer()
        for text in ["4hello", "3", "4", "bAQID", "2"] {
            valid.writeMaskedWebSocketFrame(.text, payload: ByteBuffer(string: text), mask: WebSocketMask(0))
        }
        valid.writeMaskedWebSocketFrame(.ping, payload: ByteBuffer(string: "x"), mask: WebSocketMask(0))
        for index in 0..<valid.readableBytes {
            for _ in 0..<8 {
                let channel = try fixture.webSocket()
                var bytes = valid
                bytes.setInteger(UInt8.random(in: 0...255, using: &generator), at: index)
                fixture.send(bytes, to: channel)
                _ = try? channel.finish(acceptAlreadyClosed: true)
            }
        }
        #expect(fixture.server.sessionCount == 0)
    }

    /// The first frames of a WebSocket that wants to take over a polling session (CVE-2022-21676).
    @Test func spoiledFramesOnAProbe() throws {
        let fixture = EmbeddedServer()
        let poller = try fixture.connect()
        _ = try fixture.request("GET", "EIO=4&transport=polling", on: poller)
        let session = try #require(fixture.sessions.first)
        var valid = ByteBuffer()
        for text in ["2probe", "2probe"] {
            valid.writeMaskedWebSocketFrame(.text, payload: ByteBuffer(string: text), mask: WebSocketMask(0))
        }
        var generator = SeededGenerator(seed: 21)
        for index in 0..<valid.readableBytes {
            for round in 0..<8 {
                let probe = try fixture.webSocket(query: "EIO=4&transport=websocket&sid=\(session.id.secret)")
                var bytes = valid
                let value = UInt8.random(in: 0...255, using: &generator)
                // Those that were the trouble: each reserved bit, right at the beginning.
                bytes.setInteger(index == 0 && round < 3 ? 0x81 | 0x10 << UInt8(round) : value, at: index)
                fixture.send(bytes, to: probe)
                _ = try? probe.finish(acceptAlreadyClosed: true)
            }
        }
        // The session goes on where it was.
        #expect(session.state == .open && session.transport == .polling)
        _ = try? poller.finish(acceptAlreadyClosed: true)
    }

    /// Names that mean something elsewhere (CVE-2023-31125).
    @Test(arguments: [
        "__proto__", "constructor", "toString", "", "polling2", "POLLING", "websocket%00", "%70olling%20",
    ])
    func oddTransportsAreRefused(name: String) throws {
        let fixture = EmbeddedServer()
        let channel = try fixture.connect()
        for query in ["EIO=4&transport=\(name)", "EIO=4&transport=polling&transport=\(name)"] {
            let answer = try fixture.request("GET", query, on: channel)
            #expect(answer.head.hasPrefix("HTTP/1.1 400 "))
            #expect(String(buffer: answer.body) == #"{"code":0,"message":"Transport unknown"}"#)
            let upgrade = try fixture.connect()
            let text = EchoServer.upgrade().replacing("EIO=4&transport=websocket", with: query)
            #expect(try fixture.exchange(text, on: upgrade).hasSuffix("\r\n\r\nTransport unknown"))
            #expect(!upgrade.isActive)
        }
        #expect(fixture.server.sessionCount == 0)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// Not when they have arrived (CVE-2020-36048).
    @Test func bodiesAreLimitedAsTheyArrive() throws {
        let fixture = EmbeddedServer()
        let opener = try fixture.connect()
        _ = try fixture.request("GET", "EIO=4&transport=polling", on: opener)
        let session = try #require(fixture.sessions.first)
        let channel = try fixture.connect()
        let head = "POST /engine.io/?EIO=4&transport=polling&sid=\(session.id.secret) HTTP/1.1\r\nHost: x\r\n"
        #expect(try fixture.exchange("\(head)Transfer-Encoding: chunked\r\n\r\n", on: channel).isEmpty)
        let chunk = "186a0\r\n4\(String(repeating: "x", count: 99_999))\r\n"
        for _ in 0..<10 { #expect(try fixture.exchange(chunk, on: channel).isEmpty) }
        #expect(try fixture.exchange(chunk, on: channel).hasPrefix("HTTP/1.1 413 "))
        #expect(fixture.delegate.messages.isEmpty)
        #expect(session.state == .open)
        // What goes on for ever is not read for ever.
        for _ in 0..<30 where channel.isActive { _ = try? fixture.exchange(chunk, on: channel) }
        #expect(!channel.isActive)
        _ = try? opener.finish(acceptAlreadyClosed: true)
    }

    /// As long as a head may be (CVE-2021-32640).
    @Test(arguments: ["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Upgrade", "Connection", "Accept-Encoding"])
    func longListsInHeadersAreHarmless(name: String) throws {
        let fixture = EmbeddedServer { $0.perMessageDeflate = PerMessageDeflate() }
        for value in [",", " ,", "a,", "a ,\t", "a;", "a=\"\\", "a" + String(repeating: " ", count: 100)] {
            let list = String(repeating: value, count: 60_000 / value.utf8.count)
            let channel = try fixture.connect()
            let upgrade = EchoServer.upgrade().replacing("Host: x\r\n", with: "Host: x\r\n\(name): \(list)b\r\n")
            let answer = try fixture.exchange(upgrade, on: channel)
            #expect(answer.hasPrefix("HTTP/1.1 "), "\(name): \(value)")
            let poller = try fixture.connect()
            let polled = try fixture.request(
                "GET",
                "EIO=4&transport=polling",
                fields: "\(name): \(list)\r\n",
                on: poller
            )
            #expect(polled.head.hasPrefix("HTTP/1.1 "), "\(name): \(value)")
            for channel in [channel, poller] { _ = try? channel.finish(acceptAlreadyClosed: true) }
        }
    }

    @Test func randomBytesInsteadOfHTTP() throws {
        let fixture = EmbeddedServer()
        var generator = SeededGenerator(seed: 1)
        let pieces = [
            "GET ", "POST ", "/engine.io/?EIO=4&transport=polling", "&sid=", " HTTP/1.1\r\n", "Host: x\r\n", "\r\n",
            "Content-Length: 5\r\n", "Content-Length: -1\r\n", "Transfer-Encoding: chunked\r\n",
            "Upgrade: websocket\r\n",
            "Connection: Upgrade\r\n", "4hello", "\u{0}", "5\r\n4abcd\r\n0\r\n\r\n",
            "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
            "FFFFFFFFFFFFFFFFF\r\n", "Expect: 100-continue\r\n", "transport=websocket", "HTTP/1.0\r\n", "%",
        ]
        for _ in 0..<2000 {
            let channel = try fixture.connect()
            for _ in 0..<Int.random(in: 1...24, using: &generator) {
                let piece = pieces[Int.random(in: 0..<pieces.count, using: &generator)]
                fixture.send(ByteBuffer(string: piece), to: channel)
            }
            _ = try? channel.finish(acceptAlreadyClosed: true)
            fixture.loop.run()
        }
    }

    /// Answers that nobody reads would wait in memory, however many.
    @Test func requestsAreNotReadWhileAnswersWait() throws {
        let fixture = EmbeddedServer()
        let channel = try fixture.connect()
        let reads = ReadCounter()
        try channel.pipeline.syncOperations.addHandler(reads, position: .first)
        channel.read()
        #expect(reads.count == 1)
        channel.isWritable = false
        channel.pipeline.fireChannelWritabilityChanged()
        channel.read()
        #expect(reads.count == 1)
        channel.isWritable = true
        channel.pipeline.fireChannelWritabilityChanged()
        #expect(reads.count == 2)
        channel.pipeline.fireChannelWritabilityChanged()
        #expect(reads.count == 2)

        // A read that was held is not lost when the connection becomes a WebSocket.
        channel.isWritable = false
        channel.pipeline.fireChannelWritabilityChanged()
        channel.read()
        fixture.send(ByteBuffer(string: EchoServer.upgrade()), to: channel)
        #expect(fixture.text(of: channel).hasPrefix("HTTP/1.1 101 "))
        #expect(reads.count == 3)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    private final class ReadCounter: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        var count = 0

        func read(context: ChannelHandlerContext) {
            self.count += 1
            context.read()
        }
    }

    @Test func probesWhoseAnswersNobodyReadsEnd() throws {
        let fixture = EmbeddedServer()
        let polling = try fixture.connect()
        let handshake = ByteBuffer(string: "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n")
        fixture.send(handshake, to: polling)
        let id = try #require(fixture.text(of: polling).sessionID)
        let probe = try fixture.connect()
        fixture.send(ByteBuffer(string: EchoServer.upgrade("&sid=\(id)")), to: probe)
        #expect(fixture.text(of: probe).hasPrefix("HTTP/1.1 101 "))
        fixture.send("2probe", to: probe)
        #expect(fixture.text(of: probe).hasSuffix("3probe"))
        probe.isWritable = false
        probe.pipeline.fireChannelWritabilityChanged()
        fixture.send("2probe", to: probe)
        #expect(!fixture.text(of: probe).contains("3probe"))
        fixture.send("5", to: probe)
        // The session goes on where it was.
        #expect(fixture.server.sessionCount == 1)
        fixture.send(
            ByteBuffer(
                string: "POST /engine.io/?EIO=4&transport=polling&sid=\(id) HTTP/1.1\r\nHost: x\r\n"
                    + "Content-Length: 2\r\n\r\n4a"
            ),
            to: polling
        )
        #expect(fixture.delegate.messages == ["a"])
        for channel in [polling, probe] { _ = try? channel.finish(acceptAlreadyClosed: true) }
    }

    @Test func tinyFragmentsAreLimited() throws {
        var configuration = EngineConfiguration()
        configuration.limits.maxFragments = 100
        let fixture = EmbeddedServer { $0 = configuration }
        let channel = try fixture.webSocket()
        var bytes = ByteBuffer()
        for index in 0..<1000 {
            bytes.writeMaskedWebSocketFrame(
                index == 0 ? .text : .continuation,
                payload: ByteBuffer(string: "4"),
                mask: WebSocketMask(0),
                isFinal: false
            )
        }
        fixture.send(bytes, to: channel)
        #expect(fixture.delegate.closed == ["transport error"])
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test func anAnnouncedLengthReservesNothing() throws {
        let fixture = EmbeddedServer()
        let channel = try fixture.webSocket()
        // 999,999 bytes to come, of which none do.
        fixture.send(ByteBuffer(bytes: [0x82, 0xFF, 0, 0, 0, 0, 0, 0x0F, 0x42, 0x3F, 0, 0, 0, 0]), to: channel)
        #expect(fixture.delegate.closed.isEmpty)
        // One more than allowed.
        let other = try fixture.webSocket()
        fixture.send(ByteBuffer(bytes: [0x82, 0xFF, 0, 0, 0, 0, 0, 0x0F, 0x42, 0x41, 0, 0, 0, 0]), to: other)
        #expect(fixture.delegate.closed == ["transport error"])
        // Negative as a signed number.
        let third = try fixture.webSocket()
        fixture.send(ByteBuffer(bytes: [0x82, 0xFF] + Array(repeating: 0xFF, count: 12)), to: third)
        #expect(fixture.delegate.closed.count == 2)
        for channel in [channel, other, third] { _ = try? channel.finish(acceptAlreadyClosed: true) }
    }

    @Test func floodsOfPongsCostNothing() throws {
        let fixture = EmbeddedServer { $0.limits.maxControlPacketsPerSecond = nil }
        let channel = try fixture.webSocket()
        var bytes = ByteBuffer()
        for _ in 0..<100_000 {
            bytes.writeMaskedWebSocketFrame(.text, payload: ByteBuffer(string: "3"), mask: WebSocketMask(1))
        }
        fixture.send(bytes, to: channel)
        #expect(fixture.text(of: channel).isEmpty)
        fixture.loop.advanceTime(by: .milliseconds(25_020))
        #expect(fixture.text(of: channel) == "\u{81}\u{1}2".latin1)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// Pings and pongs of both kinds, and packets that mean nothing.
    @Test(arguments: [(WebSocketOpcode.ping, "x"), (.pong, "x"), (.text, "3"), (.text, "6"), (.text, "5")])
    func floodsOfControlPacketsEndTheSession(opcode: WebSocketOpcode, payload: String) throws {
        let fixture = EmbeddedServer()
        let channel = try fixture.webSocket()
        func send(_ count: Int) {
            var bytes = ByteBuffer()
            for _ in 0..<count {
                bytes.writeMaskedWebSocketFrame(opcode, payload: ByteBuffer(string: payload), mask: WebSocketMask(1))
            }
            fixture.send(bytes, to: channel)
        }
        // As many in each second are none too many.
        for _ in 0..<3 {
            send(500)
            send(500)
            fixture.loop.advanceTime(by: .seconds(1))
        }
        #expect(fixture.delegate.closed.isEmpty)
        _ = fixture.output(of: channel)
        send(1000)
        #expect(fixture.delegate.closed.isEmpty)
        send(1)
        #expect(fixture.delegate.closed == ["transport error"])
        #expect(try fixture.frames(of: channel).last == RawConnection.Frame(opcode: .close, payload: [0x03, 0xF0]))
        #expect(!channel.isActive)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// Nobody needs what stands in a packet that is no message: it counts as the packets that it could have been.
    @Test func dataInControlPacketsCounts() throws {
        let fixture = EmbeddedServer()
        let channel = try fixture.webSocket()
        let packet = ByteBuffer(string: "6" + String(repeating: "x", count: 500_000))
        var bytes = ByteBuffer()
        for _ in 0..<3 { bytes.writeMaskedWebSocketFrame(.text, payload: packet, mask: WebSocketMask(1)) }
        fixture.send(bytes, to: channel)
        fixture.loop.advanceTime(by: .milliseconds(1))
        #expect(fixture.delegate.closed == ["transport error"])
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test func floodsOfEmptyPollsEndTheSession() throws {
        let fixture = EmbeddedServer()
        let channel = try fixture.connect()
        _ = try fixture.request("GET", "EIO=4&transport=polling", on: channel)
        let query = "EIO=4&transport=polling&sid=\(try #require(fixture.sessions.first).id.secret)"
        let body = Array((0..<1000).map { _ in "6" }.joined(separator: "\u{1E}").utf8)
        #expect(try String(buffer: fixture.request("POST", query, body: body, on: channel).body) == "ok")
        #expect(fixture.delegate.closed.isEmpty)
        _ = try fixture.request("POST", query, body: [0x36], on: channel)
        #expect(fixture.delegate.closed == ["transport error"])
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// Each has its answer, but those that came together cost one write.
    @Test func pingsInARowAreAnsweredTogether() throws {
        let fixture = EmbeddedServer()
        let channel = try fixture.webSocket()
        var bytes = ByteBuffer()
        for index in 0..<100 {
            bytes.writeMaskedWebSocketFrame(.ping, payload: ByteBuffer(string: "\(index)"), mask: WebSocketMask(1))
        }
        bytes.writeMaskedWebSocketFrame(.text, payload: ByteBuffer(string: "4a"), mask: WebSocketMask(1))
        fixture.send(bytes, to: channel)
        var pongs = try #require(try channel.readOutbound(as: ByteBuffer.self))
        for index in 0..<100 {
            let header = try pongs.readWebSocketFrameHeader()
            #expect(header?.opcode == .pong)
            #expect(pongs.readString(length: header?.payloadLength ?? 0) == "\(index)")
        }
        #expect(pongs.readableBytes == 0)
        #expect(try fixture.frames(of: channel) == [.text("4a")])
        // Who does not read them gets none.
        channel.isWritable = false
        channel.pipeline.fireChannelWritabilityChanged()
        fixture.send(.ping, [1], to: channel)
        #expect(try fixture.frames(of: channel).isEmpty)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test func manyHeadersAreRefused() throws {
        let fixture = EmbeddedServer()
        let channel = try fixture.connect()
        var request = "GET /engine.io/ HTTP/1.1\r\nHost: h\r\n"
        for index in 0..<10_000 { request += "X-\(index): 1\r\n" }
        fixture.send(ByteBuffer(string: request), to: channel)
        #expect(fixture.text(of: channel).hasPrefix("HTTP/1.1 4"))
        #expect(!channel.isActive)
    }

    @Test func aHugeHeaderIsRefused() throws {
        let fixture = EmbeddedServer()
        let channel = try fixture.connect()
        fixture.send(
            ByteBuffer(string: "GET / HTTP/1.1\r\nHost: h\r\nX: " + String(repeating: "x", count: 1_000_000)),
            to: channel
        )
        #expect(fixture.text(of: channel).hasPrefix("HTTP/1.1 431 "))
        #expect(!channel.isActive)
    }

    @Test func aThousandRequestsAheadCloseTheConnection() throws {
        let fixture = EmbeddedServer()
        let channel = try fixture.connect()
        fixture.send(Self.handshake, to: channel)
        let opened = fixture.text(of: channel)
        let id = try #require(opened.sessionID)
        let poll = "GET /engine.io/?EIO=4&transport=polling&sid=\(id) HTTP/1.1\r\nHost: h\r\n\r\n"
        fixture.send(ByteBuffer(string: String(repeating: poll, count: 17)), to: channel)
        #expect(channel.isActive)
        fixture.send(ByteBuffer(string: poll), to: channel)
        #expect(!channel.isActive)
        fixture.loop.run()
        #expect(fixture.delegate.closed == ["transport error"])
    }

    @Test func slowHeadsRunOutOfTime() throws {
        let fixture = EmbeddedServer()
        let channel = try fixture.connect()
        for _ in 0..<29 {
            fixture.send(ByteBuffer(string: "G"), to: channel)
            fixture.loop.advanceTime(by: .seconds(1))
        }
        // Nonsense, but not a line yet.
        #expect(!channel.isActive || fixture.text(of: channel).isEmpty)
        fixture.loop.advanceTime(by: .seconds(2))
        #expect(!channel.isActive)
    }

    @Test func slowBodiesRunOutOfTime() throws {
        let fixture = EmbeddedServer()
        let opener = try fixture.connect()
        fixture.send(Self.handshake, to: opener)
        let opened = fixture.text(of: opener)
        let id = try #require(opened.sessionID)
        let target = "/engine.io/?EIO=4&transport=polling&sid=\(id)"
        let channel = try fixture.connect()
        let head = "POST \(target) HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"
        fixture.send(ByteBuffer(string: head), to: channel)
        // A byte now and then keeps it alive, but not for ever.
        var seconds = 0
        while channel.isActive, seconds < 1000 {
            fixture.send(ByteBuffer(string: "4"), to: channel)
            fixture.loop.advanceTime(by: .seconds(10))
            seconds += 10
        }
        #expect((290...320).contains(seconds))
        #expect(fixture.delegate.closed == ["transport error"])
        _ = try? opener.finish(acceptAlreadyClosed: true)
    }

    @Test func idleConnectionsAreClosed() throws {
        let fixture = EmbeddedServer()
        let channel = try fixture.connect()
        fixture.send(ByteBuffer(string: "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"), to: channel)
        #expect(fixture.text(of: channel).hasPrefix("HTTP/1.1 404 "))
        fixture.loop.advanceTime(by: .seconds(74))
        #expect(channel.isActive)
        fixture.loop.advanceTime(by: .seconds(2))
        #expect(!channel.isActive)
    }

    // MARK: Heartbeat, with time

    @Test func silentClientsAreDisconnected() throws {
        let fixture = EmbeddedServer()
        let channel = try fixture.webSocket()
        // Up to a resolution of the timers early, never late: the client counts, too.
        fixture.loop.advanceTime(by: .milliseconds(24_980))
        #expect(fixture.text(of: channel).isEmpty)
        fixture.loop.advanceTime(by: .milliseconds(20))
        #expect(fixture.text(of: channel) == "\u{81}\u{1}2".latin1)
        fixture.loop.advanceTime(by: .milliseconds(19_970))
        #expect(fixture.delegate.closed.isEmpty)
        fixture.loop.advanceTime(by: .milliseconds(30))
        #expect(fixture.delegate.closed == ["ping timeout"])
        // The close frame waits for its answer, but not longer than 30 seconds.
        #expect(channel.isActive)
        fixture.loop.advanceTime(by: .milliseconds(30_020))
        #expect(!channel.isActive)
    }

    @Test func pongsKeepASessionAlive() throws {
        let fixture = EmbeddedServer()
        let channel = try fixture.webSocket()
        for _ in 0..<50 {
            fixture.loop.advanceTime(by: .milliseconds(25_020))
            #expect(fixture.text(of: channel) == "\u{81}\u{1}2".latin1)
            fixture.send("3", to: channel)
        }
        #expect(fixture.delegate.closed.isEmpty)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test func aPongThatNobodyAskedForPutsThePingOff() throws {
        let fixture = EmbeddedServer()
        let channel = try fixture.webSocket()
        fixture.loop.advanceTime(by: .seconds(20))
        fixture.send("3", to: channel)
        fixture.loop.advanceTime(by: .milliseconds(24_980))
        #expect(fixture.text(of: channel).isEmpty)
        fixture.loop.advanceTime(by: .milliseconds(40))
        #expect(fixture.text(of: channel) == "\u{81}\u{1}2".latin1)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test func aBigUploadIsNoSilence() throws {
        let fixture = EmbeddedServer()
        let channel = try fixture.webSocket()
        var frame = ByteBuffer()
        frame.writeMaskedWebSocketFrame(
            .text,
            payload: ByteBuffer(string: "4" + String(repeating: "x", count: 999)),
            mask: WebSocketMask(9)
        )
        // 1,000 bytes in 100 seconds: no pong can come in between.
        while let piece = frame.readSlice(length: min(100, frame.readableBytes)), piece.readableBytes > 0 {
            fixture.loop.advanceTime(by: .seconds(10))
            fixture.send(piece, to: channel)
        }
        #expect(fixture.delegate.closed.isEmpty)
        #expect(fixture.delegate.messages.map(\.count) == [999])
        fixture.loop.advanceTime(by: .seconds(41))
        #expect(fixture.delegate.closed == ["ping timeout"])
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// Who keeps a message going for ever, byte by byte, is given up in the end.
    @Test func aTrickleIsGivenUp() throws {
        let fixture = EmbeddedServer()
        let channel = try fixture.webSocket()
        // The head of a message of 100,000 bytes.
        fixture.send(ByteBuffer(bytes: [0x81, 0xFF, 0, 0, 0, 0, 0, 1, 0x86, 0xA0, 0, 0, 0, 0]), to: channel)
        var seconds: Int64 = 0
        while fixture.delegate.closed.isEmpty, seconds < 3600 {
            fixture.send(ByteBuffer(string: "4"), to: channel)
            fixture.loop.advanceTime(by: .seconds(5))
            seconds += 5
        }
        // The ping interval, the ping timeout, and ten times more.
        #expect((245...250).contains(seconds))
        #expect(fixture.delegate.closed == ["ping timeout"])
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test func anUpgradeKeepsTheDeadline() throws {
        let fixture = EmbeddedServer()
        let opener = try fixture.connect()
        fixture.send(Self.handshake, to: opener)
        let opened = fixture.text(of: opener)
        let id = try #require(opened.sessionID)
        fixture.loop.advanceTime(by: .milliseconds(25_020))
        let channel = try fixture.connect()
        fixture.send(ByteBuffer(string: EchoServer.upgrade("&sid=\(id)")), to: channel)
        fixture.send("2probe", to: channel)
        fixture.send("5", to: channel)
        #expect(fixture.text(of: channel).hasSuffix("3probe" + "\u{81}\u{1}2".latin1))
        // The pong never comes. The reference implementation would wait for ever.
        fixture.loop.advanceTime(by: .milliseconds(20_020))
        #expect(fixture.delegate.closed == ["ping timeout"])
        for channel in [opener, channel] { _ = try? channel.finish(acceptAlreadyClosed: true) }
    }

    @Test func aProbeThatSaysNothingIsClosed() throws {
        let fixture = EmbeddedServer()
        let opener = try fixture.connect()
        fixture.send(Self.handshake, to: opener)
        let opened = fixture.text(of: opener)
        let id = try #require(opened.sessionID)
        let channel = try fixture.connect()
        fixture.send(ByteBuffer(string: EchoServer.upgrade("&sid=\(id)")), to: channel)
        _ = fixture.text(of: channel)
        fixture.loop.advanceTime(by: .milliseconds(9_980))
        #expect(fixture.text(of: channel).isEmpty)
        fixture.loop.advanceTime(by: .milliseconds(40))
        #expect(fixture.text(of: channel) == "\u{88}\u{0}".latin1)
        #expect(fixture.server.sessionCount == 1)
        for channel in [opener, channel] { _ = try? channel.finish(acceptAlreadyClosed: true) }
    }

    @Test func aClosingSessionWaitsForItsClientForAWhile() throws {
        let fixture = EmbeddedServer()
        let opener = try fixture.connect()
        fixture.send(Self.handshake, to: opener)
        let opened = fixture.text(of: opener)
        let id = try #require(opened.sessionID)
        fixture.server.session(try #require(SessionID(id)))?.perform { session in
            session.send(text: ByteBuffer(string: "bye"))
            session.close()
            #expect(session.state == .closing)
            session.send(text: ByteBuffer(string: "too late"))
        }
        fixture.loop.advanceTime(by: .seconds(29))
        #expect(fixture.delegate.closed.isEmpty)
        fixture.loop.advanceTime(by: .milliseconds(1_020))
        #expect(fixture.delegate.closed == ["forced close"])
        #expect(fixture.server.sessionCount == 0)
        _ = try? opener.finish(acceptAlreadyClosed: true)
    }
}

extension String {
    /// The characters as bytes, one each, read as the lossy UTF-8 that tests print.
    fileprivate var latin1: String { String(decoding: self.unicodeScalars.map { UInt8($0.value) }, as: UTF8.self) }
}
