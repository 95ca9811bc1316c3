import Foundation
import Gateway
import OrderedCollections
import SocketIOWire

/// A request to the publish API, or one operation of a batch.
struct PublishRequest: Sendable {
    /// The longest path, decoded and without its slashes.
    static let maximumPathBytes = 1024

    var method: String
    /// The decoded segments of the path: `["io", "rooms", "lobby", "sockets"]`.
    var path: [String]
    var query: [String: String]
    /// The body, `null` if there was none.
    var body: JSONValue

    /// Takes a request apart; `nil` if its target is not percent-encoded UTF-8.
    ///
    /// - Parameters:
    ///   - method: The HTTP method.
    ///   - target: The path, and optionally `?` and a query.
    ///   - body: The body, `null` if there is none.
    init?(method: String, target: String, body: JSONValue) {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var path: [String] = []
        for segment in parts.first?.split(separator: "/") ?? [] {
            guard let decoded = segment.removingPercentEncoding else { return nil }
            path.append(decoded)
        }
        var query: [String: String] = [:]
        for pair in parts.dropFirst().first?.split(separator: "&") ?? [] {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = sides.first?.removingPercentEncoding else { return nil }
            guard let value = (sides.count > 1 ? String(sides[1]) : "").removingPercentEncoding else { return nil }
            query[name] = value
        }
        self.method = method
        self.path = path
        self.query = query
        self.body = body
    }

    // MARK: Members of the body

    /// The body's members.
    func object() throws -> JSONObject {
        guard case .object(let members) = self.body else {
            throw PublishError.invalidRequest("The body must be a JSON object.")
        }
        return members
    }

    /// Refuses members that are not meant: a misspelt one that narrows an event down would send it to everybody.
    func allowOnly(_ names: String...) throws {
        let known = Set(names.map { UTF8Text($0) })
        for name in try self.object().keys where !known.contains(name) {
            throw PublishError.invalidRequest(
                "'\(name.string.prefix(64))' is no member of this request; there are \(names.joined(separator: ", "))."
            )
        }
    }

    func text(_ name: String, expected: String = "a text") throws -> String {
        guard let text = try self.object()[name]?.stringValue, !text.isEmpty else {
            throw PublishError.invalidRequest("'\(name)' must be \(expected).")
        }
        return text
    }

    func optionalText(_ name: String) throws -> String? {
        guard let value = self.body[name], !value.isNull else { return nil }
        guard let text = value.stringValue else { throw PublishError.invalidRequest("'\(name)' must be a text.") }
        return text
    }

    /// The rooms of the body: a list of texts; `nil` if there are none.
    func rooms() throws -> [Room]? {
        guard let value = self.body["rooms"], !value.isNull else { return nil }
        guard let elements = value.arrayValue else {
            throw PublishError.invalidRequest("'rooms' must be a list of texts.")
        }
        return try elements.map { element in
            guard let name = element.stringValue, !name.isEmpty else {
                throw PublishError.invalidRequest("'rooms' must be a list of texts.")
            }
            return Room(name)
        }
    }

    var data: JSONValue { self.body["data"] ?? .null }

    /// `uid` and `id` of the body, or of the query where there is no body.
    func entity() throws -> (uid: String, id: EntityID) {
        let uid = self.body["uid"]?.stringValue ?? self.query["uid"]
        let id = self.body["id"].flatMap { EntityID($0) } ?? self.query["id"].map { EntityID.string($0) }
        guard let uid, let id, !uid.isEmpty else {
            throw PublishError.invalidRequest("'uid' must be a content type's uid and 'id' a text or a number.")
        }
        return (uid, id)
    }

    /// The id that makes a repeated request harmless.
    func eventID() throws -> String? {
        guard let id = try self.optionalText("eventId") else { return nil }
        guard (1...EventMemory.maximumLength).contains(id.utf8.count) else {
            throw PublishError.invalidRequest("'eventId' must have 1 to \(EventMemory.maximumLength) bytes.")
        }
        return id
    }
}
