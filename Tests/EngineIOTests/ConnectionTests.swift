import Foundation
import Logging
import MetricsTestKit
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import EngineIO

/// Connections over TCP, beyond what the transcripts cover.
@Suite(.timeLimit(.minutes(1))) struct ConnectionTests {
    private static let poll = "GET /engine.io/?EIO=4&transport=polling"

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        try await EchoServer.run { server in
            let id = try await server.handshake()
            let connection = try await server.connect()
            let target = "/engine.io/?EIO=4&transport=polling&sid=\(id)"
            var requests = ""
            for index in 0..<3 {
                requests += "POST \(target) HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n4m\(index)"
                requests += "GET \(target) HTTP/1.1\r\nHost: x\r\n\r\n"
                requests += "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
            }
            try await connection.send(requests)
            for index in 0..<3 {
                #expect(try await connection.response().text == "ok")
                #expect(try await connection.response().text == "4m\(index)")
                #expect(try await connection.response().status == "HTTP/1.1 404 Not Found")
            }
            await connection.close()
        }
    }

    @Test func anyRequestOfAConnectionMayBecomeAWebSocket() async throws {
        try await EchoServer.run { server in
            let connection = try await server.connect()
            for _ in 0..<3 {
                try await connection.send("\(Self.poll) HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try await connection.response().status == "HTTP/1.1 200 OK")
            }
            // The first frame comes in the same segment as the request.
            var bytes = ByteBuffer(string: EchoServer.upgrade())
            bytes.writeMaskedWebSocketFrame(.text, payload: ByteBuffer(string: "4early"), mask: WebSocketMask(99))
            try await connection.send(bytes)
            #expect(try await connection.response().status == "HTTP/1.1 101 Switching Protocols")
            #expect(try await connection.frame().text.hasPrefix("0{"))
            #expect(try await connection.frame() == .text("4early"))
            await connection.close()
        }
    }

    @Test func sessionsKeepTheirLoopWhenTheyUpgrade() async throws {
        try await EchoServer.run { server in
            // One of the loops is the session's; the connections go round both.
            for index in 0..<8 {
                let id = try await server.handshake()
                if index % 2 == 1 { try await server.connect().close() }
                let connection = try await server.connect()
                var bytes = ByteBuffer(string: EchoServer.upgrade("&sid=\(id)"))
                for text in ["2probe", "5", "4a", "4b"] {
                    bytes.writeMaskedWebSocketFrame(.text, payload: ByteBuffer(string: text), mask: WebSocketMask(7))
                }
                try await connection.send(bytes)
                #expect(try await connection.response().status == "HTTP/1.1 101 Switching Protocols")
                for text in ["3probe", "4a", "4b"] { #expect(try await connection.frame() == .text(text)) }
                try await connection.send(frame: "4c")
                #expect(try await connection.frame() == .text("4c"))
                await connection.close()
                try await server.wait(for: id) { _ in false }
            }
            #expect(server.events == Array(repeating: .close("transport close", description: nil), count: 8))
        }
    }

    @Test func bytesMayComeInAnyPieces() async throws {
        try await EchoServer.run { server in
            var bytes = ByteBuffer(string: "\(Self.poll) HTTP/1.1\r\nHost: x\r\n\r\n" + EchoServer.upgrade())
            let frames: [(WebSocketOpcode, [UInt8])] = [
                (.text, Array("4hé€😀".utf8)), (.ping, [1]), (.binary, [0, 255, 3]),
                (.text, Array("4".utf8) + Array(repeating: 0x78, count: 200)),
            ]
            for (opcode, payload) in frames {
                bytes.writeMaskedWebSocketFrame(
                    opcode,
                    payload: ByteBuffer(bytes: payload),
                    mask: WebSocketMask(0xA1B2_C3D4)
                )
            }
            let count = bytes.readableBytes
            for split in stride(from: 1, to: count, by: 7) {
                let connection = try await server.connect()
                var rest = bytes
                let head = rest.readSlice(length: split) ?? ByteBuffer()
                try await connection.send(head)
                try await server.wait { true }
                try await connection.send(rest)
                #expect(try await connection.response().status == "HTTP/1.1 200 OK")
                #expect(try await connection.response().status == "HTTP/1.1 101 Switching Protocols")
                #expect(try await connection.frame().text.hasPrefix("0{"))
                var received: [RawConnection.Frame] = []
                for _ in frames { received.append(try await connection.frame()) }
                #expect(received.contains(RawConnection.Frame(opcode: .pong, payload: [1])), "\(split)")
                let messages = received.filter { $0.opcode != .pong }
                #expect(messages.map(\.payload) == frames.filter { $0.0 != .ping }.map(\.1), "\(split)")
                await connection.close()
            }
        }
    }

    @Test func aSlowReaderIsCutOff() async throws {
        var configuration = EngineConfiguration()
        configuration.limits.maxQueuedBytes = 1_000_000
        try await EchoServer.run(configuration) { server in
            let connection = try await server.webSocket()
            let id = try #require(try await connection.frame().text.sessionID)
            try await connection.setReading(false)
            let packet = EncodedPacket(.message, data: ByteBuffer(repeating: 0x78, count: 100_000))
            // More than the kernel's buffers hold: each tick's packet waits as soon as the channel takes no more.
            let peak = NIOLockedValueBox(0)
            try await server.wait(for: id) { session in
                session.send(packet)
                let queued = session.queuedBytes
                peak.withLockedValue { $0 = max($0, queued) }
                return session.state == .closed
            }
            #expect(server.events == [.close("transport error", description: "slow reader")])
            #expect(peak.withLockedValue { $0 } < 1_400_000)
            await connection.close()
        }
    }

    @Test func volatilePacketsAreDroppedWhileBytesWait() async throws {
        try await EchoServer.run { server in
            let id = try await server.handshake()
            try await server.wait(for: id) { session in
                let limit = session.queuedBytes
                #expect(limit == 0)
                session.send(EncodedPacket(.message, data: ByteBuffer(string: "first")))
                // The second of a tick is not dropped, other than by the reference implementation.
                session.send(EncodedPacket(.message, data: ByteBuffer(string: "second")), volatile: true)
                session.send(EncodedPacket(.message, data: ByteBuffer(repeating: 0x78, count: 20_000)))
                session.send(EncodedPacket(.message, data: ByteBuffer(string: "third")), volatile: true)
                return true
            }
            let connection = try await server.connect()
            try await connection.send("\(Self.poll)&sid=\(id) HTTP/1.1\r\nHost: x\r\n\r\n")
            let parts = try await connection.response().text.split(separator: "\u{1E}")
            #expect(parts.count == 3)
            #expect(parts.prefix(2) == ["4first", "4second"])
            await connection.close()
        }
    }

    @Test func packetsOfATickShareOneWrite() async throws {
        try await EchoServer.run { server in
            let connection = try await server.webSocket()
            let id = try #require(try await connection.frame().text.sessionID)
            try await server.wait(for: id) { session in
                for index in 0..<100 { session.send(text: ByteBuffer(string: "\(index)")) }
                session.send(text: ByteBuffer(repeating: 0x79, count: 40_000))
                session.send(text: ByteBuffer(string: "last"))
                return true
            }
            for index in 0..<100 { #expect(try await connection.frame() == .text("4\(index)")) }
            #expect(try await connection.frame().payload.count == 40_001)
            #expect(try await connection.frame() == .text("4last"))
            await connection.close()
        }
    }

    @Test func bigMessagesArriveWhole() async throws {
        try await EchoServer.run { server in
            let connection = try await server.webSocket()
            _ = try await connection.frame()
            let payload = [0x34] + (0..<999_999).map { UInt8(0x61 + $0 % 26) }
            for _ in 0..<3 {
                try await connection.send(.text, payload)
                #expect(try await connection.frame().payload == payload)
            }
            await connection.close()
        }
    }

    @Test func textOnlyClientsGetBase64() async throws {
        try await EchoServer.run { server in
            let connection = try await server.webSocket("&b64=1")
            _ = try await connection.frame()
            try await connection.send(.binary, [1, 2, 3])
            #expect(try await connection.frame() == .text("bAQID"))
            await connection.close()
        }
    }

    @Test func pausedSessionsReadNothing() async throws {
        try await EchoServer.run { server in
            let connection = try await server.webSocket()
            let id = try #require(try await connection.frame().text.sessionID)
            try await server.wait(for: id) { session in
                session.pauseReading()
                return true
            }
            try await connection.send(frame: "4later")
            try await server.wait { true }
            #expect(connection.pending.isEmpty)
            try await server.wait(for: id) { session in
                session.resumeReading()
                return true
            }
            #expect(try await connection.frame() == .text("4later"))
            await connection.close()
        }
    }

    @Test func rejectsAsynchronously() async throws {
        var configuration = EngineConfiguration()
        configuration.allowRequest = { request in
            #expect(request.method == "GET")
            #expect(request.remoteAddress == "127.0.0.1")
            #expect(request.query.first { $0.name == "transport" } != nil)
            return request.header("X-Token") == "good" ? .accept : .refuse("no token")
        }
        configuration.initialHeaders = { fields, request in
            fields.append(HTTPField("X-Initial", "yes\r\nX-Injected: 1"))
            fields.append(HTTPField("X-First", request.target))
        }
        configuration.headers = { fields, _ in fields.append(HTTPField("X-All", "1")) }
        try await EchoServer.run(configuration) { server in
            let connection = try await server.connect()
            try await connection.send("\(Self.poll) HTTP/1.1\r\nHost: x\r\n\r\n")
            let refused = try await connection.response()
            #expect(refused.text == #"{"code":4,"message":"no token"}"#)
            #expect(!refused.head.contains("X-All"))
            try await connection.send("\(Self.poll) HTTP/1.1\r\nHost: x\r\nx-tOKEN: good\r\n\r\n")
            let accepted = try await connection.response()
            #expect(accepted.head.contains("X-First: /engine.io/?EIO=4&transport=polling\r\nX-All: 1\r\nDate: "))
            #expect(!accepted.head.contains("X-Injected"))
            let id = try #require(accepted.text.sessionID)
            try await connection.send("\(Self.poll)&sid=\(id) HTTP/1.1\r\nHost: x\r\n\r\n")
            try await server.wait(for: id) { session in
                session.send(text: ByteBuffer(string: "x"))
                return true
            }
            let polled = try await connection.response()
            #expect(polled.head.contains("X-All: 1") && !polled.head.contains("X-First"))
            await connection.close()
        }
    }

    @Test func foreignPathsAreRouted() async throws {
        var configuration = EngineConfiguration()
        configuration.routes = { method, target in
            target == "/healthz" ? .text("fine", status: method == "GET" ? 200 : 405) : nil
        }
        try await EchoServer.run(configuration) { server in
            let connection = try await server.connect()
            try await connection.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await connection.response().text == "fine")
            try await connection.send("HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await connection.response(isHead: true).status == "HTTP/1.1 405 Method Not Allowed")
            // A client that offers HTTP/2 gets its answer, and the connection goes on.
            try await connection.send(
                "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
                    + "GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
            )
            #expect(try await connection.response().text == "fine")
            #expect(try await connection.response().status == "HTTP/1.1 404 Not Found")
            await connection.close()
        }
    }

    @Test func laterUpgradesFindTheServerClosed() async throws {
        try await EchoServer.run { server in
            let connection = try await server.connect()
            try await connection.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            _ = try await connection.response()
            await server.server.closeSessions()
            try await connection.send(EchoServer.upgrade())
            #expect(try await connection.response().status == "HTTP/1.1 503 Service Unavailable")
            #expect(try await connection.end().isEmpty)
        }
    }

    @Test func closingEndsEverything() async throws {
        let server = try await EchoServer()
        let idle = try await server.connect()
        try await idle.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        _ = try await idle.response()
        let webSocket = try await server.webSocket()
        _ = try await webSocket.frame()
        await server.server.close()
        #expect(server.server.sessionCount == 0)
        #expect(server.events == [.close("forced close", description: nil)])
        #expect(try await idle.end().isEmpty)
        #expect(try await webSocket.frame().opcode == .close)
        await webSocket.close()
        await #expect(throws: (any Error).self) { try await server.connect() }
    }

    @Test func metricsCountWhatWaits() async throws {
        let metrics = TestMetrics()
        let server = EngineServer(
            eventLoopGroup: EchoServer.group,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            metricsFactory: metrics
        ) { session in
            session.send(text: ByteBuffer(string: "waits"))
            return EchoAgain()
        }
        func waitingBytes() async throws -> Double {
            for loop in server.loops { try await loop.eventLoop.submit { loop.reportCounts() }.get() }
            return try metrics.expectMeter("socketio_send_queue_bytes").lastValue ?? 0
        }
        let address = try await server.listen(host: "127.0.0.1", port: 0)
        let connection = try await RawConnection(address)
        try await connection.send("\(Self.poll) HTTP/1.1\r\nHost: x\r\n\r\n")
        let id = try #require(try await connection.response().text.sessionID)
        #expect(try await waitingBytes() == 8)
        try await connection.send("\(Self.poll)&sid=\(id) HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try await connection.response().text == "4waits")
        #expect(try await waitingBytes() == 0)
        await connection.close()
        await server.close()
    }

    @Test func metricsCountTraffic() async throws {
        let metrics = TestMetrics()
        let server = EngineServer(
            eventLoopGroup: EchoServer.group,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            metricsFactory: metrics
        ) { _ in EchoAgain() }
        let address = try await server.listen(host: "127.0.0.1", port: 0)
        let connection = try await RawConnection(address)
        try await connection.send(EchoServer.upgrade())
        _ = try await connection.response()
        _ = try await connection.frame()
        for _ in 0..<3 {
            try await connection.send(frame: "4hello")
            _ = try await connection.frame()
        }
        #expect(try metrics.expectMeter("socketio_connections").lastValue == 1)
        try await connection.send(frame: "7")
        #expect(try await connection.frame().opcode == .close)
        await connection.close()
        await server.close()
        let transport = [("transport", "websocket")]
        #expect(try metrics.expectCounter("socketio_packets_received_total", transport).totalValue == 4)
        #expect(try metrics.expectCounter("socketio_packets_sent_total", transport).totalValue == 4)
        #expect(try metrics.expectCounter("socketio_bytes_received_total", transport).totalValue == 3 * 12 + 7)
        #expect(
            try metrics.expectCounter("socketio_connections_closed_total", [("reason", "parse_error")]).totalValue == 1
        )
        #expect(try metrics.expectCounter("socketio_malformed_input_total", [("reason", "packet")]).totalValue == 1)
        #expect(try metrics.expectMeter("socketio_connections").lastValue == 0)
    }
}

private final class EchoAgain: EngineSessionDelegate {
    func session(_ session: EngineSession, didReceiveText text: ByteBuffer) { session.send(text: text) }
    func session(_ session: EngineSession, didReceiveBinary bytes: ByteBuffer) { session.send(binary: bytes) }
    func sessionDidClose(_ session: EngineSession, reason: CloseReason, description: String?) {}
}
