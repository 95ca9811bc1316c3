import Gateway
import OrderedCollections
import SocketIOServer
import SocketIOWire

extension PublishRoute {
    /// `POST /io/explain`: the body of `/io/emit` or of `/io/raw`, and about whom the answer is to be.
    static let explaining = PublishRoute(
        .post,
        "io/explain",
        "monitor",
        members: ["event", "schema", "data", "previous", "at", "rooms", "for", "eventId", "receipt"],
        .verb { io, request in
            let target = try Self.target(of: request)
            let explanation: Explanation
            if request.body["schema"] == nil {
                explanation = try await io.io.explainRaw(
                    event: try request.text("event"),
                    rooms: try request.rooms(),
                    data: request.data,
                    for: target
                )
            } else {
                guard request.body["rooms"] == nil else {
                    throw APIError.invalidRequest("An event with a 'schema' has no 'rooms'.")
                }
                explanation = try await io.io.explain(LifecycleEvent(request.body), for: target)
            }
            return VerbResult(details: explanation.value.objectValue ?? [:])
        }
    )

    /// `{"socketId": …}`, `{"userId": …}` or `{"role": …}` in `for`.
    private static func target(of request: PublishRequest) throws -> ExplanationTarget {
        guard let value = request.body["for"], !value.isNull else { return .everybody }
        try PublishRequest.check(value, members: ["socketId", "userId", "role"])
        guard case .object(let object) = value, object.count == 1, let (name, about) = object.elements.first else {
            throw APIError.invalidRequest("'for' must be an object with one of 'socketId', 'userId' and 'role'.")
        }
        if name == "userId", let id = EntityID(about) { return .user(id) }
        guard let text = about.stringValue, !text.isEmpty else {
            throw APIError.invalidRequest("'for.\(name.string)' must be a text.")
        }
        return name == "socketId" ? .socket(text) : .role(text)
    }
}
