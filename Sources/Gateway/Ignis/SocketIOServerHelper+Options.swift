public import NIOCore
public import SocketIOWire

extension SocketIOServerHelper {
    /// Names of events.
    public enum Event {
        /// Tells a client the time: `{time}`.
        public static let ping = "ping"
        /// A client has connected.
        public static let connection = "connection"
        /// A client has left.
        public static let disconnect = "disconnect"
        /// A client wants to join rooms: `{rooms}`.
        public static let join = "join"
        /// A client wants to leave rooms: `{rooms}`.
        public static let leave = "leave"
        /// A client wants to be let in.
        public static let authenticate = "authenticate"
        /// A client was let in: `{id, time}`.
        public static let authenticated = "authenticated"
        /// A client was not let in: `{message, time}`.
        public static let unauthenticated = "unauthenticated"
    }

    /// How the helper works.
    public struct Options: Sendable {
        /// Names the helper in the log.
        public var identifier: String
        /// Decides whether a client is let in, and who it is; `nil` for a client that is not.
        public var authenticate: @Sendable (_ handshake: JSONValue) async throws -> User?
        /// Which of the rooms a client may join.
        ///
        /// Without it, clients join no rooms by themselves. It is asked for each room by itself. Rooms of the gateway are never asked for.
        public var validateRooms: (@Sendable (_ socketID: String, _ rooms: [String]) async throws -> [String])?
        /// Called when a client has authenticated.
        public var clientConnected: (@Sendable (_ socketID: String) async throws -> Void)?
        /// The rooms that each client joins when it has authenticated.
        public var defaultRooms = ["io-default", "io-notification"]
        /// How long a client may stay connected without authenticating.
        public var authenticateTimeout = TimeAmount.seconds(10)
        /// How often clients are told the time; `.zero` for never.
        public var pingInterval = TimeAmount.seconds(30)

        /// Options with a function that says who a client is.
        ///
        /// - Parameters:
        ///   - identifier: Names the helper in the log.
        ///   - authenticate: Gets the handshake as an object with the keys of Socket.IO, such as `headers` and `auth`.
        public init(
            identifier: String,
            authenticating authenticate: @escaping @Sendable (_ handshake: JSONValue) async throws -> User?
        ) {
            self.identifier = identifier
            self.authenticate = authenticate
        }

        /// Options with a function that says only whether a client is let in.
        ///
        /// Each such client is a user of its own, with an id that nobody knows.
        public init(
            identifier: String,
            authenticateFn: @escaping @Sendable (_ handshake: JSONValue) async throws -> Bool
        ) {
            self.init(identifier: identifier) { handshake -> User? in
                guard try await authenticateFn(handshake) else { return nil }
                var generator = SystemRandomNumberGenerator()
                let bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
                return User(id: .string("client-" + APIToken.hexadecimal(bytes)))
            }
        }

        /// A configuration and hooks that do what the options say.
        func applied(to given: GatewayConfiguration) -> (GatewayConfiguration, GatewayHooks) {
            var configuration = given
            configuration.authentication.mode = .event
            configuration.authentication.timeout = self.authenticateTimeout
            configuration.rooms.defaultRooms = self.defaultRooms
            // The function alone decides.
            for index in configuration.roles.indices {
                configuration.roles[index].joinPolicy = self.validateRooms == nil ? [] : ["*"]
            }
            let role = configuration.roles.first { role in
                UTF8Text(role.type) == UTF8Text(configuration.authentication.defaultRole)
            }
            var hooks = GatewayHooks()
            let authenticate = self.authenticate
            hooks.authenticate = { request in
                guard let user = try await authenticate(request.handshake) else { return nil }
                return AuthenticatedPrincipal(.user(user, role ?? Role(type: Role.authenticatedType)))
            }
            if let validateRooms = self.validateRooms {
                hooks.allowJoin = { room, socketID, _ in
                    try await validateRooms(socketID, [room]).contains { UTF8Text($0) == UTF8Text(room) }
                }
            }
            if let clientConnected = self.clientConnected {
                hooks.clientConnected = { socketID, _ in try await clientConnected(socketID) }
            }
            return (configuration, hooks)
        }
    }
}
