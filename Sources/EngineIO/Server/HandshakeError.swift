/// Why a request was refused before it reached a session (`connection_error` of the reference implementation).
public struct HandshakeError: Error, Hashable, Sendable {
    /// The protocol's error codes.
    public enum Code: Int, Sendable, CaseIterable {
        case transportUnknown = 0
        case sessionUnknown = 1
        case badHandshakeMethod = 2
        case badRequest = 3
        case forbidden = 4
        case unsupportedProtocolVersion = 5

        /// The text that goes with the code.
        public var message: String {
            switch self {
            case .transportUnknown: "Transport unknown"
            case .sessionUnknown: "Session ID unknown"
            case .badHandshakeMethod: "Bad handshake method"
            case .badRequest: "Bad request"
            case .forbidden: "Forbidden"
            case .unsupportedProtocolVersion: "Unsupported protocol version"
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
            }
        }
    }

    /// The protocol's error code.
    public let code: Code
    /// The text that goes with the code.
    public let message: String
    /// More for logs, in the reference implementation's words.
    public let context: [String: String]

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

    static let unsupportedVersion = Self(.unsupportedProtocolVersion, context: ["protocol": "3"])

    var status: Int { self.code == .forbidden ? 403 : 400 }
}
