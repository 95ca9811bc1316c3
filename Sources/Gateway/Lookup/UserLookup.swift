import Incidents
import Logging
import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
import SocketIOWire

/// Asks a directory of users about those who log in with a JSON Web Token: whether they are blocked, and which role they
/// have now.
final class UserLookup: Sendable {
    private struct State {
        var settings: GatewayConfiguration.UserLookup?
        var cache = LookupCache()
        var underWay: [UTF8Text: Task<LookupAnswer, any Error>] = [:]
    }

    /// How many questions may be under way.
    static let maximumQuestions = 256

    private let context: GatewayContext
    private let state = NIOLockedValueBox(State())

    init(_ context: GatewayContext) { self.context = context }

    /// What is known about a user; `nil` if there is nobody to ask, or nobody answers and the token is enough then.
    ///
    /// - Throws: ``Failure`` if the directory does not answer, and the token is not enough.
    func answer(about user: User) async throws -> LookupAnswer? {
        guard let settings = self.context.configuration.authentication.lookup else { return nil }
        let id = UTF8Text(user.id.text)
        let now = self.context.now()
        let task = try self.state.withLockedValue { state -> Task<LookupAnswer, any Error>? in
            if state.settings != settings {
                state.settings = settings
                state.cache = LookupCache()
                state.underWay = [:]
            }
            if state.cache.answer(about: id, now: now) != nil { return nil }
            if let task = state.underWay[id] { return task }
            guard state.underWay.count < Self.maximumQuestions else { throw Failure.busy }
            // All who ask about this user wait for it. It ends with the request, which has a deadline.
            let task = Task { try await self.ask(user.id, id, settings) }
            state.underWay[id] = task
            return task
        }
        guard let task else {
            return self.state.withLockedValue { $0.cache.answer(about: id, now: now) }
        }
        do {
            return try await task.value
        } catch {
            guard settings.whenUnreachable == .accept else { throw error }
            self.context.incidents.record(
                "The directory of users does not answer, and the tokens of users are believed",
                reason: "lookup",
                pace: .failures,
                details: ["error": "\(error)"]
            )
            return nil
        }
    }

    private func ask(
        _ user: EntityID,
        _ id: UTF8Text,
        _ settings: GatewayConfiguration.UserLookup
    ) async throws -> LookupAnswer {
        defer { self.state.withLockedValue { if $0.settings == settings { $0.underWay[id] = nil } } }
        guard let outgoing = self.context.outgoing, let url = OutgoingURL(settings.url) else { throw Failure.noClient }
        var body = ByteBuffer()
        body.writeJSON(["userId": user.value])
        var headers = [
            OutgoingRequest.Header("Content-Type", "application/json"),
            OutgoingRequest.Header("Accept", "application/json"),
        ]
        if let token = settings.token { headers.append(.init("Authorization", "Bearer \(token)")) }
        let request = OutgoingRequest(
            .post,
            url,
            headers: headers,
            body: body,
            timeout: settings.timeout,
            maximumAnswerBytes: 65_536
        )
        let answer = try Self.read(try await outgoing.send(request))
        let until = self.context.now() + Double(settings.cacheFor.nanoseconds) / 1e9
        self.state.withLockedValue { state in
            guard state.settings == settings else { return }
            state.cache.remember(answer, about: id, until: until)
        }
        return answer
    }

    /// Reads `{blocked?, role?, username?, email?}`; 404 and 410 are users that are not known.
    static func read(_ response: OutgoingResponse) throws(Failure) -> LookupAnswer {
        if response.status == 404 || response.status == 410 { return .refused }
        guard response.isSuccess else { throw .status(response.status) }
        var limits = JSONLimits()
        limits.maximumDepth = 16
        guard let value = try? JSONValue(parsing: response.body, limits: limits), case .object = value else {
            throw .noObject
        }
        // What is no truth value may mean that the user is blocked.
        if let blocked = value["blocked"], !blocked.isNull, blocked != .bool(false) { return .refused }
        // A bare nil would be the JSON value null here.
        let role = value["role"].flatMap { $0.isNull ? JSONValue?.none : $0 }
        return .known(role: role, username: value["username"]?.stringValue, email: value["email"]?.stringValue)
    }

    /// Why the directory's answer is not known.
    enum Failure: Error, Hashable, CustomStringConvertible {
        case busy
        case noClient
        case status(Int)
        case noObject

        var description: String {
            switch self {
            case .busy: "\(UserLookup.maximumQuestions) questions to the directory of users are under way already"
            case .noClient: "the gateway has no client for HTTP to ask the directory of users with"
            case .status(let status): "the directory of users answered with status \(status) instead of 200 or 404"
            case .noObject: "the directory of users answered with something else than a JSON object"
            }
        }
    }
}
