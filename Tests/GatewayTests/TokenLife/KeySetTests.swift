import JWTKit
import NIOConcurrencyHelpers
import NIOCore
import SocketIOWire
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct KeySetScheduleTests {
    @Test func keysAreFetchedWhenThereAreNoneAndWhenTheyAreOld() {
        var schedule = KeySetSchedule()
        #expect(schedule.tokenArrived(at: 1000) == .fetch)
        #expect(schedule.tokenArrived(at: 1001) == .nothing)
        schedule.succeeded(maximumAge: 300, at: 1001)
        #expect(schedule.tokenArrived(at: 1300) == .nothing)
        #expect(schedule.tokenArrived(at: 1301) == .fetchMeanwhile)
        // It fails: the keys stay, and it is tried again a minute later.
        #expect(schedule.tokenArrived(at: 1302) == .nothing)
        #expect(schedule.tokenArrived(at: 1360) == .nothing)
        #expect(schedule.tokenArrived(at: 1361) == .fetchMeanwhile)
    }

    @Test func anUnknownKeyIsLookedForAtMostOnceAMinute() {
        var schedule = KeySetSchedule()
        #expect(schedule.tokenArrived(at: 1000) == .fetch)
        schedule.succeeded(maximumAge: nil, at: 1000)
        var fetches = 0
        for second in stride(from: 1000.0, to: 1300, by: 0.5) where schedule.keyIsUnknown(at: second) != .nothing {
            fetches += 1
        }
        #expect(fetches == 4)
    }

    @Test func withoutKeysItIsTriedAgainSooner() {
        var schedule = KeySetSchedule()
        #expect(schedule.tokenArrived(at: 1000) == .fetch)
        #expect(schedule.keyIsUnknown(at: 1004) == .nothing)
        #expect(schedule.tokenArrived(at: 1005) == .fetch)
    }

    @Test(arguments: [(nil, 600.0), (0, 60), (-5, 60), (300, 300), (1e12, 86_400)] as [(Double?, Double)])
    func agesHaveBounds(_ age: Double?, _ expected: Double) {
        var schedule = KeySetSchedule()
        _ = schedule.tokenArrived(at: 0)
        schedule.succeeded(maximumAge: age, at: 0)
        #expect(schedule.tokenArrived(at: expected - 1) == .nothing)
        #expect(schedule.tokenArrived(at: expected + 60) == .fetchMeanwhile)
    }

    @Test func aClockThatIsSetBackStopsNothing() {
        var schedule = KeySetSchedule()
        _ = schedule.tokenArrived(at: 1_000_000)
        schedule.succeeded(maximumAge: nil, at: 1_000_000)
        #expect(schedule.tokenArrived(at: 1000) == .fetchMeanwhile)
        #expect(schedule.keyIsUnknown(at: 1061) == .fetch)
    }

    @Test(
        arguments: [
            ("max-age=300", 300.0), ("public, MAX-AGE=5", 5), ("no-store", nil), ("max-age=", nil), ("max-age=x", nil),
            ("s-maxage=9, max-age=7, must-revalidate", 7), ("max-age=1234567890123", nil), ("", nil),
        ] as [(String, Double?)]
    ) func cacheControl(_ header: String, _ expected: Double?) {
        #expect(KeySetDirectory.maximumAge(header) == expected)
    }
}

/// A server with a key set that a test changes.
private final class KeyServer: Sendable {
    struct Down: Error {}

    private struct State {
        var json: String?
        var fetches = 0
        var now = 1000.0
        var failures = 0
    }

    private let state = NIOLockedValueBox(State())

    var set: RemoteKeySet {
        RemoteKeySet(
            now: { self.state.withLockedValue { $0.now } },
            onFailure: { _ in self.state.withLockedValue { $0.failures += 1 } },
            fetch: {
                let json = self.state.withLockedValue { state in
                    state.fetches += 1
                    return state.json
                }
                guard let json else { throw Down() }
                return RemoteKeySet.Document(json: json, maximumAge: nil)
            }
        )
    }

    var fetches: Int { self.state.withLockedValue { $0.fetches } }
    var failures: Int { self.state.withLockedValue { $0.failures } }
    func serve(_ json: String?) { self.state.withLockedValue { $0.json = json } }
    func pass(_ seconds: Double) { self.state.withLockedValue { $0.now += seconds } }
}

@Suite(.timeLimit(.minutes(1))) struct RemoteKeySetTests {
    private struct Claims: JWTPayload {
        var id = 1
        func verify(using algorithm: some JWTAlgorithm) async throws {}
    }

    /// A pair of keys with the `kid` by which tokens name it.
    private struct Pair {
        let key = ES256PrivateKey()
        let id: String

        var entry: String {
            get throws {
                let parameters = try #require(self.key.parameters)
                func url(_ text: String) -> String {
                    String(text.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 }.filter { $0 != "=" })
                }
                return
                    #"{"kty":"EC","crv":"P-256","kid":"\#(self.id)","x":"\#(url(parameters.x))","y":"\#(url(parameters.y))"}"#
            }
        }

        func token() async throws -> String {
            try await JWTKeyCollection().add(ecdsa: self.key).sign(
                Claims(),
                header: ["kid": .init(stringLiteral: self.id)]
            )
        }
    }

    private func verifier(_ server: KeyServer) async throws -> JWTVerifier {
        let set = server.set
        return try await JWTVerifier(
            JWTConfiguration(keys: [.init(.keySetURL("https://keys.example/"))]),
            keySets: KeySetDirectory { _ in set }
        )
    }

    private func refusal(_ verifier: JWTVerifier, _ token: String) async -> JWTRefusal? {
        do {
            _ = try await verifier.verifyFetchingKeys(token, now: 1000)
            return nil
        } catch {
            return error
        }
    }

    @Test func newKeysAreFoundOldOnesGoAndAServerThatIsDownChangesNothing() async throws {
        let server = KeyServer()
        let (one, two) = (Pair(id: "one"), Pair(id: "two"))
        server.serve(#"{"keys":[\#(try one.entry)]}"#)
        let verifier = try await self.verifier(server)
        #expect(await self.refusal(verifier, try await one.token()) == nil)
        #expect(server.fetches == 1)
        // An unknown key is looked for, but not again and again.
        server.pass(60)
        for _ in 0..<5 { #expect(await self.refusal(verifier, try await two.token()) == .noKey) }
        #expect(server.fetches == 2)
        server.serve(#"{"keys":[\#(try two.entry)]}"#)
        server.pass(60)
        #expect(await self.refusal(verifier, try await two.token()) == nil)
        #expect(server.fetches == 3)
        #expect(await self.refusal(verifier, try await one.token()) == .noKey)
        // The server is down, and answers nonsense: what is known stays in use.
        for answer in [nil, "", "{}", #"{"keys":[]}"#, #"{"keys":[{"kty":"EC","crv":"P-256","x":"!","y":"!"}]}"#] {
            server.serve(answer)
            server.pass(100_000)
            let failures = server.failures
            #expect(await self.refusal(verifier, try await two.token()) == nil)
            #expect(await self.refusal(verifier, try await one.token()) == .noKey)
            #expect(server.failures == failures + 1)
        }
    }

    @Test func aServerThatIsDownAtFirstIsTriedAgain() async throws {
        let server = KeyServer()
        let one = Pair(id: "one")
        let verifier = try await self.verifier(server)
        #expect(await self.refusal(verifier, try await one.token()) == .noKey)
        server.serve(#"{"keys":[\#(try one.entry)]}"#)
        server.pass(5)
        #expect(await self.refusal(verifier, try await one.token()) == nil)
    }

    @Test func allWhoComeWhileKeysAreFetchedWaitForOneFetch() async throws {
        let server = KeyServer()
        let one = Pair(id: "one")
        server.serve(#"{"keys":[\#(try one.entry)]}"#)
        let verifier = try await self.verifier(server)
        let token = try await one.token()
        let refusals = await withTaskGroup(of: JWTRefusal?.self) { group in
            for _ in 0..<50 { group.addTask { await self.refusal(verifier, token) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(refusals.allSatisfy { $0 == nil })
        #expect(server.fetches == 1)
    }

    /// A key set holds public keys, and a token that is signed with one of them as a shared secret is forged.
    @Test func sharedSecretsAreNeverOfAKeySet() async throws {
        let server = KeyServer()
        server.serve(
            #"{"keys":[{"kty":"oct","kid":"s","k":"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE","alg":"HS256"}]}"#
        )
        let verifier = try await self.verifier(server)
        let token = makeToken(
            ["id": 1],
            secret: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            header: ["alg": "HS256", "kid": "s"]
        )
        #expect(await self.refusal(verifier, token) == .algorithmNotAllowed)
        #expect(await self.refusal(verifier, makeToken(["id": 1], header: ["alg": "none"])) == .algorithmNotAllowed)
    }

    @Test func urlsMustBeEncryptedBeyondThisMachine() {
        func problems(_ url: String) -> [String] {
            var configuration = Samples.configuration
            configuration.authentication.jwt = JWTConfiguration(keys: [.init(.keySetURL(url))])
            return configuration.validate().map(\.path)
        }
        for url in ["https://a.example/jwks", "http://127.0.0.1:8080/", "http://localhost/x", "http://[::1]:1/"] {
            #expect(problems(url) == [], "\(url)")
        }
        for url in [
            "http://a.example/jwks", "ftp://a", "", "https://user:word@a.example/", "http://127.0.0.1.evil.example/",
        ] {
            #expect(problems(url) == ["authentication.jwt.keys[0].keySetUrl"], "\(url)")
        }
    }
}
