import Gateway
import OrderedCollections
import SocketIOServer
import SocketIOWire

extension PublishRoute {
    /// `POST /io/tokens/revoke` with `{jti, expiresAt?}`, `{userId, issuedBefore?}`, `{issuedBefore}` or `{apiToken}`.
    static let revoking = PublishRoute(
        .post,
        "io/tokens/revoke",
        "tokens",
        members: ["jti", "userId", "issuedBefore", "apiToken", "expiresAt"],
        .verb { io, request in
            let revocation = try await io.io.revoke(try Self.tokens(in: try request.object()))
            var details: JSONObject = [
                "until": revocation.endsAt.map { .double($0) } ?? .null
            ]
            switch revocation.subject {
            case .user, .everybody: details["issuedBefore"] = .double(revocation.issuedBefore)
            case .token, .apiToken: break
            }
            return VerbResult(details: details)
        }
    )

    private static func tokens(in body: JSONObject) throws -> RevokedTokens {
        let issuedBefore = try Self.time("issuedBefore", in: body)
        let expiresAt = try Self.time("expiresAt", in: body)
        let subjects = ["jti", "userId", "apiToken"].filter { body[$0].map { !$0.isNull } ?? false }
        guard subjects.count <= 1, let name = subjects.first ?? (issuedBefore == nil ? nil : "issuedBefore") else {
            throw APIError.invalidRequest("The body must have one of 'jti', 'userId', 'apiToken' and 'issuedBefore'.")
        }
        if expiresAt != nil, name != "jti" {
            throw APIError.invalidRequest("'expiresAt' goes with 'jti' only.")
        }
        if issuedBefore != nil, name == "jti" || name == "apiToken" {
            throw APIError.invalidRequest(
                "'issuedBefore' goes with 'userId', or stands alone for the tokens of everybody."
            )
        }
        switch name {
        case "jti": return .token(id: try Self.id(name, in: body), expiresAt: expiresAt)
        case "apiToken": return .apiToken(try Self.id(name, in: body))
        case "userId":
            guard let id = body["userId"].flatMap({ EntityID($0) }) else {
                throw APIError.invalidRequest("'userId' must be a text or a number.")
            }
            return .user(id, issuedBefore: issuedBefore)
        default: return .everybody(issuedBefore: issuedBefore ?? 0)
        }
    }

    private static func id(_ name: String, in body: JSONObject) throws -> String {
        guard let text = body[name]?.stringValue, !text.isEmpty else {
            throw APIError.invalidRequest("'\(name)' must be a text.")
        }
        return text
    }

    /// Unix time in seconds.
    private static func time(_ name: String, in body: JSONObject) throws -> Double? {
        guard let value = body[name], !value.isNull else { return nil }
        guard let time = value.doubleValue else {
            throw APIError.invalidRequest("'\(name)' must be a Unix time in seconds, such as 1767225600.")
        }
        return time
    }
}
