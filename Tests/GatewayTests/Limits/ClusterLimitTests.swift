import EngineIO
import Incidents
import Logging
import NIOCore
import NIOEmbedded
import SocketIOServer
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

/// Limits for the whole cluster, as clients and publishers meet them.
@Suite(.timeLimit(.minutes(1)))
struct ClusterLimitTests {
    /// Three of a kind at once, and one more in ten seconds.
    private static func configuration(
        _ scope: LimitScope,
        _ action: LimitedAction,
        amount: Int = 6
    ) -> GatewayConfiguration {
        var configuration = Samples.configuration
        configuration.rooms.enablePrivateRooms = true
        configuration.roles = configuration.roles.map { role in
            var role = role
            role.joinPolicy = ["*"]
            return role
        }
        configuration.limits.cluster.burst = .seconds(30)
        configuration.limits.cluster[scope][action] = amount
        return configuration
    }

    private struct Asked: Sendable {
        var event: String
        var payload: JSONValue
        var action: LimitedAction
    }

    private static let wishes = [
        Asked(event: "join-room", payload: "lobby", action: .joins),
        Asked(event: "leave-room", payload: "lobby", action: .joins),
        Asked(event: "subscribe-entity", payload: ["uid": "api::article.article", "id": 5], action: .subscriptions),
        Asked(event: "unsubscribe-entity", payload: ["uid": "api::article.article", "id": 5], action: .subscriptions),
        Asked(
            event: "private-message",
            payload: ["to": "AAAAAAAAAAAAAAAAAAAA", "message": "x"],
            action: .privateMessages
        ),
        Asked(
            event: "private-message",
            payload: ["to": "AAAAAAAAAAAAAAAAAAAA", "message": "x"],
            action: .clusterQuestions
        ),
        Asked(event: "get-rooms", payload: .null, action: .events),
    ]

    /// All clients of a user together, also if each has its own budget left.
    @Test(arguments: 0..<7)
    func refusalsAreAnsweredAndShared(_ index: Int) async throws {
        let wish = Self.wishes[index]
        let configuration = Self.configuration(.user, wish.action)
        try await TestCluster.run(configuration: configuration) { cluster in
            let clients = [
                try await cluster[0].join(user(1, role: "editor")), try await cluster[0].join(user(1, role: "editor")),
            ]
            var refused = 0
            for turn in 0..<10 {
                let answer = try await clients[turn % 2].call(wish.event, wish.payload)
                guard answer["error"] == "Rate limit exceeded" else { continue }
                refused += 1
                #expect(answer["success"] == false)
                #expect((1...11_000).contains(answer["retryAfter"]?.intValue ?? 0))
            }
            #expect((6...7).contains(refused))
            let other = try await cluster[0].join(user(2, role: "editor"))
            #expect(try await other.call(wish.event, wish.payload)["retryAfter"] == nil)
        }
    }

    /// Who waits for no answer gets an event.
    @Test(arguments: 0..<7)
    func refusalsWithoutAnswerAreTold(_ index: Int) async throws {
        let wish = Self.wishes[index]
        let configuration = Self.configuration(.user, wish.action)
        try await TestCluster.run(configuration: configuration) { cluster in
            let client = try await cluster[0].join(user(1, role: "editor"))
            for _ in 0..<4 { try await client.emit(wish.event, wish.payload) }
            let told = try #require(try await client.event("io:error").first)
            #expect(told["event"] == .string(wish.event))
            #expect(told["error"] == "Rate limit exceeded")
            #expect((told["retryAfter"]?.intValue ?? 0) > 0)
        }
    }

    @Test func connectionsOfAUserAndOfAnAddressAreLimited() async throws {
        for scope in [LimitScope.user, .address] {
            try await TestCluster.run(configuration: Self.configuration(scope, .connections)) { cluster in
                var refusals: [JSONValue] = []
                for _ in 0..<5 {
                    let client = try await TestClient.connect(to: cluster[0].address)
                    try await client.send("40\(user(1, role: "editor"))")
                    if case .refused(let error) = await client.packet() { refusals.append(error) }
                }
                #expect(refusals.count == 2)
                #expect(refusals.allSatisfy { $0["message"] == "Rate limit exceeded" })
                #expect(refusals.allSatisfy { ($0["data"]?["retryAfter"]?.intValue ?? 0) > 0 })
            }
        }
    }

    /// Both nodes' clients take from one bucket.
    @Test func nodesShareTheBuckets() async throws {
        let loop = NIOAsyncTestingEventLoop()
        let limits = InMemoryLimits(now: { Double(loop.now.uptimeNanoseconds) / 1e9 })
        let incidents = IncidentLog(logger: Self.silent, source: "test", eventLoop: loop)
        let nodes = (0..<2).map { _ in ClusterLimiter(ledger: limits, eventLoop: loop, incidents: incidents) }
        var rates = ClusterRates()
        rates.user.joins = 600
        let subjects = LimitSubjects(.user(User(id: 1), Role(type: "editor")), address: "192.0.2.1")
        for node in nodes { await node.exchangeNow() }
        await loop.advanceTime(by: ClusterLimiter.silence)
        for node in nodes { await node.exchangeNow() }
        var granted = 0
        for _ in 0..<60 {
            for _ in 0..<50 {
                for node in nodes where node.take(.joins, of: subjects, rates, at: loop.now) == nil { granted += 1 }
            }
            await loop.advanceTime(by: .seconds(1))
            for node in nodes { await node.exchangeNow() }
        }
        // Two buckets would give twice as much. How much less it is depends on when the nodes' own reports come, which no
        // clock of this test orders; LimitShareTests tell how near to the limit nodes come.
        #expect((100...770).contains(granted), "100 at once and 600 in a minute: \(granted)")
    }

    /// A bucket that refuses leaves the others as they were.
    @Test func aRefusedWishCostsNobody() {
        let loop = EmbeddedEventLoop()
        let incidents = IncidentLog(logger: Self.silent, source: "test", eventLoop: loop)
        let limiter = ClusterLimiter(ledger: InMemoryLimits(), eventLoop: loop, incidents: incidents)
        var rates = ClusterRates()
        rates.burst = .seconds(60)
        rates.user.events = 2
        rates.tenant.events = 5
        func take(_ user: Int) -> Int? {
            let user = User(id: .init(integerLiteral: user), tenant: "t")
            return limiter.take(.events, of: LimitSubjects(.user(user, Role(type: "r"))), rates, at: loop.now)
        }
        for _ in 0..<2 { #expect(take(1) == nil) }
        for _ in 0..<20 { #expect(take(1) != nil) }
        for _ in 0..<2 { #expect(take(2) == nil) }
        #expect(take(3) == nil)
        #expect(take(3) != nil, "the tenant's five are spent")
    }

    @Test func addressesAreWhatAProviderGivesToOneCustomer() {
        func address(_ text: String) -> UTF8Text? { LimitSubjects(address: text).address }
        #expect(address("2001:db8:1:2:3::4") == address("2001:db8:1:2:ffff::"))
        #expect(address("2001:db8:1:2:3::4") != address("2001:db8:1:3:3::4"))
        #expect(address("::ffff:192.0.2.1") == address("192.0.2.1"))
        #expect(address("192.0.2.1") != address("192.0.2.2"))
        #expect(address("@") == address(""))
    }

    /// Users at one address don't take from each other; visitors do.
    @Test func whoSharesAnAddressSharesOnlyWhatNobodyElsePaysFor() {
        let user = LimitSubjects(.user(User(id: 1), Role(type: "r")), address: "192.0.2.1")
        let visitor = LimitSubjects(.visitor(Role(type: "r")), address: "192.0.2.1")
        for action in [LimitedAction.joins, .subscriptions, .privateMessages, .clusterQuestions] {
            #expect(user.subject(.address, action) == nil)
            #expect(visitor.subject(.address, action) == "192.0.2.1")
        }
        for action in [LimitedAction.connections, .events, .bytes] {
            #expect(user.subject(.address, action) == "192.0.2.1")
        }
    }

    /// Names that peers choose are short, and as different as they were.
    @Test func subjectsAreShort() {
        let long = [String(repeating: "a", count: 5000), String(repeating: "a", count: 5001)]
        let names = long.map { LimitSubjects(.user(User(id: .init(stringLiteral: $0)), Role(type: "r"))).user }
        #expect(names[0] != names[1])
        #expect(names.allSatisfy { ($0?.utf8.count ?? 1000) <= 80 })
    }

    /// What a client may cause in the cluster is never unlimited by itself.
    @Test func defaultsAreOn() {
        let rates = ClusterRates()
        for action in [LimitedAction.joins, .subscriptions, .privateMessages, .clusterQuestions] {
            for scope in [LimitScope.user, .address, .token] { #expect(rates.rate(scope, action) != nil) }
        }
        #expect(rates.rate(.address, .failedLogins) != nil)
        #expect(!rates.limitsEvents)
    }

    @Test func problemsAreNamed() {
        var configuration = Samples.configuration
        configuration.limits.cluster.user.joins = -1
        configuration.limits.cluster.burst = .zero
        let paths = configuration.validate().map(\.path)
        #expect(paths == ["limits.cluster.user.joins", "limits.cluster.burst"])
    }

    private static let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
}
