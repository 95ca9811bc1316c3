/// Why a request was refused before it reached a session (`connection_error` of the reference implementation).
public struct HandshakeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The protocol's error codes, 0 to 5, and this server's own behind them.
    public enum Code: Int, Sendable, CaseIterable {
        /// The query names no transport, or one that is not among ``EngineConfiguration/transports``.
        case transportUnknown = 0
        /// No session of this node has that id.
        case sessionUnknown = 1
        /// A handshake by another method than GET.
        case badHandshakeMethod = 2
        /// Anything else that is wrong in a request; the error's context says what.
        case badRequest = 3
        /// ``EngineConfiguration/allowRequest`` refused the handshake.
        case forbidden = 4
        /// The client speaks another version of the protocol than this server takes; see
        /// ``EngineConfiguration/allowEIO3``.
        case unsupportedProtocolVersion = 5
        /// There are as many connections or sessions as the server keeps.
        case serverFull = 6
        /// There are as many from the client's address as the server allows.
        case tooManyConnections = 7

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
            }
        }
    }

    /// The protocol's error code.
    public let code: Code
    /// The text that goes with the code.
    public let message: String
    /// More about the refusal, in the reference implementation's words.
    ///
    /// The key `sid` has the whole id that was asked for. A session of another node may have that id, so do not log it.
    public let context: [String: String]

    /// The code, the text, and what of the context is nobody's secret.
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

    /// What the client is told: the application's own words if it refused the handshake with some.
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
        case .serverFull: 503
        case .tooManyConnections: 429
        case .transportUnknown, .sessionUnknown, .badHandshakeMethod, .badRequest, .unsupportedProtocolVersion: 400
        }
    }

    /// Whether the request made sense, but came at a bad time.
    var isTemporary: Bool { self.status == 503 || self.status == 429 }
}
