import NIOConcurrencyHelpers
import NIOCore
import SocketIOTestSupport
import SocketIOWire
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct UserLookupTests {
    private func configuration(
        _ change: (inout GatewayConfiguration.UserLookup) -> Void = { _ in }
    ) -> GatewayConfiguration {
        var configuration = Samples.configuration
        var lookup = GatewayConfiguration.UserLookup(url: "https://users.example/lookup")
        change(&lookup)
        configuration.authentication.lookup = lookup
        return configuration
    }

    /// The role that a user gets, or why the user is refused.
    private func outcome(_ cluster: TestCluster, _ auth: JSONValue = user(1, role: "editor")) async throws -> String {
        do {
            let client = try await cluster[0].join(auth)
            let sockets = try await cluster[0].io.getSocketsInRoom(Room(client.id))
            await client.close()
            return sockets.first?.value["role"]?.stringValue ?? "none"
        } catch let refused as TestClient.Refused {
            return refused.message
        }
    }

    private static let answersCases: [(OutgoingResponse, String)] = [
        (.json("{}"), "editor"), (.json(#"{"role":"authenticated","blocked":false}"#), "authenticated"),
        (.json(#"{"role":null,"blocked":null}"#), "editor"), (.json(#"{"blocked":true}"#), "Invalid credentials"),
        (.json(#"{"blocked":"no"}"#), "Invalid credentials"), (.json(#"{"role":"king"}"#), "Invalid credentials"),
        (.json(#"{"role":"banned"}"#), "Role 'banned' is not allowed to connect to Socket.IO"),
        (.json("", status: 404), "Invalid credentials"), (.json("{}", status: 410), "Invalid credentials"),
        (.json("{}", status: 500), "Invalid credentials"), (.json("{}", status: 302), "Invalid credentials"),
        (.json("[]"), "Invalid credentials"), (.json("{"), "Invalid credentials"), (.json(""), "Invalid credentials"),
    ]

    @Test(arguments: answersCases) func answers(_ response: OutgoingResponse, _ expected: String) async throws {
        let directory = StubHTTP { _ in response }
        try await TestCluster.run(configuration: self.configuration(), outgoing: directory) { cluster in
            let outcome = try await self.outcome(cluster)
            #expect(outcome == expected)
        }
    }

    @Test func itIsAskedOnceAWhileAboutEachUserAndOnlyAboutUsers() async throws {
        let directory = StubHTTP { _ in .json(#"{"role":"authenticated"}"#) }
        let time = NIOLockedValueBox(500.0)
        let clock: @Sendable () -> Double = { time.withLockedValue { $0 } }
        let configuration = self.configuration { $0.token = "secret" }
        try await TestCluster.run(configuration: configuration, outgoing: directory, clock: clock) { cluster in
            for _ in 0..<3 { #expect(try await self.outcome(cluster) == "authenticated") }
            #expect(directory.requests.count == 1)
            #expect(directory.requests[0].body == ByteBuffer(string: #"{"userId":1}"#))
            #expect(directory.requests[0].headers.contains(.init("Authorization", "Bearer secret")))
            #expect(try await self.outcome(cluster, user(2, role: "editor")) == "authenticated")
            #expect(directory.requests.count == 2)
            _ = try await self.outcome(cluster, .null)
            _ = try await self.outcome(cluster, apiToken("Full"))
            _ = try await self.outcome(cluster, ["token": "nonsense"])
            #expect(directory.requests.count == 2)
            time.withLockedValue { $0 += 60 }
            #expect(try await self.outcome(cluster) == "authenticated")
            #expect(directory.requests.count == 3)
        }
    }

    @Test func aDirectoryThatDoesNotAnswerDecidesAsConfigured() async throws {
        let directory = StubHTTP { _ in throw OutgoingError(.timedOut, "slow", mayHaveArrived: true) }
        try await TestCluster.run(configuration: self.configuration(), outgoing: directory) { cluster in
            let failed = try await self.outcome(cluster)
            #expect(failed == "Invalid credentials")
            // A failure is not remembered.
            directory.answer { _ in .json("{}") }
            let answered = try await self.outcome(cluster)
            #expect(answered == "editor")
        }
        directory.answer { _ in throw OutgoingError(.timedOut, "slow", mayHaveArrived: true) }
        let trusting = self.configuration { $0.whenUnreachable = .accept }
        try await TestCluster.run(configuration: trusting, outgoing: directory) { cluster in
            let outcome = try await self.outcome(cluster)
            #expect(outcome == "editor")
        }
    }

    @Test func aGatewayWithoutClientRefusesTheConfiguration() async throws {
        await #expect(throws: GatewayError.self) {
            try await TestCluster.run(configuration: self.configuration()) { _ in }
        }
    }

    @Test func aThousandTimesAsManyUsersAreNotRemembered() {
        var cache = LookupCache()
        for number in 0..<LookupCache.capacity * 2 {
            cache.remember(.refused, about: UTF8Text("\(number)"), until: 10)
            // One that is asked about again and again.
            cache.remember(.known(role: nil, username: nil, email: nil), about: "often", until: 10)
        }
        #expect(cache.count <= LookupCache.capacity)
        #expect(cache.answer(about: "often", now: 9) == .known(role: nil, username: nil, email: nil))
        #expect(cache.answer(about: "often", now: 10) == nil)
        #expect(cache.answer(about: "0", now: 9) == nil)
        #expect(cache.answer(about: UTF8Text("\(LookupCache.capacity * 2 - 1)"), now: 9) == .refused)
    }
}
