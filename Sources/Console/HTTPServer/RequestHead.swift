import NIOHTTP1
import SocketIOWire

/// What the first line and the fields of a request say.
///
/// All names and values are compared by their bytes.
struct RequestHead: Sendable {
    enum Method: String, Sendable, Hashable {
        case get = "GET"
        case head = "HEAD"
        case post = "POST"
        case put = "PUT"
        case patch = "PATCH"
        case delete = "DELETE"
        case other

        init(_ method: HTTPMethod) {
            switch method {
            case .GET: self = .get
            case .HEAD: self = .head
            case .POST: self = .post
            case .PUT: self = .put
            case .PATCH: self = .patch
            case .DELETE: self = .delete
            default: self = .other
            }
        }

        /// The method of that name.
        init(name: UTF8Text) {
            let known: [Method] = [.get, .head, .post, .put, .patch, .delete]
            self = known.first { UTF8Text($0.rawValue) == name } ?? .other
        }
    }

    /// How long the body is.
    enum BodyLength: Sendable, Hashable {
        case none
        case bytes(Int)
        /// In chunks, until its end.
        case unknown
    }

    var method: Method
    /// `nil` if the target is no path in percent-encoded UTF-8.
    var target: RequestTarget?
    /// The `Authorization` field.
    ///
    /// The first of several counts, as in Node.
    var authorization: String?
    /// The `Accept` fields: which kinds of answers the client takes.
    var accept: [String]
    /// The `Last-Event-ID` field: up to where a reader of a stream has come.
    var lastEventID: String?
    /// The first `If-None-Match` field.
    var ifNoneMatch: String?
    /// The `If-Match` field: what is to be there still.
    var ifMatch: String?
    var bodyLength: BodyLength
    /// Whether further requests may follow on the connection.
    var isKeptAlive: Bool
    /// Whether the client waits for `100 Continue` before it sends the body.
    var expectsContinue: Bool
    /// Whether the request names its host as RFC 9112, section 3.2, demands.
    var hasValidHost: Bool

    init(_ head: HTTPRequestHead) {
        self.method = Method(head.method)
        self.target = RequestTarget(head.uri)
        let headers = head.headers
        self.authorization = headers.first(name: "authorization")
        self.accept = headers["accept"]
        self.lastEventID = headers.first(name: "last-event-id")
        self.ifNoneMatch = headers.first(name: "if-none-match")
        self.ifMatch = headers.first(name: "if-match")
        if headers.contains(name: "transfer-encoding") {
            self.bodyLength = .unknown
        } else if let length = headers.first(name: "content-length") {
            // The decoder has checked that these are digits. If they make no number here, it is too large.
            let bytes = Int(length) ?? Int.max
            self.bodyLength = bytes == 0 ? .none : .bytes(bytes)
        } else {
            self.bodyLength = .none
        }
        self.isKeptAlive = head.isKeepAlive && head.method != .CONNECT
        self.expectsContinue = headers["expect"].contains { $0.hasASCIIPrefix("100-continue") }
        let hosts = headers["host"].count
        self.hasValidHost = hosts == 1 || (hosts == 0 && head.version.minor == 0)
    }
}

/// A request's path and query, decoded.
struct RequestTarget: Sendable, Hashable {
    /// A name and its value.
    struct Parameter: Sendable, Hashable {
        var name: UTF8Text
        var value: String
    }

    /// The segments of the path, without empty ones: `["io", "rooms", "lobby", "sockets"]`.
    var path: [UTF8Text]
    var query: [Parameter]

    /// Reads `/path?query`, or the form for proxies with the host before it (`http://host/path?query`).
    ///
    /// `nil` if it is neither, or not percent-encoded UTF-8.
    init?(_ text: String) {
        var bytes = Array(text.utf8)[...]
        if bytes.first != UInt8(ascii: "/") {
            guard let scheme = Self.schemes.first(where: { text.hasASCIIPrefix($0) }) else { return nil }
            bytes = bytes.dropFirst(scheme.utf8.count)
            let host = bytes.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
            guard !host.isEmpty else { return nil }
            bytes = bytes.dropFirst(host.count)
        }
        bytes = bytes.prefix { $0 != UInt8(ascii: "#") }
        let parts = bytes.split(separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
        self.path = []
        for segment in parts.first?.split(separator: UInt8(ascii: "/")) ?? [] {
            guard let decoded = Self.decode(segment) else { return nil }
            self.path.append(UTF8Text(decoded))
        }
        self.query = []
        for pair in parts.dropFirst().first?.split(separator: UInt8(ascii: "&")) ?? [] {
            let sides = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = sides.first.flatMap({ Self.decode($0) }),
                let value = Self.decode(sides.count > 1 ? sides[1] : [])
            else { return nil }
            self.query.append(Parameter(name: UTF8Text(name), value: value))
        }
    }

    private static let schemes = ["http://", "https://", "ws://", "wss://"]

    /// Decodes percent-encoded bytes: `%41` is `A`.
    private static func decode(_ bytes: ArraySlice<UInt8>) -> String? {
        bytes.withUnsafeBufferPointer { PercentDecoding.strict($0) }.flatMap { String(validating: $0, as: UTF8.self) }
    }
}

extension String {
    /// Whether the text begins with that word of lower-case ASCII letters, in either case.
    func hasASCIIPrefix(_ word: String) -> Bool {
        self.utf8.count >= word.utf8.count
            && zip(self.utf8, word.utf8).allSatisfy { byte, wanted in
                let isUpperCase = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                return (isUpperCase ? byte | 0x20 : byte) == wanted
            }
    }
}
