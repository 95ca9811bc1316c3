import NIOHTTP1

/// The header fields that the engine uses.
///
/// It finds them in one pass over a request's head.
///
/// Repeated fields are read as Node reads them; see ``FieldRepetition``.
struct RequestFields {
    private(set) var hostCount = 0
    private(set) var origin: String?
    private(set) var userAgent: String?
    private(set) var contentType: String?
    private(set) var acceptedEncodings: String?
    private(set) var upgrade: String?
    /// `Access-Control-Request-Headers`.
    private(set) var requestedHeaders: String?
    private(set) var expects = false
    /// Whether `Accept` names `text/html`, as browsers do when they open a page.
    private(set) var acceptsHTML = false
    /// Whether a `Connection` field names `upgrade`.
    private(set) var connectionUpgrades = false

    /// Makes fields without values.
    init() {}

    init(_ headers: HTTPHeaders) {
        for (name, value) in headers { name.withBytes { self.read($0, value) } }
    }

    /// Whether the request asks for another protocol, so that the decoder stops behind it.
    var asksForUpgrade: Bool { self.upgrade != nil && self.connectionUpgrades }

    /// Whether that protocol is WebSocket, or WebSocket is among those offered.
    var asksForWebSocket: Bool {
        self.connectionUpgrades && self.upgrade?.withBytes { $0.names("websocket") } ?? false
    }

    @inline(__always)
    private mutating func read(_ name: Bytes, _ value: String) {
        switch name.count {
        case 4 where name.equalsIgnoringCase("host"):
            self.hostCount += 1
        case 6 where name.equalsIgnoringCase("origin"):
            self.origin.join(value)
        case 6 where name.equalsIgnoringCase("accept"):
            if value.withBytes({ $0.contains("text/html") }) { self.acceptsHTML = true }
        case 6 where name.equalsIgnoringCase("expect"):
            self.expects = true
        case 7 where name.equalsIgnoringCase("upgrade"):
            self.upgrade.join(value)
        case 10 where name.equalsIgnoringCase("user-agent"):
            if self.userAgent == nil { self.userAgent = value }
        case 10 where name.equalsIgnoringCase("connection"):
            if value.withBytes({ $0.names("upgrade") }) { self.connectionUpgrades = true }
        case 12 where name.equalsIgnoringCase("content-type"):
            if self.contentType == nil { self.contentType = value }
        case 15 where name.equalsIgnoringCase("accept-encoding"):
            self.acceptedEncodings.join(value)
        case 30 where name.equalsIgnoringCase("access-control-request-headers"):
            self.requestedHeaders.join(value)
        default:
            break
        }
    }
}

extension String? {
    /// Adds another value of a field behind a comma, as Node does.
    @inline(__always)
    fileprivate mutating func join(_ value: String) {
        if let first = self {
            self = first + ", " + value
        } else {
            self = value
        }
    }
}

extension Bytes {
    /// Whether a list contains a token.
    ///
    /// The token must be given in lower case.
    func names(_ token: StaticString) -> Bool {
        var isNamed = false
        self.split(at: UInt8(ascii: ",")) { item in
            isNamed = item.trimmed.equalsIgnoringCase(token)
            return !isNamed
        }
        return isNamed
    }
}
