import NIOConcurrencyHelpers
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

/// The configuration is replaced while a decision is under way: the new one decides.
@Suite(.timeLimit(.minutes(1))) struct StraddlingTests {
    /// A hook that replaces the configuration when it is called first.
    private final class Replacement: Sendable {
        private let pending = NIOLockedValueBox<(io: IO, configuration: GatewayConfiguration)?>(nil)
        private let calls = NIOLockedValueBox(0)

        var count: Int { self.calls.withLockedValue { $0 } }

        func prepare(_ io: IO, _ change: (inout GatewayConfiguration) -> Void) {
            var configuration = Samples.configuration
            change(&configuration)
            let prepared = configuration
            self.pending.withLockedValue { $0 = (io, prepared) }
        }

        func called() async throws {
            self.calls.withLockedValue { $0 += 1 }
            let pending = self.pending.withLockedValue { pending in
                defer { pending = nil }
                return pending
            }
            guard let pending else { return }
            try await pending.io.reload(pending.configuration)
        }
    }

    /// Logs an editor in, and says whether that went well.
    private func login(
        at node: TestCluster.Node,
        _ mode: GatewayConfiguration.Authentication.Mode
    ) async throws -> Bool {
        do {
            guard mode == .event else {
                _ = try await node.join(user(1, role: "editor"))
                return true
            }
            let client = try await node.join()
            // A client that is refused is disconnected before it is answered.
            let answer = try? await client.call("authenticate", user(1, role: "editor"))
            return answer?["success"] == true
        } catch is TestClient.Refused {
            return false
        }
    }

    /// The role is gone, may not connect, or has other rooms when the login ends.
    @Test(arguments: [GatewayConfiguration.Authentication.Mode.handshake, .event])
    func aLoginEndsWithTheNewRules(_ mode: GatewayConfiguration.Authentication.Mode) async throws {
        let replacement = Replacement()
        var hooks = GatewayHooks()
        hooks.findUser = { claims in
            try await replacement.called()
            return User(id: 1, role: claims["role"]?.stringValue)
        }
        var configuration = Samples.configuration
        configuration.authentication.mode = mode
        try await TestCluster.run(configuration: configuration, hooks: hooks) { cluster in
            let io = cluster[0].io
            replacement.prepare(io) { $0.roles[2].autoJoin = ["writers"] }
            #expect(try await self.login(at: cluster[0], mode))
            let writers = try await io.getSocketsInRoom("writers")
            #expect(writers.count == 1)
            #expect(replacement.count == 2, "The second look is by the new rules")
            replacement.prepare(io) { $0.roles[2].canConnect = false }
            #expect(try await !self.login(at: cluster[0], mode))
            #expect(try await io.getSocketsInRoom(RoomName.role("editor")).isEmpty)
        }
    }

    /// A middleware of the application takes its time after the gateway has let the client in.
    @Test func whoConnectsAfterTheReplacementIsJudgedAgain() async throws {
        let replacement = Replacement()
        try await TestCluster.run { cluster in
            let io = cluster[0].io
            io.server.sockets.use { _ in try await replacement.called() }
            replacement.prepare(io) { $0.roles[1].autoJoin = ["staff"] }
            _ = try await cluster[0].join(user(1, role: "authenticated"))
            #expect(try await io.getSocketsInRoom("staff").count == 1)
            #expect(try await io.getSocketsInRoom("members").isEmpty)
            replacement.prepare(io) { $0.roles.removeAll { $0.type == "editor" } }
            let editor = try await cluster[0].join(user(2, role: "editor"))
            #expect(await editor.packet() == .event("io:disconnect", [["reason": "Invalid credentials"]]))
        }
    }

    /// A client is granted a room or a subscription only by the rules that hold when it gets it.
    @Test func aWishIsGrantedByTheNewRules() async throws {
        let replacement = Replacement()
        var hooks = GatewayHooks()
        hooks.allowJoin = { _, _, _ in
            try await replacement.called()
            return true
        }
        hooks.verifyEntity = { _, _ in
            try await replacement.called()
            return true
        }
        try await TestCluster.run(hooks: hooks) { cluster in
            let io = cluster[0].io
            let member = try await cluster[0].join(user(1, role: "authenticated"))
            replacement.prepare(io) { $0.roles[1].joinPolicy = [] }
            let joined = try await member.call("join-room", "team-1")
            #expect(joined["success"] == false)
            #expect(try await io.getSocketsInRoom("team-1").isEmpty)
            replacement.prepare(io) { $0.roles[1].scopes = Samples.scopes("\(Samples.author).find") }
            let followed = try await member.call("subscribe-entity", ["uid": .string(Samples.article), "id": 5])
            #expect(followed["success"] == false)
            #expect(try await io.getEntityRoomSockets(Samples.article, 5).isEmpty)
        }
    }
}
