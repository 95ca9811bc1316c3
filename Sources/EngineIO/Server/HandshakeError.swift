/// Why a request was refused before it reached a session (`connection_error` of the reference implementation).
public struct HandshakeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The protocol's error codes 0 to 5, and further ones of this server.
    public enum Code: Int, Sendable, CaseIterable {
        /// The query names no transport, or one that ``EngineConfiguration/transports`` does not have.
        case transportUnknown = 0
        /// No session of this node has that id.
        case sessionUnknown = 1
        /// The method of a handshake is not GET.
        case badHandshakeMethod = 2
        /// Something else is wrong in a request. The error's context says what.
        case badRequest = 3
        /// ``EngineConfiguration/allowRequest`` refused the handshake.
        case forbidden = 4
        /// The client speaks a version of the protocol that this server does not accept; see
        /// ``EngineConfiguration/allowEIO3``.
        case unsupportedProtocolVersion = 5
        /// The server has as many connections or sessions as it may have.
        case serverFull = 6
        /// The client's address has as many connections or sessions as the server allows.
        case tooManyConnections = 7
        /// The server takes no new clients for now; see ``EngineConfiguration/refusesSessions``.
        case unavailable = 8

        /// The text that goes with the code.
        public var message: String {
            switch self {
            case .transportUnknown: "Transport unknown"
            case .sessionUnknown: "Session ID unknown"
            case .badHandshakeMethod: "Bad handshake method"
            case .badRequest: "Bad request"
            case .forbidden: "Forbidden"
            case .unsupportedProtocolVersion: "Unsupported protocol version"
            case .serverFull: "Server is full"
            case .tooManyConnections: "Too many connections"
            case .unavailable: "Server is unavailable"
            }
        }

        var label: String {
            switch self {
            case .transportUnknown: "transport_unknown"
            case .sessionUnknown: "sid_unknown"
            case .badHandshakeMethod: "bad_method"
            case .badRequest: "bad_request"
            case .forbidden: "forbidden"
            case .unsupportedProtocolVersion: "unsupported_version"
            case .serverFull: "server_full"
            case .tooManyConnections: "too_many_connections"
            case .unavailable: "unavailable"
            }
        }
    }

    /// The protocol's error code.
    public let code: Code
    /// The text that goes with the code.
    public let message: String
    /// Details of the refusal, in the reference implementation's words.
    ///
    /// The key `sid` has the whole id of the request. A session of another node may have that id, so do not log it.
    public let context: [String: String]

    /// The code, the text, and the part of the context that is no secret.
    public var description: String {
        let shown = self.context.filter { $0.key != "sid" }.sorted { $0.key < $1.key }
        let details = ["code: \(self.code.rawValue)"] + shown.map { "\($0.key): \($0.value)" }
        return "\(self.message) (\(details.joined(separator: ", ")))"
    }

    init(_ code: Code, context: [String: String] = [:]) {
        self.code = code
        self.message = code.message
        self.context = context
    }

    /// The text for the client.
    ///
    /// If the application has refused the handshake with a text, it is that text.
    var clientMessage: String { self.code == .forbidden ? self.context["message"] ?? self.message : self.message }

    static func transportMismatch(requested: String, current: TransportName) -> Self {
        Self(
            .badRequest,
            context: [
                "name": "TRANSPORT_MISMATCH", "transport": requested, "previousTransport": current.rawValue,
            ]
        )
    }

    static func forbidden(_ message: String?) -> Self {
        Self(.forbidden, context: message.map { ["message": $0] } ?? [:])
    }

    static let foreignOrigin = Self(
        .forbidden,
        context: ["name": "FOREIGN_ORIGIN", "message": "Pages of this origin may not connect"]
    )

    static let idInUse = Self(.badRequest, context: ["name": "ID_GENERATION_ERROR"])

    static let unsupportedVersion = Self(.unsupportedProtocolVersion, context: ["protocol": "3"])

    static func serverFull(_ limit: String) -> Self { Self(.serverFull, context: ["limit": limit]) }

    static func tooManyConnections(_ limit: String) -> Self { Self(.tooManyConnections, context: ["limit": limit]) }

    var status: Int {
        switch self.code {
        case .forbidden: 403
        case .serverFull, .unavailable: 503
        case .tooManyConnections: 429
        case .transportUnknown, .sessionUnknown, .badHandshakeMethod, .badRequest, .unsupportedProtocolVersion: 400
        }
    }

    /// Whether the same request may succeed later.
    var isTemporary: Bool { self.status == 503 || self.status == 429 }
}
