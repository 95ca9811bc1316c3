import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

/// A time that a test sets.
private final class TestTime: Sendable {
    private let value = NIOLockedValueBox(500.0)

    var clock: @Sendable () -> Double { { self.value.withLockedValue { $0 } } }
    func set(_ time: Double) { self.value.withLockedValue { $0 = time } }
}

/// The auth of a user, with further claims.
private func user(_ id: Int, role: String, _ claims: JSONObject) -> JSONValue {
    var all: JSONObject = ["id": .int(id), "role": .string(role)]
    for (name, value) in claims { all[name] = value }
    return ["token": .string(makeToken(.object(all)))]
}

@Suite(.timeLimit(.minutes(1))) struct ExpiryTests {
    @Test func aClientIsToldThatItsTokenEndsAndThenThatItHasEnded() async throws {
        let time = TestTime()
        try await TestCluster.run(clock: time.clock) { cluster in
            let client = try await cluster[0].join(user(1, role: "editor", ["exp": 500.25, "iat": 499.5]))
            time.set(500.125)
            let expiring = try await client.event("auth:expiring")
            #expect(expiring == [["in": 125, "expiresAt": 500_250]])
            time.set(501)
            #expect(await client.packet() == .event("io:disconnect", [["reason": "Token expired"]]))
            #expect(await client.packet() == .disconnected)
        }
    }

    @Test func aClientThatComesLateIsToldAtOnce() async throws {
        try await TestCluster.run { cluster in
            let client = try await cluster[0].join(user(1, role: "editor", ["exp": 510, "iat": 0]))
            #expect(try await client.event("auth:expiring") == [["in": 10_000, "expiresAt": 510_000]])
        }
    }

    private func demoting(_ change: (inout GatewayConfiguration) -> Void = { _ in }) -> GatewayConfiguration {
        var configuration = Samples.configuration
        configuration.authentication.whenExpired = .demote
        change(&configuration)
        return configuration
    }

    @Test func aClientStaysAsOneWithoutCredentialsIfThatIsConfigured() async throws {
        let time = TestTime()
        try await TestCluster.run(configuration: self.demoting(), clock: time.clock) { cluster in
            let client = try await cluster[0].join(user(1, role: "authenticated", ["exp": 500.05, "iat": 500.04]))
            _ = try await client.call("join-room", "team-a")
            time.set(501)
            let permissions = try await client.event("io:permissions")
            #expect(permissions[0]["removed"]?.arrayValue?.contains("api::author.author.find") == true)
            #expect(try await client.event("auth:expired") == [["role": "public"]])
            let socket = try #require(await cluster[0].io.getSocketsInRoom(Room(client.id)).first)
            #expect(socket.rooms.contains("io-role-public"))
            let gone = ["io-role-authenticated", "user:1", "members", "team-a", "io-default"]
            for room in gone { #expect(!socket.rooms.contains(room), "\(room)") }
            #expect(socket.value["userId"]?.isNull ?? true)
            // It gets what everybody gets, and comes back with a newer token of its own.
            let other = try await client.call("auth:refresh", user(2, role: "authenticated", ["exp": 600]))
            #expect(other == ["success": false, "error": "Token belongs to another user"])
            let own = try await client.call("auth:refresh", user(1, role: "authenticated", ["exp": 600]))
            #expect(own == ["success": true, "expiresAt": 600_000, "role": "authenticated"])
            #expect(try await cluster[0].io.getSocketsInRoom("user:1").map(\.id) == [client.id])
        }
    }

    @Test func aClientThatMayNotStayWithoutCredentialsIsDisconnected() async throws {
        let time = TestTime()
        let configuration = self.demoting { $0.security.requireAuthentication = true }
        try await TestCluster.run(configuration: configuration, clock: time.clock) { cluster in
            let client = try await cluster[0].join(user(1, role: "editor", ["exp": 500.05, "iat": 500.04]))
            time.set(501)
            #expect(try await client.event("io:disconnect") == [["reason": "Token expired"]])
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct RefreshTests {
    @Test func aNewerTokenProlongsAndChangesTheRoleWithAllItsRooms() async throws {
        let time = TestTime()
        try await TestCluster.run(nodes: 2, clock: time.clock) { cluster in
            let client = try await cluster[0].join(user(1, role: "authenticated", ["exp": 500.1, "iat": 500.09]))
            _ = try await client.call("join-room", "team-a")
            let answer = try await client.call("auth:refresh", user(1, role: "editor", ["exp": 700, "jti": "new"]))
            #expect(answer == ["success": true, "expiresAt": 700_000, "role": "editor"])
            let socket = try #require(await cluster[1].io.getSocketsInRoom("user:1").first)
            #expect(socket.rooms.contains("io-role-editor"))
            for room in ["io-role-authenticated", "members", "team-a"] {
                #expect(!socket.rooms.contains(room), "\(room)")
            }
            // The end of the first token is not the client's any more.
            time.set(600)
            try cluster[1].io.emit(event: "update", schema: "api::article.article", data: Samples.entry)
            let update = try await client.event("article:update")
            #expect(!"\(update)".contains("PRIVATE"))
        }
    }

    private static let refusals: [(JSONValue?, String)] = [
        (user(2, role: "editor"), "Token belongs to another user"), (apiToken("Full"), "Token belongs to another user"),
        (user(1, role: "editor", expiresAt: 400), "Invalid token."), (["token": "x"], "Invalid token."),
        (["strategy": "api-token", "token": "x"], "Invalid credentials"),
        (["strategy": "other", "token": "x"], "Invalid credentials"),
        (user(1, role: "king"), "Invalid credentials"),
        (user(1, role: "banned"), "Role 'banned' is not allowed to connect to Socket.IO"), (nil, "Invalid payload"),
        (.null, "Invalid payload"), ([:], "Invalid payload"), (["token": ""], "Invalid payload"),
        (["token": 5], "Invalid payload"), ("x", "Invalid payload"), ([1], "Invalid payload"),
    ]

    @Test(arguments: refusals) func otherTokensChangeNothing(_ payload: JSONValue?, _ reason: String) async throws {
        try await TestCluster.run { cluster in
            let client = try await cluster[0].join(user(1, role: "editor"))
            let answer: JSONValue
            if let payload {
                answer = try await client.call("auth:refresh", payload)
            } else {
                answer = try await client.call("auth:refresh")
            }
            #expect(answer == ["success": false, "error": .string(reason)])
            let socket = try #require(await cluster[0].io.getSocketsInRoom("user:1").first)
            #expect(socket.rooms.contains("io-role-editor"))
        }
    }

    @Test func aVisitorDoesNotBecomeAUser() async throws {
        try await TestCluster.run { cluster in
            let client = try await cluster[0].join()
            let answer = try await client.call("auth:refresh", user(1, role: "editor"))
            #expect(answer == ["success": false, "error": "Token belongs to another user"])
        }
    }

    @Test func refreshesAreLimited() async throws {
        var configuration = Samples.configuration
        configuration.limits.changes = RateLimit(perSecond: 1, burst: 2)
        try await TestCluster.run(configuration: configuration) { cluster in
            let client = try await cluster[0].join(user(1, role: "editor"))
            var refused = 0
            for _ in 0..<10 {
                let answer = try await client.call("auth:refresh", user(1, role: "editor"))
                if answer["error"] == "Rate limit exceeded" { refused += 1 }
            }
            #expect(refused > 0)
        }
    }

    @Test func theSameClientsOtherNamespacesFollow() async throws {
        let time = TestTime()
        var configuration = Samples.configuration
        configuration.namespaces = [GatewayNamespace(name: "chat")]
        try await TestCluster.run(configuration: configuration, clock: time.clock) { cluster in
            let client = try await cluster[0].join(user(1, role: "authenticated", ["exp": 600]))
            let id = try await client.join("/chat")
            let answer = try await client.call("auth:refresh", user(1, role: "editor", ["exp": 700]))
            #expect(answer["success"] == true)
            let chat = try #require(cluster[0].io.namespaces["chat"])
            let socketID = try #require(SocketID(id))
            let socket = try #require(await chat.socket(socketID))
            #expect(socket.rooms.contains(RoomName.role("editor")))
            #expect(socket.data["exp"] == 700)
        }
    }

    @Test func whoHasNotAuthenticatedYetHasNothingToRefresh() async throws {
        var configuration = Samples.configuration
        configuration.authentication.mode = .event
        try await TestCluster.run(configuration: configuration) { cluster in
            let client = try await cluster[0].join()
            let refused = try await client.call("auth:refresh", user(1, role: "editor"))
            #expect(refused == ["success": false, "error": "Not authenticated"])
            #expect(try await client.call("authenticate", user(1, role: "editor"))["success"] == true)
            #expect(try await client.call("auth:refresh", user(1, role: "editor"))["success"] == true)
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct RevokingTests {
    private func refusal(_ node: TestCluster.Node, _ auth: JSONValue) async throws -> String? {
        do {
            await (try node.join(auth)).close()
            return nil
        } catch let refused as TestClient.Refused {
            return refused.message
        }
    }

    private func expectCut(_ client: TestClient) async throws {
        #expect(try await client.event("io:disconnect") == [["reason": "Token revoked"]])
        #expect(await client.packet() == .disconnected)
    }

    @Test func oneTokenIsCutOnAllNodesAndStaysOut() async throws {
        try await TestCluster.run(nodes: 2) { cluster in
            let one = user(1, role: "editor", ["jti": "a", "iat": 400])
            let two = user(1, role: "editor", ["jti": "b", "iat": 400])
            let clients = [try await cluster[0].join(one), try await cluster[1].join(one)]
            let other = try await cluster[1].join(two)
            try await cluster[0].io.revoke(.token(id: "a"))
            for client in clients { try await self.expectCut(client) }
            for node in cluster.nodes {
                #expect(try await self.refusal(node, one) == "Token revoked")
                #expect(try await self.refusal(node, two) == nil)
            }
            #expect(try await other.call("get-rooms")["success"] == true)
            #expect(try await other.call("auth:refresh", one)["error"] == "Token revoked")
        }
    }

    @Test func allTokensOfAUserUntilNow() async throws {
        let time = TestTime()
        try await TestCluster.run(nodes: 2, clock: time.clock) { cluster in
            let old = try await cluster[0].join(user(1, role: "editor", ["iat": 499]))
            let timeless = try await cluster[1].join(user(1, role: "editor"))
            let other = try await cluster[1].join(user(2, role: "editor", ["iat": 499]))
            let revocation = try await cluster[1].io.revoke(.user(1))
            #expect(revocation.issuedBefore == 501)
            try await self.expectCut(old)
            try await self.expectCut(timeless)
            #expect(try await other.call("get-rooms")["success"] == true)
            // Of the same second, in which nobody knows what was first.
            #expect(try await self.refusal(cluster[0], user(1, role: "editor", ["iat": 500])) == "Token revoked")
            #expect(try await self.refusal(cluster[0], user(1, role: "editor", ["iat": 501])) == nil)
            // When the last of the tokens must have expired.
            time.set(501 + 30 * 86_400)
            #expect(try await self.refusal(cluster[0], user(1, role: "editor", ["iat": 499])) == nil)
        }
    }

    @Test func tokensOfEverybodyThatWereIssuedBefore() async throws {
        try await TestCluster.run { cluster in
            let old = try await cluster[0].join(user(1, role: "editor", ["iat": 99]))
            let new = try await cluster[0].join(user(2, role: "editor", ["iat": 100]))
            let token = try await cluster[0].join(apiToken("Full"))
            let visitor = try await cluster[0].join()
            try await cluster[0].io.revoke(.everybody(issuedBefore: 100))
            try await self.expectCut(old)
            for client in [new, token, visitor] { #expect(try await client.call("get-rooms")["success"] == true) }
        }
    }

    @Test func apiTokensByNameAndForThePublishAPIToo() async throws {
        try await TestCluster.run(nodes: 2) { cluster in
            let client = try await cluster[1].join(apiToken("Custom One"))
            #expect(cluster[1].io.apiToken(forKey: Samples.key("Custom One")) != nil)
            try await cluster[0].io.revoke(.apiToken("custom one"))
            try await self.expectCut(client)
            for node in cluster.nodes {
                #expect(try await self.refusal(node, apiToken("Custom One")) == "Token revoked")
                #expect(node.io.apiToken(forKey: Samples.key("Custom One")) == nil)
                #expect(node.io.apiToken(forKey: Samples.key("Full")) != nil)
            }
        }
    }

    @Test func whatCannotBeRevokedIsTold() async throws {
        try await TestCluster.run { cluster in
            let long = String(repeating: "a", count: 257)
            let cases: [RevokedTokens] = [
                .apiToken("nobody"), .token(id: ""), .token(id: long), .user(.string(long)), .user(.string("")),
                .everybody(issuedBefore: .nan), .everybody(issuedBefore: -1), .everybody(issuedBefore: .infinity),
                .user(1, issuedBefore: 1e300), .token(id: "a", expiresAt: .nan),
            ]
            for tokens in cases {
                await #expect(throws: GatewayError.self, "\(tokens)") { try await cluster[0].io.revoke(tokens) }
            }
        }
    }

    @Test func aNamespaceIsCutWithoutTheConnectionIfItHasATokenOfItsOwn() async throws {
        var configuration = Samples.configuration
        configuration.namespaces = [GatewayNamespace(name: "chat")]
        try await TestCluster.run(configuration: configuration) { cluster in
            let client = try await cluster[0].join(user(1, role: "editor", ["jti": "a"]))
            _ = try await client.join("/chat", auth: user(1, role: "editor", ["jti": "b"]))
            try await cluster[0].io.revoke(.token(id: "b"))
            let chat = try #require(cluster[0].io.namespaces["chat"])
            while chat.localSocketCount > 0 { _ = try await client.call("get-rooms") }
            #expect(try await client.call("get-rooms")["success"] == true)
        }
    }

    /// A store that a test makes fail.
    private final class Store: RevocationStore {
        private struct State {
            var isDown = false
            var revocations: [Revocation] = []
            var version = 0
            var reads = 0
        }

        private let state = NIOLockedValueBox(State())

        private func check() throws {
            guard !self.state.withLockedValue({ $0.isDown }) else {
                throw ClusterError(code: .unreachable, message: "the store is down")
            }
        }

        func setDown(_ isDown: Bool) { self.state.withLockedValue { $0.isDown = isDown } }
        var kept: [Revocation] { self.state.withLockedValue { $0.revocations } }
        var reads: Int { self.state.withLockedValue { $0.reads } }

        /// Another node's addition, of which the signal is lost.
        func addSilently(_ revocation: Revocation) {
            self.state.withLockedValue { state in
                state.version += 1
                state.revocations.append(revocation)
            }
        }

        func add(_ revocation: Revocation) async throws {
            try self.check()
            self.addSilently(revocation)
        }

        func all() async throws -> [Revocation] {
            self.state.withLockedValue { $0.reads += 1 }
            try self.check()
            return self.kept
        }

        func version() async throws -> Int {
            try self.check()
            return self.state.withLockedValue { $0.version }
        }
    }

    private func sharing(_ store: Store) -> Sharing {
        var sharing = Sharing()
        sharing.revocations = store
        return sharing
    }

    @Test func whatTheStoreDidNotTakeHoldsHereAndIsGivenToItLater() async throws {
        let store = Store()
        let sharing = self.sharing(store)
        try await TestCluster.run(sharing: sharing) { cluster in
            let client = try await cluster[0].join(user(1, role: "editor", ["jti": "a"]))
            store.setDown(true)
            await #expect(throws: ClusterError.self) { try await cluster[0].io.revoke(.token(id: "a")) }
            try await self.expectCut(client)
            #expect(store.kept.isEmpty)
            store.setDown(false)
            while store.kept.isEmpty { await cluster[0].io.gatekeeper.revocations.readNow() }
            #expect(store.kept.map(\.name) == ["j:a"])
        }
    }

    @Test func aSignalThatWasLostIsFoundByAskingForTheVersion() async throws {
        let store = Store()
        var configuration = Samples.configuration
        configuration.authentication.revocation.staleAfter = .seconds(1)
        try await TestCluster.run(configuration: configuration, sharing: self.sharing(store)) { cluster in
            let client = try await cluster[0].join(user(1, role: "editor", ["jti": "a"]))
            store.addSilently(Revocation(.token(id: "a"), endsAt: nil))
            try await self.expectCut(client)
        }
    }

    @Test func aNodeThatIsOutOfTouchLetsNobodyInWithATokenUnlessItIsToGoOn() async throws {
        let store = Store()
        for failClosed in [true, false] {
            store.setDown(true)
            var configuration = Samples.configuration
            configuration.authentication.revocation.staleAfter = .minutes(10)
            configuration.authentication.revocation.failClosed = failClosed
            try await TestCluster.run(configuration: configuration, sharing: self.sharing(store)) { cluster in
                let node = cluster[0]
                // A node that has just started has not lost touch.
                let first = try await self.refusal(node, user(1, role: "editor"))
                #expect(first == nil)
                let revocations = node.io.gatekeeper.revocations
                let later = node.io.server.sockets.eventLoop.now + .minutes(11)
                let record = PrincipalRecord(.user(User(id: 1), Role(type: "editor")), expiresAt: nil)
                if failClosed {
                    #expect(throws: ConnectionRefusal.revocationsUnknown) { try revocations.check(record, at: later) }
                } else {
                    #expect(throws: Never.self) { try revocations.check(record, at: later) }
                }
                #expect(throws: Never.self) { try revocations.check(PrincipalRecord(kind: .visitor), at: later) }
                store.setDown(false)
                await revocations.readNow()
                #expect(throws: Never.self) {
                    try revocations.check(record, at: node.io.server.sockets.eventLoop.now)
                }
            }
        }
    }
}
