import NIOConcurrencyHelpers
import OrderedCollections
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

/// Clients that are connected when the configuration is replaced.
@Suite(.timeLimit(.minutes(1))) struct LivePermissionTests {
    private typealias Packet = TestClient.Packet

    private func changed(_ change: (inout GatewayConfiguration) -> Void) -> GatewayConfiguration {
        var configuration = Samples.configuration
        change(&configuration)
        return configuration
    }

    /// Who lost a permission gets nothing more, and is told; who lost nothing hears nothing.
    @Test func aLostPermissionEndsWithTheNextEvent() async throws {
        try await TestCluster.run { cluster in
            let io = cluster[0].io
            let visitor = try await cluster[0].join()
            let editor = try await cluster[0].join(user(1, role: "editor"))
            let report = try await io.reload(
                self.changed {
                    $0.roles[0].scopes = Samples.scopes("\(Samples.article).create", "\(Samples.author).find")
                }
            )
            #expect(report == ReloadReport(sockets: 2, changed: 1, disconnected: 0))
            try io.emit(event: "update", schema: "api::article.article", data: ["id": 1])
            let received = try await cluster.received(by: [visitor, editor])
            #expect(
                received[0] == [
                    .event(
                        "io:permissions",
                        [
                            [
                                "removed": ["api::article.article.delete", "api::article.article.update"],
                                "added": ["api::author.author.find"],
                            ]
                        ]
                    )
                ]
            )
            #expect(received[1] == [.event("article:update", [["id": 1]])])
        }
    }

    /// A socket leaves the rooms that its role opened and opens no more.
    ///
    /// Where a back end put it, it stays.
    @Test func roomsThatARoleOpensNoMoreAreLeft() async throws {
        try await TestCluster.run { cluster in
            let io = cluster[0].io
            let member = try await cluster[0].join(user(1, role: "authenticated"))
            for room in ["team-1", "team-2"] {
                #expect(try await member.call("join-room", .string(room))["success"] == true)
            }
            let id = try #require(try await io.getSocketsInRoom(RoomName.user(1)).first?.id)
            try await io.joinRoom(id, "vip")
            try await io.reload(
                self.changed {
                    $0.roles[1].joinPolicy = ["team-2", "other-*"]
                    $0.roles[1].autoJoin = ["staff"]
                    $0.rooms.defaultRooms = ["io-default"]
                }
            )
            #expect(
                await member.packet()
                    == .event(
                        "io:permissions",
                        [
                            [
                                "removed": [], "added": [],
                                "rooms": ["left": ["io-notification", "members", "team-1"], "joined": ["staff"]],
                            ]
                        ]
                    )
            )
            let rooms = try await io.getSocketsInRoom(RoomName.user(1))[0].rooms.filter { $0 != id }.sorted()
            #expect(rooms == ["io-default", "io-role-authenticated", "staff", "team-2", "user:1", "vip"])
        }
    }

    /// What a client follows ends with the permission to follow it, and with the type.
    @Test(arguments: ["scopes", "type", "allowed", "off"])
    func subscriptionsEndWithTheirPermission(_ kind: String) async throws {
        try await TestCluster.run { cluster in
            let io = cluster[0].io
            let member = try await cluster[0].join(user(1, role: "authenticated"))
            let uid = JSONValue.string(Samples.article)
            #expect(try await member.call("subscribe-entity", ["uid": uid, "id": 5])["success"] == true)
            try await io.reload(
                self.changed {
                    switch kind {
                    case "scopes": $0.roles[1].scopes = Samples.scopes("\(Samples.author).find")
                    case "type":
                        $0.contentTypes = [ContentType(uid: Samples.author)]
                        $0.components = []
                        for index in $0.roles.indices { $0.roles[index].scopes = Samples.scopes("*.create") }
                        $0.apiTokens = []
                    case "allowed": $0.entitySubscriptions.allowedContentTypes = [Samples.author]
                    default: $0.entitySubscriptions.enabled = false
                    }
                }
            )
            guard case .event("io:permissions", let arguments) = await member.packet() else {
                Issue.record("The client was not told")
                return
            }
            #expect(arguments.first?["rooms"] == ["left": ["\(Samples.article):5"], "joined": []])
            try io.emitToEntity(Samples.article, 5, event: "poke", data: 1)
            #expect(try await cluster.received(by: [member]) == [[]])
            let sockets = await io.server.sockets.localSockets()
            #expect(sockets.allSatisfy { $0.rooms.allSatisfy { !RoomName.isOfFollowers($0) } })
        }
    }

    /// A type whose entries get owners: strangers follow them no longer, and owners hear of theirs.
    @Test func entriesThatGetOwnersAreForTheseOnly() async throws {
        try await TestCluster.run { cluster in
            let io = cluster[0].io
            let owner = try await cluster[0].join(user(1, role: "authenticated"))
            let stranger = try await cluster[0].join(user(2, role: "authenticated"))
            let uid = JSONValue.string(Samples.article)
            for client in [owner, stranger] {
                #expect(try await client.call("subscribe-entity", ["uid": uid, "id": 5])["success"] == true)
            }
            try await io.reload(self.changed { $0.contentTypes[0].ownerField = "author" })
            try io.emit(event: "update", schema: "api::article.article", data: ["id": 5, "author": 1])
            try io.emit(event: "update", schema: "api::article.article", data: ["id": 6, "author": 2])
            let events = try await cluster.received(by: [owner, stranger]).map { packets in
                packets.compactMap { packet -> JSONValue? in
                    if case .event("article:update", let arguments) = packet { arguments.first?["id"] } else { nil }
                }
            }
            #expect(events[0] == [5])
            // It owns the other entry, and follows the first one, which it may not see any more.
            #expect(!events[1].contains(5))
        }
    }

    /// Who could not log in any more is disconnected, with the reason.
    @Test(
        arguments: [
            ("key", apiToken("Full"), "Token revoked"), ("token", apiToken("Full"), "Token revoked"),
            ("expired", apiToken("Full"), "Token expired"), ("salt", apiToken("Reader"), "Token revoked"),
            ("role", user(1, role: "editor"), "Invalid credentials"),
            ("canConnect", user(1, role: "editor"), "Role 'editor' is not allowed to connect to Socket.IO"),
            ("visitors", nil, "Authentication required"),
            ("blacklist", nil, "IP blacklisted"), ("whitelist", nil, "IP not whitelisted"),
        ] as [(String, JSONValue?, String)]
    )
    func whoMayNotStayIsToldWhy(_ kind: String, _ auth: JSONValue?, _ reason: String) async throws {
        try await TestCluster.run { cluster in
            let other = try await cluster[0].join(user(2, role: "authenticated"))
            let client = try await cluster[0].join(auth)
            let report = try await cluster[0].io.reload(
                self.changed {
                    switch kind {
                    case "key": $0.apiTokens[0].hash = APIToken.hash(of: "another", salt: Samples.salt)
                    case "token": $0.apiTokens.removeFirst()
                    case "expired": $0.apiTokens[0].expiresAt = 400
                    case "salt": $0.apiTokenSalt += "x"
                    case "role": $0.roles.removeAll { $0.type == "editor" }
                    case "canConnect": $0.roles[2].canConnect = false
                    case "visitors": $0.security.requireAuthentication = true
                    case "blacklist": $0.security.ipBlacklist = ["127.0.0.1"]
                    default: $0.security.ipWhitelist = ["10.0.0.0/8"]
                    }
                }
            )
            #expect(await client.packet() == .event("io:disconnect", [["reason": .string(reason)]]))
            #expect(await client.packet() == .disconnected)
            if ["blacklist", "whitelist"].contains(kind) { return }
            #expect(report.disconnected == 1)
            #expect(try await cluster.received(by: [other]) == [[]])
        }
    }

    /// Another role for visitors is theirs at once.
    @Test func visitorsGetTheirNewRole() async throws {
        try await TestCluster.run { cluster in
            let visitor = try await cluster[0].join()
            try await cluster[0].io.reload(
                self.changed {
                    $0.authentication.publicRole = "guest"
                    $0.roles.append(Role(type: "guest", scopes: Samples.scopes("\(Samples.author).create")))
                }
            )
            try cluster[0].io.emit(event: "create", schema: "api::article.article", data: ["id": 1])
            try cluster[0].io.emit(event: "create", schema: "api::author.author", data: ["id": 2])
            let received = try await cluster.received(by: [visitor])[0]
            #expect(received.count == 2)
            #expect(received.last == .event("author:create", [["id": 2]]))
            let info = try await cluster[0].io.getSocketsInRoom(RoomName.role("guest"))
            #expect(info.map(\.role) == ["guest"])
        }
    }

    /// A wrong configuration changes nothing at all.
    @Test func aWrongConfigurationLeavesEverythingAsItWas() async throws {
        try await TestCluster.run { cluster in
            let visitor = try await cluster[0].join()
            await #expect(throws: GatewayError.self) {
                try await cluster[0].io.reload(
                    self.changed {
                        $0.roles[0].scopes = []
                        $0.security.ipBlacklist = ["127.0.0.1"]
                        $0.roles[1].type = "a:b"
                    }
                )
            }
            try cluster[0].io.emit(event: "update", schema: "api::article.article", data: ["id": 1])
            #expect(try await cluster.received(by: [visitor]) == [[.event("article:update", [["id": 1]])]])
        }
    }
}
