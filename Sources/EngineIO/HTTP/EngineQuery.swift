import SocketIOWire

/// The query parameters that the engine uses.
///
/// It reads them in one pass over the target's bytes.
struct EngineQuery {
    /// `transport`.
    enum Transport: Equatable {
        case missing
        case known(TransportName)
        /// An unknown transport, with the beginning of its name.
        case unknown(String)
    }

    /// `sid`.
    ///
    /// An empty one counts as absent.
    enum Session: Equatable {
        case missing
        case id(SessionID)
        /// A text that can be the id of no session.
        case unknown(String)
    }

    /// Whether the query has `EIO=4`, so that the client speaks protocol 4.
    ///
    /// All other clients count as speaking protocol 3.
    private(set) var isVersion4 = false
    private(set) var transport = Transport.missing
    private(set) var session = Session.missing
    /// Whether the query has `b64`, so that the client cannot take raw bytes.
    private(set) var isTextOnly = false
    /// The digits of the JSON-P callback's index, from `j`.
    private(set) var callback: String?

    /// Whether the query has nothing that the engine uses.
    var isEmpty: Bool {
        self.transport == .missing && self.session == .missing && !self.isVersion4 && !self.isTextOnly
            && self.callback == nil
    }

    private static let maximumShownBytes = 64

    init(target: String) { self = target.withBytes { Self(target: $0) } }

    init(target: Bytes) {
        RequestTarget.forEachParameter(in: target) { name, value in
            RequestTarget.withDecoded(name) { self.read($0, value) }
        }
    }

    @inline(__always)
    private mutating func read(_ name: Bytes, _ value: Bytes) {
        if name.equals("EIO") {
            self.isVersion4 = RequestTarget.withDecoded(value) { $0.equals("4") }
        } else if name.equals("transport") {
            self.transport = RequestTarget.withDecoded(value, Self.transport)
        } else if name.equals("sid") {
            self.session = RequestTarget.withDecoded(value, Self.session)
        } else if name.equals("b64") {
            self.isTextOnly = !value.isEmpty
        } else if name.equals("j") {
            self.callback = RequestTarget.withDecoded(value) { String(decoding: $0.filter(\.isDigit), as: UTF8.self) }
        }
    }

    private static func transport(_ value: Bytes) -> Transport {
        if value.equals("polling") { return .known(.polling) }
        if value.equals("websocket") { return .known(.websocket) }
        return .unknown(value.part(0..<min(value.count, Self.maximumShownBytes)).text)
    }

    private static func session(_ value: Bytes) -> Session {
        guard !value.isEmpty else { return .missing }
        return SessionID(utf8: UnsafeRawBufferPointer(value)).map(Session.id) ?? .unknown(value.text)
    }
}
