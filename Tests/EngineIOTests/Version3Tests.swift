import NIOCore
import NIOEmbedded
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import EngineIO

/// Clients of protocol 3, beyond the transcript.
@Suite(.timeLimit(.minutes(1))) struct Version3Tests {
    private static let query = "EIO=3&transport=polling"
    private static let binaryFields = "Content-Type: application/octet-stream\r\n"

    private func open(_ query: String, on channel: EmbeddedChannel, _ server: EmbeddedServer) throws -> String {
        let answer = try server.request("GET", query, on: channel)
        #expect(answer.head.hasPrefix("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\n"))
        let session = try #require(server.sessions.last)
        #expect(session.protocolVersion == 3)
        return "\(query)&sid=\(session.id.secret)"
    }

    @Test func binaryPayloadsGoBothWays() throws {
        let server = EmbeddedServer { $0.allowEIO3 = true }
        let channel = try server.connect()
        let query = try self.open(Self.query, on: channel, server)
        // "4hé" as text, then the bytes 1 to 3.
        let body: [UInt8] = [0, 4, 255] + Array("4hé".utf8) + [1, 4, 255, 4, 1, 2, 3]
        let posted = try server.request("POST", query, body: body, fields: Self.binaryFields, on: channel)
        #expect(String(buffer: posted.body) == "ok")
        #expect(server.delegate.messages == ["hé"])
        let polled = try server.request("GET", query, on: channel)
        #expect(polled.head.contains("\r\nContent-Type: application/octet-stream\r\n"))
        #expect(Array(polled.body.readableBytesView) == body)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test func textOnlyClientsGetBase64() throws {
        let server = EmbeddedServer { $0.allowEIO3 = true }
        let channel = try server.connect()
        let query = try self.open(Self.query + "&b64=1", on: channel, server)
        let body = Array("6:b4AQID4:4a😀".utf8)
        #expect(try String(buffer: server.request("POST", query, body: body, on: channel).body) == "ok")
        let polled = try server.request("GET", query, on: channel)
        #expect(polled.head.contains("\r\nContent-Type: text/plain; charset=UTF-8\r\n"))
        #expect(String(buffer: polled.body) == "6:b4AQID4:4a😀")
        let webSocket = try server.webSocket(query: "EIO=3&transport=websocket&b64=1")
        server.send(.text, Array("b4AQID".utf8), to: webSocket)
        server.send(.binary, [4, 9], to: webSocket)
        #expect(try server.frames(of: webSocket) == [.text("b4AQID"), .text("b4CQ==")])
        for channel in [channel, webSocket] { _ = try? channel.finish(acceptAlreadyClosed: true) }
    }

    /// JSON-P cannot carry bytes.
    @Test func callbacksGetBase64() throws {
        let server = EmbeddedServer { $0.allowEIO3 = true }
        let channel = try server.connect()
        let query = try self.open(Self.query + "&j=0", on: channel, server)
        try #require(server.sessions.first).send(binary: ByteBuffer(bytes: [1, 2, 3]))
        #expect(try String(buffer: server.request("GET", query, on: channel).body) == #"___eio[0]("6:b4AQID");"#)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test func malformedPayloadsEndTheSession() throws {
        let server = EmbeddedServer { $0.allowEIO3 = true }
        for (body, fields) in [
            ("6:4hello7:4abc", ""), ("x", ""), ("99999999999:4", ""), ("4hello", ""), (":4", ""),
            ("\u{2}", Self.binaryFields),
        ] {
            let channel = try server.connect()
            let query = try self.open(Self.query, on: channel, server)
            _ = try server.request("POST", query, body: Array(body.utf8), fields: fields, on: channel)
            #expect(server.delegate.closed.last == "parse error", "\(body)")
            _ = try? channel.finish(acceptAlreadyClosed: true)
        }
        #expect(server.server.sessionCount == 0)
        // What came before the error has been delivered.
        #expect(server.delegate.messages == ["hello"])
    }

    @Test func clientsPing() throws {
        let server = EmbeddedServer { $0.allowEIO3 = true }
        let channel = try server.connect()
        let query = try self.open(Self.query, on: channel, server)
        let webSocket = try server.webSocket(query: "EIO=3&transport=websocket")
        for _ in 0..<3 {
            server.loop.advanceTime(by: .seconds(40))
            _ = try server.request("POST", query, body: Array("1:2".utf8), on: channel)
            #expect(try String(buffer: server.request("GET", query, on: channel).body) == "1:3")
            server.send("2", to: webSocket)
            #expect(try server.frames(of: webSocket) == [.text("3")])
        }
        // No ping comes from the server, and who sends none is given up.
        server.loop.advanceTime(by: .milliseconds(44_900))
        #expect(try server.frames(of: webSocket).isEmpty)
        #expect(server.delegate.closed.isEmpty)
        server.loop.advanceTime(by: .milliseconds(200))
        #expect(server.delegate.closed == ["ping timeout", "ping timeout"])
        for channel in [channel, webSocket] { _ = try? channel.finish(acceptAlreadyClosed: true) }
    }

    @Test func pongsAreForTheServer() throws {
        let server = EmbeddedServer { $0.allowEIO3 = true }
        let webSocket = try server.webSocket(query: "EIO=3&transport=websocket")
        server.send("3", to: webSocket)
        #expect(server.delegate.closed == ["transport error"])
        _ = try? webSocket.finish(acceptAlreadyClosed: true)
    }

    @Test func sessionsUpgrade() throws {
        let server = EmbeddedServer { $0.allowEIO3 = true }
        let channel = try server.connect()
        let query = try self.open(Self.query, on: channel, server)
        try #require(server.sessions.first).send(binary: ByteBuffer(bytes: [7]))
        let id = try #require(server.sessions.first).id
        let probe = try server.webSocket(query: "EIO=3&transport=websocket&sid=\(id.secret)")
        server.send("2probe", to: probe)
        #expect(try server.frames(of: probe) == [.text("3probe")])
        server.send("5", to: probe)
        #expect(try server.frames(of: probe) == [RawConnection.Frame(opcode: .binary, payload: [4, 7])])
        #expect(try server.request("GET", query, on: channel).head.hasPrefix("HTTP/1.1 400 "))
        // A held poll is let go in the client's language.
        let other = try server.connect()
        let otherQuery = try self.open(Self.query, on: other, server)
        #expect(try server.request("GET", otherQuery, on: other).head.isEmpty)
        let otherProbe = try server.webSocket(query: otherQuery.replacing("polling", with: "websocket"))
        server.send("2probe", to: otherProbe)
        server.loop.advanceTime(by: .milliseconds(150))
        #expect(String(buffer: server.output(of: other)).hasSuffix("\r\n\r\n1:6"))
        for channel in [channel, probe, other, otherProbe] { _ = try? channel.finish(acceptAlreadyClosed: true) }
    }

    @Test func protocol4StaysAsItIs() throws {
        let server = EmbeddedServer { $0.allowEIO3 = true }
        let channel = try server.connect()
        _ = try server.request("GET", "EIO=4&transport=polling", on: channel)
        let session = try #require(server.sessions.first)
        #expect(session.protocolVersion == 4)
        let query = "EIO=4&transport=polling&sid=\(session.id.secret)"
        session.send(binary: ByteBuffer(bytes: [1, 2, 3]))
        #expect(try String(buffer: server.request("GET", query, on: channel).body) == "bAQID")
        let answer = try server.request("POST", query, body: [1], fields: Self.binaryFields, on: channel)
        #expect(answer.head.hasPrefix("HTTP/1.1 400 "))
        #expect(server.delegate.closed == ["transport error"])
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }
}
