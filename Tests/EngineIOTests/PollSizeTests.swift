import NIOCore
import NIOEmbedded
import SocketIOWire
import Testing

@testable import EngineIO

/// How many packets one answer to a poll holds.
@Suite(.timeLimit(.minutes(1))) struct PollSizeTests {
    /// Sends twenty messages, and polls until they are there.
    private func polls(agent: String, _ configure: (inout EngineConfiguration) -> Void = { _ in }) throws -> [Int] {
        let server = EmbeddedServer(configure)
        let channel = try server.connect()
        let fields = "User-Agent: \(agent)\r\n"
        _ = try server.request("GET", "EIO=4&transport=polling", fields: fields, on: channel)
        let session = try #require(server.sessions.first)
        for index in 0..<20 { session.send(text: ByteBuffer(string: "\(index)")) }
        var packets: [String] = []
        var counts: [Int] = []
        while packets.count < 20, counts.count < 20 {
            let query = "EIO=4&transport=polling&sid=\(session.id.secret)"
            let body = try server.request("GET", query, fields: fields, on: channel).body
            let new = String(buffer: body).split(separator: "\u{1E}").map(String.init)
            counts.append(new.count)
            packets += new
        }
        #expect(packets == (0..<20).map { "4\($0)" })
        #expect(session.queuedBytes == 0)
        _ = try? channel.finish(acceptAlreadyClosed: true)
        return counts
    }

    /// python-engineio drops the connection over a seventeenth packet.
    @Test(arguments: ["python-requests/2.32.3", "Python/3.12 aiohttp/3.9.5"])
    func pythonGetsSixteenAtOnce(agent: String) throws {
        #expect(try self.polls(agent: agent) == [16, 4])
    }

    @Test(arguments: ["Mozilla/5.0", "node-XMLHttpRequest", "notpython-requests/2"])
    func othersGetEverything(agent: String) throws {
        #expect(try self.polls(agent: agent) == [20])
    }

    @Test func theNumberCanBeChosen() throws {
        #expect(try self.polls(agent: "Mozilla/5.0") { $0.maxPacketsPerPoll = 7 } == [7, 7, 6])
        #expect(try self.polls(agent: "python-requests/2") { $0.maxPacketsPerPoll = 100 } == [20])
        // At least one, or nothing would ever arrive.
        #expect(try self.polls(agent: "x") { $0.maxPacketsPerPoll = 0 } == Array(repeating: 1, count: 20))
    }

    /// What the client takes only as a whole is not cut, and does not wait for ever.
    @Test func closingWaitsForTheRest() throws {
        let server = EmbeddedServer { $0.maxPacketsPerPoll = 2 }
        let channel = try server.connect()
        _ = try server.request("GET", "EIO=4&transport=polling", on: channel)
        let session = try #require(server.sessions.first)
        for index in 0..<3 { session.send(text: ByteBuffer(string: "\(index)")) }
        session.close()
        let query = "EIO=4&transport=polling&sid=\(session.id.secret)"
        var bodies: [String] = []
        for _ in 0..<3 { bodies.append(try String(buffer: server.request("GET", query, on: channel).body)) }
        #expect(bodies == ["40\u{1E}41", "42", "6\u{1E}1"])
        #expect(server.delegate.closed == ["forced close"])
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }
}
