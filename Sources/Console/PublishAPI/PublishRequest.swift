import Gateway
import OrderedCollections
import SocketIOWire

/// A request to the publish API, or one operation of a batch, with its body.
struct PublishRequest: Sendable {
    /// The longest path, decoded and without its slashes.
    static let maximumPathBytes = 1024
    /// The longest `eventId`, in bytes.
    static let maximumEventIDBytes = 256

    /// What its head has said.
    let admitted: AdmittedRequest
    /// The body; `null` if there was none.
    var body: JSONValue
    /// The `eventId` that an operation gets from its batch.
    var defaultEventID: String?

    init(_ admitted: AdmittedRequest, body: JSONValue) {
        self.admitted = admitted
        self.body = body
    }

    var token: APIToken { self.admitted.token }
    var route: PublishRoute { self.admitted.route }
    /// The segments of the path that the route leaves open.
    var values: [String] { self.admitted.values }
    var target: RequestTarget { self.admitted.target }

    // MARK: What there may be

    /// Refuses members that the route does not know: a misspelt `rooms` would send the event to everybody.
    func check() throws {
        if !self.route.takesAnyMember { try Self.check(self.body, members: self.route.members) }
        try Self.check(self.target.query, parameters: self.route.parameters)
    }

    /// Refuses all members but these.
    static func check(_ value: JSONValue, members: [UTF8Text]) throws {
        if value.isNull { return }
        guard case .object(let object) = value else {
            throw APIError.invalidRequest("The body must be a JSON object.")
        }
        for name in object.keys where !members.contains(name) { throw Self.unknown(name, "member", members) }
    }

    /// Refuses all parameters of a query but these.
    static func check(_ query: [RequestTarget.Parameter], parameters: [UTF8Text]) throws {
        for parameter in query where !parameters.contains(parameter.name) {
            throw Self.unknown(parameter.name, "parameter", parameters)
        }
    }

    private static func unknown(_ name: UTF8Text, _ kind: String, _ known: [UTF8Text]) -> APIError {
        let known = known.map(\.string)
        let shown = String(decoding: name.utf8.prefix(64), as: UTF8.self)
        let list = known.isEmpty ? "it has none" : "there are \(known.joined(separator: ", "))"
        let hint = Spelling.nearest(to: name.string, among: known).map { " Did you mean '\($0)'?" } ?? ""
        return .invalidRequest("'\(shown)' is no \(kind) of this request; \(list).\(hint)")
    }

    // MARK: Members of the body

    /// The body's members.
    func object() throws -> JSONObject {
        guard case .object(let members) = self.body else {
            throw APIError.invalidRequest("The body must be a JSON object.")
        }
        return members
    }

    func text(_ name: String, expected: String = "a text") throws -> String {
        try Self.text(name, of: self.body, expected: expected)
    }

    /// A text that a body must have.
    static func text(_ name: String, of body: JSONValue, expected: String = "a text") throws -> String {
        guard case .object = body else { throw APIError.invalidRequest("The body must be a JSON object.") }
        guard let text = body[name]?.stringValue, !text.isEmpty else {
            throw APIError.invalidRequest("'\(name)' must be \(expected).")
        }
        return text
    }

    func optionalText(_ name: String) throws -> String? {
        guard let value = self.body[name], !value.isNull else { return nil }
        guard let text = value.stringValue else { throw APIError.invalidRequest("'\(name)' must be a text.") }
        return text
    }

    func flag(_ name: String) throws -> Bool {
        guard let value = self.body[name], !value.isNull else { return false }
        guard let flag = value.boolValue else {
            throw APIError.invalidRequest("'\(name)' must be true or false.")
        }
        return flag
    }

    /// The rooms of the body, a list of texts.
    ///
    /// It is `nil`, which means everybody, only if the body has no such member.
    func rooms() throws -> [Room]? { try Self.rooms(of: self.body) }

    /// The rooms of a body.
    static func rooms(of body: JSONValue) throws -> [Room]? {
        guard let value = body["rooms"] else { return nil }
        let names = value.arrayValue?.map(\.stringValue)
        guard let names, !names.contains(nil) else {
            throw APIError.invalidRequest(
                "'rooms' must be a list of texts; an empty list is nobody, and without 'rooms' it is everybody."
            )
        }
        return names.compactMap { $0.map { Room($0) } }
    }

    var data: JSONValue { self.body["data"] ?? .null }

    /// `uid` and `id` of the body, or of the query if there is no body.
    func entity() throws -> (uid: String, id: EntityID) {
        let uid = self.body["uid"]?.stringValue ?? self.parameter("uid")
        let id = self.body["id"].flatMap { EntityID($0) } ?? self.parameter("id").map { EntityID.string($0) }
        guard let uid, let id, !uid.isEmpty else {
            throw APIError.invalidRequest("'uid' must be a content type's uid and 'id' a text or a number.")
        }
        return (uid, id)
    }

    /// Whether the part of the nodes that answer is enough.
    func allowsPartial() throws -> Bool {
        guard let text = self.parameter("allowPartial").map({ UTF8Text($0) }) else { return false }
        if text == "true" { return true }
        if text == "false" { return false }
        throw APIError.invalidRequest("'allowPartial' must be true or false.")
    }

    func parameter(_ name: UTF8Text) -> String? {
        self.target.query.first { $0.name == name }?.value
    }

    /// The id that makes a repeated request harmless.
    func eventID() throws -> String? {
        guard let id = try self.optionalText("eventId") else { return self.defaultEventID }
        guard (1...Self.maximumEventIDBytes).contains(id.utf8.count) else {
            throw APIError.invalidRequest("'eventId' must have 1 to \(Self.maximumEventIDBytes) bytes.")
        }
        return id
    }
}
