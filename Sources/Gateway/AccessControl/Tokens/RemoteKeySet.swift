import NIOConcurrencyHelpers
import SocketIOWire

/// The keys of a key set that lies on another server.
///
/// They stay in use while the server does not answer, and until it answers with others.
final class RemoteKeySet: Sendable {
    /// A key set as its server gave it.
    struct Document: Sendable {
        var json: String
        /// For how many seconds it is good, if the server said so.
        var maximumAge: Double?
    }

    typealias Fetch = @Sendable () async throws -> Document

    /// The most keys of a set.
    static let maximumKeys = 100

    private struct State {
        var schedule = KeySetSchedule()
        var keys: [JWTVerifier.Key] = []
        var fetching: Task<Void, Never>?
    }

    private let state = NIOLockedValueBox(State())
    private let fetch: Fetch
    private let now: @Sendable () -> Double
    private let onFailure: @Sendable (any Error) -> Void

    /// - Parameters:
    ///   - now: The time in seconds.
    ///   - onFailure: Told when the keys could not be fetched or read.
    ///   - fetch: Fetches the document.
    init(
        now: @escaping @Sendable () -> Double,
        onFailure: @escaping @Sendable (any Error) -> Void,
        fetch: @escaping Fetch
    ) {
        self.now = now
        self.onFailure = onFailure
        self.fetch = fetch
    }

    /// The keys that are known.
    var keys: [JWTVerifier.Key] { self.state.withLockedValue { $0.keys } }

    /// Fetches the keys if there are none yet, and begins to fetch them if they are old.
    func prepare() async { await self.decided(joining: false) { $0.tokenArrived(at: $1) } }

    /// Fetches the keys because a token names another one, unless that was tried a short time ago.
    ///
    /// If they are being fetched, it waits for that.
    func refresh() async { await self.decided(joining: true) { $0.keyIsUnknown(at: $1) } }

    private func decided(
        joining joins: Bool,
        _ decide: (inout KeySetSchedule, Double) -> KeySetSchedule.Decision
    ) async {
        let now = self.now()
        let fetching = self.state.withLockedValue { state -> Task<Void, Never>? in
            let decision = decide(&state.schedule, now)
            if state.fetching == nil, decision != .nothing {
                // Whoever has no keys waits for it. It ends with the request, which has a deadline.
                state.fetching = Task { await self.renew() }
            }
            return joins || decision == .fetch || state.keys.isEmpty ? state.fetching : nil
        }
        await fetching?.value
    }

    private func renew() async {
        do {
            let document = try await self.fetch()
            let keys = try await Self.keys(of: document)
            let now = self.now()
            self.state.withLockedValue { state in
                state.keys = keys
                state.schedule.succeeded(maximumAge: document.maximumAge, at: now)
                state.fetching = nil
            }
        } catch {
            self.onFailure(error)
            self.state.withLockedValue { $0.fetching = nil }
        }
    }

    private static func keys(of document: Document) async throws -> [JWTVerifier.Key] {
        guard let entries = KeySetDocument(json: document.json)?.entries else { throw KeySetProblem.noKeys }
        guard entries.count <= Self.maximumKeys else { throw KeySetProblem.tooManyKeys(entries.count) }
        var keys: [JWTVerifier.Key] = []
        // One key of a new kind, or a broken one, does not spoil the others.
        for entry in entries { keys += (try? await JWTVerifier.keys(of: entry, isAllowed: { _ in true })) ?? [] }
        guard !keys.isEmpty else { throw KeySetProblem.noKeys }
        return keys
    }
}

/// Why the answer of a server is no key set.
enum KeySetProblem: Error, Hashable, CustomStringConvertible {
    case noKeys
    case tooManyKeys(Int)
    case status(Int)
    case noClient

    var description: String {
        switch self {
        case .noKeys: "the answer is no key set with a key that can verify tokens"
        case .tooManyKeys(let count): "the key set has \(count) keys, more than \(RemoteKeySet.maximumKeys)"
        case .status(let status): "the server answered with status \(status) instead of 200"
        case .noClient: "the gateway has no client for HTTP to fetch it with"
        }
    }
}

/// The key sets on other servers, each once, whatever rules use it.
final class KeySetDirectory: Sendable {
    private let sets = NIOLockedValueBox<[UTF8Text: RemoteKeySet]>([:])
    private let make: @Sendable (String) -> RemoteKeySet

    init(_ make: @escaping @Sendable (_ url: String) -> RemoteKeySet) { self.make = make }

    /// The key set at that URL.
    func keySet(at url: String) -> RemoteKeySet {
        self.sets.withLockedValue { sets in
            if let known = sets[UTF8Text(url)] { return known }
            let new = self.make(url)
            sets[UTF8Text(url)] = new
            return new
        }
    }
}
