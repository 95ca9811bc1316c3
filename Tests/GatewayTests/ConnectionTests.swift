import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct ConnectionTests {
    static let atThousand: @Sendable () -> Double = { 1000 }

    private func refusal(
        _ auth: JSONValue? = nil,
        headers: [(String, String)] = [],
        hooks: GatewayHooks = GatewayHooks(),
        _ change: (inout GatewayConfiguration) -> Void = { _ in }
    ) async throws -> String? {
        var configuration = Samples.configuration
        change(&configuration)
        var message: String?
        try await TestCluster.run(configuration: configuration, hooks: hooks) { cluster in
            do {
                _ = try await cluster[0].join(auth, headers: headers)
            } catch let error as TestClient.Refused {
                message = error.message
            }
        }
        return message
    }

    @Test func everyRefusalHasItsMessage() async throws {
        #expect(try await self.refusal() == nil)
        #expect(try await self.refusal(["token": "x"]) == "Invalid token.")
        #expect(try await self.refusal(["strategy": "magic", "token": "x"]) == "Invalid credentials")
        #expect(try await self.refusal(apiToken("Nothing")) == "Invalid credentials")
        #expect(try await self.refusal(apiToken("Revoked")) == "Invalid credentials")
        #expect(try await self.refusal { $0.security.ipWhitelist = ["10.0.0.0/8"] } == "IP not whitelisted")
        #expect(try await self.refusal { $0.security.ipWhitelist = ["127.0.0.0/8"] } == nil)
        #expect(try await self.refusal { $0.security.ipBlacklist = ["127.0.0.1"] } == "IP blacklisted")
        #expect(try await self.refusal { $0.security.requireAuthentication = true } == "Authentication required")
        #expect(try await self.refusal(apiToken("Full")) { $0.security.requireAuthentication = true } == nil)
        #expect(
            try await self.refusal(user(1, role: "banned")) == "Role 'banned' is not allowed to connect to Socket.IO"
        )
        #expect(
            try await self.refusal {
                $0.authentication.publicRole = "guests"
                $0.security.requireAuthentication = true
            } == "Authentication required"
        )
    }

    @Test func expiredTokensAreRefused() async throws {
        try await TestCluster.run(clock: Self.atThousand) { cluster in
            await #expect(throws: TestClient.Refused(message: "Token expired")) {
                try await cluster[0].join(apiToken("Late"))
            }
            await #expect(throws: TestClient.Refused(message: "Invalid token.")) {
                try await cluster[0].join(user(1, role: "editor", expiresAt: 1000))
            }
        }
    }

    @Test func failingHooksLetNobodyIn() async throws {
        struct Broken: Error {}
        var hooks = GatewayHooks()
        hooks.findUser = { _ in throw Broken() }
        #expect(try await self.refusal(user(1, role: "editor"), hooks: hooks) == "Invalid credentials")
    }

    @Test func forwardedAddressesCountBehindTrustedProxiesOnly() async throws {
        let headers = [("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "9.9.9.9")]
        #expect(try await self.refusal(headers: headers) { $0.security.ipBlacklist = ["9.9.9.9"] } == nil)
        #expect(
            try await self.refusal(headers: headers) {
                $0.security.ipBlacklist = ["9.9.9.9"]
                $0.security.trustedProxies = ["127.0.0.1"]
            } == "IP blacklisted"
        )
        #expect(
            try await self.refusal(headers: headers) {
                $0.security.ipBlacklist = ["1.1.1.1"]
                $0.security.trustedProxies = ["127.0.0.1"]
            } == nil
        )
        for unreadable in ["9.9.9.9:x", "\u{600}", "unknown"] {
            #expect(
                try await self.refusal(headers: [("X-Forwarded-For", unreadable)]) {
                    $0.security.ipBlacklist = ["9.9.9.9"]
                    $0.security.trustedProxies = ["127.0.0.1"]
                } == "IP blacklisted"
            )
        }
    }

    @Test func connectionsAreCounted() async throws {
        var configuration = Samples.configuration
        configuration.security.maximumConnections = 1
        try await TestCluster.run(configuration: configuration) { cluster in
            let first = try await cluster[0].join()
            await #expect(throws: TestClient.Refused(message: "Max connections reached")) {
                try await cluster[0].join()
            }
            await first.close()
        }
    }

    /// Whoever fails too often is told to wait; those who can show who they are, and visitors, share only the address.
    @Test func tooManyFailuresConcernNobodyElse() async throws {
        var configuration = Samples.configuration
        configuration.authentication.maximumFailures = 2
        try await TestCluster.run(configuration: configuration) { cluster in
            let wait = TestClient.Refused(message: "Too many authentication attempts. Try again later.")
            for _ in 0..<2 {
                await #expect(throws: TestClient.Refused(message: "Invalid token.")) {
                    try await cluster[0].join(["token": "x"])
                }
            }
            await #expect(throws: wait) { try await cluster[0].join(["token": "x"]) }
            _ = try await cluster[0].join(apiToken("Full"))
            _ = try await cluster[0].join(user(5, role: "authenticated"))
            _ = try await cluster[0].join()
            // And what they did forgives nothing.
            await #expect(throws: wait) { try await cluster[0].join(["token": "x"]) }
        }
    }

    @Test func roomsFollowFromThePrincipal() async throws {
        var configuration = Samples.configuration
        configuration.rooms.defaultRooms = ["io-default"]
        try await TestCluster.run(configuration: configuration) { cluster in
            for (auth, rooms) in [
                (nil, ["io-role-public"]),
                (user(5, role: "authenticated"), ["io-default", "io-role-authenticated", "members", "user:5"]),
                (user(6, role: "Chief Editor"), ["io-default", "io-role-editor", "user:6"]),
                (apiToken("Custom One"), ["io-default", "io-token-custom-one"]),
            ] as [(JSONValue?, [JSONValue])] {
                let client = try await cluster[0].join(auth)
                #expect(try await client.call("get-rooms") == ["success": true, "rooms": .array(rooms)])
            }
        }
    }

    @Test func namespacesRunTheSameChecks() async throws {
        var configuration = Samples.configuration
        configuration.namespaces = [
            GatewayNamespace(name: "open"), GatewayNamespace(name: "closed", requireAuth: true),
            GatewayNamespace(name: "editors", requireAuth: true, roles: ["editor"]),
        ]
        try await TestCluster.run(configuration: configuration) { cluster in
            let visitor = try await cluster[0].join()
            try await visitor.join("/open")
            await #expect(throws: TestClient.Refused(message: "Authentication required for namespace /closed")) {
                try await visitor.join("/closed")
            }
            await #expect(throws: TestClient.Refused(message: "Invalid token.")) {
                try await visitor.join("/closed", auth: ["token": "x"])
            }
            // Its own credentials for that namespace.
            try await visitor.join("/closed", auth: apiToken("Full"))

            // Those of the main namespace on the same connection.
            let member = try await cluster[0].join(user(1, role: "authenticated"))
            try await member.join("/closed")
            await #expect(
                throws: TestClient.Refused(message: "Role 'authenticated' is not allowed to connect to Socket.IO")
            ) {
                try await member.join("/editors")
            }
            let editor = try await cluster[0].join(user(2, role: "editor"))
            try await editor.join("/editors")
            // Without the main namespace there is nobody to take the principal from.
            await #expect(throws: TestClient.Refused(message: "Authentication required for namespace /closed")) {
                try await TestClient.join("/closed", at: cluster[0].address)
            }
            await #expect(throws: TestClient.Refused(message: "Invalid namespace")) {
                try await visitor.join("/nothing")
            }
        }
    }

    /// A token has no role, so that roles alone must not let every token in.
    @Test(
        arguments: [
            ([], [], ["Full", "Reader", "editor", "authenticated"]), (["editor"], [], ["editor"]),
            (["editor"], ["Reader"], ["editor", "Reader"]), ([], ["full"], ["Full", "editor", "authenticated"]),
            (["Editor"], ["FULL", "Reader"], ["editor", "Full", "Reader"]),
        ] as [([String], [String], Set<String>)]
    )
    func namespacesWithRolesListTheirTokens(_ roles: [String], _ tokens: [String], _ allowed: Set<String>) async throws
    {
        var configuration = Samples.configuration
        configuration.namespaces = [GatewayNamespace(name: "x", roles: roles, tokens: tokens)]
        try await TestCluster.run(configuration: configuration) { cluster in
            for name in ["Full", "Reader", "editor", "authenticated"] {
                let isToken = name.first?.isUppercase == true
                let auth = isToken ? apiToken(name) : user(1, role: name)
                // With credentials of its own, and with those of the main namespace.
                for ownAuth in [.some(auth), .none] as [JSONValue?] {
                    let client =
                        ownAuth == nil
                        ? try await cluster[0].join(auth) : try await TestClient.connect(to: cluster[0].address)
                    do {
                        _ = try await client.join("/x", auth: ownAuth)
                        #expect(allowed.contains(name))
                    } catch let refused as TestClient.Refused {
                        #expect(!allowed.contains(name))
                        let message =
                            isToken
                            ? "Token '\(name)' is not allowed to connect to this namespace"
                            : "Role '\(name)' is not allowed to connect to Socket.IO"
                        #expect(refused.message == message)
                    }
                }
            }
        }
    }

    @Test func socketsDoNotOutliveTheirCredentials() async throws {
        let time = NIOLockedValueBox(500.0)
        let clock: @Sendable () -> Double = { time.withLockedValue { $0 } }
        try await TestCluster.run(clock: clock) { cluster in
            let client = try await cluster[0].join(user(1, role: "editor", expiresAt: 500.05))
            time.withLockedValue { $0 = 501 }
            #expect(await client.packet() == .event("io:disconnect", [["reason": "Token expired"]]))
            #expect(await client.packet() == .disconnected)
            #expect(await client.packet() == .end)
        }
    }

    @Test func aForgottenGatewayGoesOnChecking() async throws {
        let server = SocketServer()
        var configuration = Samples.configuration
        configuration.security.requireAuthentication = true
        _ = try await IO.install(on: server, configuration: configuration)
        let address = try await server.listen(host: "127.0.0.1", port: 0)
        await #expect(throws: TestClient.Refused(message: "Authentication required")) {
            try await TestClient.join(at: address)
        }
        let client = try await TestClient.join(at: address, auth: apiToken("Full"))
        #expect(try await client.call("get-rooms")["success"] == true)
        await server.close()
    }
}

@Suite(.timeLimit(.minutes(1))) struct EventModeTests {
    private static var configuration: GatewayConfiguration {
        var configuration = Samples.configuration
        configuration.authentication.mode = .event
        return configuration
    }

    @Test func goodCredentialsLetIn() async throws {
        try await TestCluster.run(configuration: Self.configuration) { cluster in
            let client = try await cluster[0].join(user(7, role: "editor"))
            #expect(try await client.call("get-rooms") == ["success": false, "error": "Not authenticated"])
            let answer = try await client.call("authenticate")
            #expect(answer == ["success": true, "id": .string(client.id)])
            let ping = try await client.event("ping")
            #expect(ping == [["time": "1970-01-01T00:08:20.000Z"]])
            let authenticated = try await client.event("authenticated")
            #expect(authenticated == [["id": .string(client.id), "time": "1970-01-01T00:08:20.000Z"]])
            let rooms = try await client.call("get-rooms")
            #expect(rooms["rooms"] == ["io-default", "io-notification", "io-role-editor", "user:7"])
            #expect(try await client.call("authenticate")["success"] == false)
            let joined = try await client.call("join", ["rooms": ["team-a", 5, "io-role-public"]])
            #expect(joined == ["success": true, "rooms": []])
            let left = try await client.call("leave", ["rooms": ["io-default", "io-role-editor"]])
            #expect(left == ["success": true, "rooms": ["io-default"]])
            #expect(try await client.call("join", "x") == ["success": false, "error": "Invalid payload"])
        }
    }

    @Test func credentialsMayComeWithTheEvent() async throws {
        try await TestCluster.run(configuration: Self.configuration) { cluster in
            let client = try await cluster[0].join()
            #expect(try await client.call("authenticate", apiToken("Full"))["success"] == true)
            let rooms = try await client.call("get-rooms")
            #expect(rooms["rooms"] == ["io-default", "io-notification", "io-token-full"])
        }
    }

    @Test(arguments: [nil, ["token": "x"], apiToken("Late")] as [JSONValue?])
    func badCredentialsAreToldAndDisconnected(_ auth: JSONValue?) async throws {
        try await TestCluster.run(configuration: Self.configuration, clock: ConnectionTests.atThousand) { cluster in
            let client = try await cluster[0].join(auth)
            try await client.emit("authenticate")
            let notice = try await client.event("unauthenticated")
            #expect(notice.first?["message"] == "Invalid token to authenticate! Please login again!")
            #expect(notice.first?["time"] == "1970-01-01T00:16:40.000Z")
            #expect(await client.packet() == .disconnected)
        }
    }

    @Test func hooksDecideAndMayFail() async throws {
        struct Broken: Error {}
        var hooks = GatewayHooks()
        hooks.authenticate = { request in
            guard request.auth["secret"] == 1, request.handshake["headers"]?["host"] == "test" else { throw Broken() }
            return AuthenticatedPrincipal(.operator(User(id: "root")))
        }
        try await TestCluster.run(configuration: Self.configuration, hooks: hooks) { cluster in
            let good = try await cluster[0].join(["secret": 1])
            #expect(try await good.call("authenticate")["success"] == true)
            let bad = try await cluster[0].join()
            try await bad.emit("authenticate")
            let notice = try await bad.event("unauthenticated")
            #expect(notice.first?["message"] == "Failed to authenticate connection! Please login again!")
        }
    }

    @Test func timeRunsOut() async throws {
        var configuration = Self.configuration
        configuration.authentication.timeout = .milliseconds(30)
        try await TestCluster.run(configuration: configuration) { cluster in
            let client = try await cluster[0].join()
            #expect(await client.packet() == .disconnected)
            #expect(await client.packet() == .end)
        }
    }

    @Test func nobodyReceivesAudienceEventsBefore() async throws {
        try await TestCluster.run(configuration: Self.configuration) { cluster in
            let client = try await cluster[0].join()
            try cluster[0].io.emit(event: "update", schema: "api::article.article", data: Samples.entry)
            // Behind the event, and to this client alone: what is for everybody isn't for it either.
            try cluster[0].io.sendPrivateMessage(client.id, event: "the-end", data: .null)
            #expect(try await client.packets(until: "the-end") == [])
        }
    }

    @Test func bansApplyHereAsWell() async throws {
        try await TestCluster.run(configuration: Self.configuration) { cluster in
            let client = try await cluster[0].join(user(1, role: "banned"))
            try await client.emit("authenticate")
            let notice = try await client.event("unauthenticated")
            #expect(notice.first?["message"] == "Role 'banned' is not allowed to connect to Socket.IO")
        }
    }
}
