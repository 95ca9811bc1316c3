import NIOCore
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

/// Clients that come back are authenticated again.
@Suite(.timeLimit(.minutes(1))) struct RecoveryTests {
    private static var server: SocketServerConfiguration {
        var configuration = SocketServerConfiguration()
        configuration.connectionStateRecovery = ConnectionStateRecovery(skipMiddlewares: false)
        return configuration
    }

    private struct Answer {
        let sid: String
        let pid: String
    }

    /// Connects with these credentials, perhaps coming back, and reads up to the answer.
    private func connect(
        _ client: TestClient,
        _ auth: JSONValue,
        back: Answer? = nil
    ) async throws -> (answer: Answer?, before: [String]) {
        var members = try #require(auth.objectValue)
        if let back { members["pid"] = .string(back.pid) }
        try await client.send("40\(JSONValue.object(members))")
        var before: [String] = []
        while let text = await client.nextText() {
            guard !text.hasPrefix("44") else { return (nil, before) }
            guard text.hasPrefix("40") else {
                before.append(text)
                continue
            }
            let json = try JSONValue(parsing: ByteBuffer(string: String(text.dropFirst(2))))
            let sid = try #require(json["sid"]?.stringValue)
            return (Answer(sid: sid, pid: try #require(json["pid"]?.stringValue)), before)
        }
        throw Unexpected()
    }

    private struct Unexpected: Error {}

    /// Who is still the same goes on; somebody else, or the same with another role, is a new client and gets nothing of
    /// what was meant for the former; who may not connect any more is refused.
    @Test(
        arguments: [
            (user(1, role: "editor"), true), (user(2, role: "editor"), false), (user(1, role: "authenticated"), false),
            (apiToken("Full"), false), (["token": "x"], nil),
        ] as [(JSONValue, Bool?)]
    )
    func clientIsWhoItIsNow(_ auth: JSONValue, _ goesOn: Bool?) async throws {
        let left = Recorder<Void>()
        try await TestCluster.run(server: Self.server) { cluster in
            let main = cluster[0].io.server.sockets
            main.onDisconnect { _, _ in left.record(()) }
            let client = try await TestClient.connect(to: cluster[0].address)
            let (answer, _) = try await self.connect(client, user(1, role: "editor"))
            let first = try #require(answer)
            await client.close()
            _ = await left.next()
            main.to(RoomName.user(1)).emit("for-the-user", 7)
            let again = try await TestClient.connect(to: cluster[0].address)
            let (second, before) = try await self.connect(again, auth, back: first)
            switch goesOn {
            case true?:
                #expect(second?.sid == first.sid)
                #expect(before.count == 1 && before.first?.hasPrefix("42[\"for-the-user\",7,") == true)
            case false?:
                #expect(second != nil && second?.sid != first.sid && before == [])
            case nil:
                #expect(second == nil && before == [])
            }
        }
    }

    /// What a client has missed was chosen by the rules of that time.
    ///
    /// If those for its role are others now, it is a new
    /// client; if only those for others are, it goes on.
    @Test(arguments: [("editor", false), ("authenticated", true)])
    func whoseRulesHaveChangedIsANewClient(_ role: String, _ goesOn: Bool) async throws {
        let left = Recorder<Void>()
        try await TestCluster.run(server: Self.server) { cluster in
            let io = cluster[0].io
            io.server.sockets.onDisconnect { _, _ in left.record(()) }
            let client = try await TestClient.connect(to: cluster[0].address)
            let (answer, _) = try await self.connect(client, user(1, role: "editor"))
            let first = try #require(answer)
            await client.close()
            _ = await left.next()
            try io.raw(event: "for-writers", rooms: [RoomName.role("editor")], data: 7)
            var configuration = Samples.configuration
            let index = try #require(configuration.roles.firstIndex { $0.type == role })
            configuration.roles[index].scopes = Samples.scopes("\(Samples.author).find")
            try await io.reload(configuration)
            let again = try await TestClient.connect(to: cluster[0].address)
            let (second, before) = try await self.connect(again, user(1, role: "editor"), back: first)
            #expect((second?.sid == first.sid) == goesOn)
            #expect(before.count == (goesOn ? 1 : 0))
        }
    }
}
