import OrderedCollections
public import SocketIOServer
public import SocketIOWire

extension SocketIOServerHelper {
    /// How far a client has come.
    public enum ClientState: String, Sendable, Hashable, CaseIterable {
        case unauthorized
        case authenticating
        case authenticated

        /// The state of exactly that name.
        public init?(text: String) {
            let state = Self.allCases.first { UTF8Text($0.rawValue) == UTF8Text(text) }
            guard let state else { return nil }
            self = state
        }

        /// Whether a text names a state, in exactly these letters.
        public static func isValid(_ text: String) -> Bool { Self(text: text) != nil }
    }

    /// A client of any node.
    public struct Client: Sendable {
        /// The id of its socket.
        public var id: String
        /// How far it has come; of a client of another node, one that is just being asked counts as `unauthorized`.
        public var state: ClientState
        /// What is known about its socket.
        public var socket: JSONValue
    }

    /// A client by its id, on whatever node it is; `nil` if there is none.
    ///
    /// - Throws: `ClusterError` if it was not found and a node has not answered.
    public func getClients(id: String) async throws -> Client? {
        guard let found = try await self.io.sockets.find(id) else { return nil }
        let state: ClientState
        if let local = found.local {
            state = self.state(of: local)
        } else {
            state = PrincipalRecord(found.data)?.kind == .unauthorized ? .unauthorized : .authenticated
        }
        let info = SocketInfo(id: found.id, rooms: found.rooms, data: found.data, handshake: .null)
        return Client(id: found.id, state: state, socket: info.value)
    }

    /// The clients of all nodes, page by page in the order of their ids' bytes.
    ///
    /// - Parameters:
    ///   - id: Only clients with ids behind this one.
    ///   - limit: How many at most, up to ``SocketQuery/maximumLimit``.
    /// - Returns: The clients, and which nodes have not answered.
    public func getClients(after id: String? = nil, limit: Int = 100) async -> ClusterReport<[Client]> {
        var query = SocketQuery()
        query.after = id
        query.limit = limit
        return await self.io.monitoring.sockets(query).map { page in
            page.sockets.compactMap { socket in
                guard let id = socket["id"]?.stringValue else { return nil }
                let kind = socket["kind"]?.stringValue.flatMap { PrincipalRecord.Kind(text: $0) }
                return Client(id: id, state: kind == .unauthorized ? .unauthorized : .authenticated, socket: socket)
            }
        }
    }

    /// How far a client of this node has come.
    public func state(of socket: Socket) -> ClientState {
        switch self.io.gatekeeper.connections.advance(socket, { $0.state }) {
        case .authenticating?: .authenticating
        case .authenticated?: .authenticated
        case .unauthorized?, .ended?, nil: .unauthorized
        }
    }

    // MARK: By hand

    /// Tells a client the time.
    ///
    /// - Parameters:
    ///   - socket: A socket of this node.
    ///   - doIgnoreAuth: Whether a client is told that has not authenticated; otherwise it is disconnected.
    public func ping(socket: Socket, doIgnoreAuth: Bool = false) {
        guard doIgnoreAuth || self.state(of: socket) == .authenticated else { return self.disconnect(socket: socket) }
        socket.emit(Event.ping, values: [["time": self.io.context.isoTime]])
    }

    /// Disconnects a client from the main namespace, and leaves its connection open.
    public func disconnect(socket: Socket) { socket.disconnect() }

    /// Begins the time in which a client has to authenticate.
    ///
    /// That happens by itself when a client connects. A client whose time has begun is left alone.
    public func onClientConnect(socket: Socket) { self.io.gatekeeper.adopt(socket) }

    /// Lets a client in that has shown by other means who it is.
    ///
    /// It is told, joins the default rooms, and may send events, as if it had authenticated by itself.
    ///
    /// - Parameters:
    ///   - socket: A socket of this node.
    ///   - user: Who it is.
    /// - Returns: Whether it was let in now; `false` if it was before, or has left.
    @discardableResult
    public func onClientAuthenticated(socket: Socket, as user: User) async -> Bool {
        let configuration = self.io.configuration
        let role = configuration.roles.first { role in
            UTF8Text(role.type) == UTF8Text(configuration.authentication.defaultRole)
        }
        let principal = Principal.user(user, role ?? Role(type: Role.authenticatedType))
        return await self.io.gatekeeper.letIn(socket, as: AuthenticatedPrincipal(principal))
    }
}
