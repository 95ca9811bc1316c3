import CoreMetrics
import EngineIO
import Incidents
import Logging
import NIOCore
import OrderedCollections
import SocketIOWire

/// From CONNECT to its answer.
///
/// A namespace may have to be asked for, a socket of the same client to be closed on another loop, a middleware to
/// decide: all of that takes time, during which there is one pending CONNECT for a namespace at most, and the
/// connection may end.
extension ClientConnection {
    /// Handles a CONNECT packet.
    func connect(_ packet: Packet) {
        guard self.isVersion2 else {
            let bytes = packet.payload?.json.readableBytes ?? 0
            self.connect(to: packet.namespace, authBytes: bytes) { (try? packet.payload?.value()) ?? .object([:]) }
            return
        }
        // What clients of protocol 5 send as `auth` is a query behind the namespace's name here.
        let name = packet.namespace.utf8.prefix { $0 != UInt8(ascii: "?") }
        self.connect(to: String(Substring(name)), authBytes: packet.namespace.utf8.count - name.count) {
            let query = RequestTarget.query(of: packet.namespace)
            return .object(JSONObject(query.map { (UTF8Text($0.name), .string($0.value)) }) { $1 })
        }
    }

    /// Joins the main namespace for a client of Socket.IO 2, which takes that for granted.
    func connectVersion2() {
        let connection = NIOLoopBound(self, eventLoop: self.session.eventLoop)
        // When the session has this connection as its delegate.
        self.session.eventLoop.execute {
            guard connection.value.session.state == .open else { return }
            connection.value.connect(to: "/", authBytes: 0) { .object([:]) }
        }
    }

    /// Whether the client speaks the protocol of Socket.IO 2: the same packets, but for those that connect.
    private var isVersion2: Bool { self.session.protocolVersion == 3 }

    private func connect(to name: String, authBytes: Int, auth readAuth: () -> JSONValue) {
        if let existing = self.socket(in: name), existing.state != .connecting {
            self.violation("a second CONNECT to a joined namespace")
            return
        }
        guard self.socket(in: name) == nil, !self.pending.contains(UTF8Text(name)) else {
            // A repeated CONNECT while the first is under way asks for what it gets already.
            self.server.metrics.rejected("connect_repeated")
            return
        }
        let limits = self.server.configuration.limits
        guard self.namespaceCount < limits.namespacesPerConnection else {
            self.refuse(name, LimitExceeded(code: .namespacesPerConnection, limit: limits.namespacesPerConnection))
            return
        }
        guard authBytes <= limits.authBytes else {
            self.refuse(name, LimitExceeded(code: .authBytes, limit: limits.authBytes))
            return
        }
        self.seekAdmission(to: name, readAuth())
    }

    private func seekAdmission(to name: String, _ auth: JSONValue) {
        let (directory, eventLoop, request) = (self.server.directory, self.session.eventLoop, self.session.request)
        let admission = directory.admit(name, request)
        guard case .undecided(let parents) = admission else {
            self.admitted(admission, name, auth)
            return
        }
        let connection = self.begins(name)
        // Ends when the closures have decided; a connection that has ended by then hears nothing of it.
        Task(executorPreference: self.server.executor(on: eventLoop)) {
            let admission = await directory.admit(name, request, auth: auth, asking: parents)
            eventLoop.execute {
                guard connection.value.ends(name) else {
                    if case .admitted(let namespace) = admission { directory.left(namespace) }
                    return
                }
                connection.value.admitted(admission, name, auth)
            }
        }
    }

    /// Another client is making the namespace: goes on when that is done.
    private func awaitMaking(of name: String, _ auth: JSONValue) {
        let eventLoop = self.session.eventLoop
        let connection = self.begins(name)
        self.server.directory.whenMade(name) {
            eventLoop.execute {
                guard connection.value.ends(name) else { return }
                connection.value.seekAdmission(to: name, auth)
            }
        }
    }

    /// Something is found out about a namespace: until then it is pending.
    func begins(_ name: String) -> NIOLoopBound<ClientConnection> {
        self.pending.append(UTF8Text(name))
        return NIOLoopBound(self, eventLoop: self.session.eventLoop)
    }

    /// It has been found out.
    ///
    /// - Returns: Whether anybody is still interested: the connection may have ended.
    func ends(_ name: String) -> Bool {
        guard let index = self.pending.firstIndex(of: UTF8Text(name)) else { return false }
        self.pending.remove(at: index)
        return true
    }

    private func admitted(_ admission: NamespaceDirectory.Admission, _ name: String, _ auth: JSONValue) {
        switch admission {
        case .admitted(let namespace):
            self.enter(namespace, auth)
        case .refused(let limit):
            self.refuse(name, limit)
        case .beingMade:
            self.awaitMaking(of: name, auth)
        case .unknown, .undecided:
            self.server.metrics.rejected("invalid_namespace")
            // The same for clients of Socket.IO 2, as by the official server: an object, unlike other refusals.
            self.session.send(PacketEncoder.connectError(namespace: name, message: "Invalid namespace", data: nil))
        }
    }

    /// Refuses a CONNECT because of a limit.
    func refuse(_ name: String, _ limit: LimitExceeded) {
        self.server.metrics.rejected(limit.code.rawValue)
        self.sendError(name, message: limit.description, data: limit.json)
    }

    /// Tells a client what is wrong if its CONNECT carries a text or a list as `auth`.
    ///
    /// The connection is closed then, as by the official server, which gives no reason.
    func explainAuth(of text: borrowing ByteBuffer, _ error: PacketError) {
        guard error.reason == .invalidPayload, error.underlying == nil,
            text.readableBytesView.first == UInt8(ascii: "0")
        else { return }
        var bytes = text.readableBytesView.dropFirst()
        bytes = bytes.first == UInt8(ascii: "/") ? bytes.prefix { $0 != UInt8(ascii: ",") } : bytes.prefix(0)
        self.session.send(
            PacketEncoder.connectError(
                namespace: bytes.isEmpty ? "/" : String(decoding: bytes, as: UTF8.self),
                message: "auth must be an object, such as {token: \"…\"}, and no text, number or list",
                data: nil
            )
        )
    }

    private func sendError(_ name: String, message: String, data: JSONValue?) {
        guard self.isVersion2 else {
            self.session.send(PacketEncoder.connectError(namespace: name, message: message, data: data))
            return
        }
        self.session.send(PacketEncoder.packet(.connectError, namespace: name, data: data ?? .string(message)))
    }

    // MARK: New clients

    private func enter(_ namespace: Namespace, _ auth: JSONValue) {
        guard let recovery = namespace.recovery, case .string(let text)? = auth["pid"], let id = SessionID(text) else {
            self.beginAnew(in: namespace, auth)
            return
        }
        switch auth["offset"] {
        case nil: self.recover(Return(id: id, offset: nil, auth: auth), in: namespace, recovery)
        case .string(let offset)?: self.recover(Return(id: id, offset: offset, auth: auth), in: namespace, recovery)
        default: self.beginAnew(in: namespace, auth)
        }
    }

    func beginAnew(in namespace: Namespace, _ auth: JSONValue) {
        let socket = Socket(id: self.server.makeSocketID(), in: namespace, client: self, auth: auth)
        self.remember(socket)
        self.runMiddlewares(for: socket) { socket in socket.client.finishConnecting(socket) }
    }

    /// Asks the middlewares about a socket, then continues on the loop.
    func runMiddlewares(
        for socket: Socket,
        then body: @escaping @Sendable (Socket) -> Void
    ) {
        let middlewares = socket.namespace.middlewares
        guard !middlewares.isEmpty else {
            self.server.metrics.decided(after: .zero, isRefused: false)
            body(socket)
            return
        }
        let (metrics, begun) = (self.server.metrics, self.session.eventLoop.now)
        // Ends with the middlewares; a client that leaves meanwhile is noticed when they are done.
        Task(executorPreference: socket.shard.executor) {
            do {
                for middleware in middlewares { try await middleware(socket) }
                metrics.decided(after: socket.eventLoop.now - begun, isRefused: false)
                socket.onLoop { body(socket) }
            } catch {
                metrics.decided(after: socket.eventLoop.now - begun, isRefused: true)
                socket.onLoop { socket.client.refuse(socket, error) }
            }
        }
    }

    private func finishConnecting(_ socket: Socket) {
        guard socket.state == .connecting else { return }
        self.joined()
        socket.namespace.recovery?.connected(socket)
        self.finish(socket, missedEvents: [])
    }

    /// A socket is connected: the client gets what it missed, then the answer.
    func finish(_ socket: Socket, missedEvents: [EncodedPacket], goingOn ticket: RecoveryTicket? = nil) {
        let namespace = socket.namespace
        socket.state = .connected
        socket.shard.insert(socket)
        if let ticket { namespace.recovery?.returned(ticket, to: socket) }
        for event in missedEvents { self.session.send(event) }
        self.session.send(
            self.isVersion2
                ? PacketEncoder.connect(namespace: namespace.name, auth: nil)
                : PacketEncoder.connect(
                    namespace: namespace.name,
                    sid: socket.id.description,
                    pid: socket.ticket?.id.secret,
                    offset: socket.ticket.flatMap { namespace.recovery?.form.text(of: $0.told) }
                )
        )
        namespace.metrics.sockets.increment()
        namespace.logger.debug(
            "A client joined a namespace",
            metadata: [
                "sio.socket.id": "\(socket.id)", "sio.namespace": "\(namespace.name)",
                "sio.session.id": "\(self.session.id.label)",
            ]
        )
        let handlers = namespace.connectionHandlers
        guard !handlers.isEmpty else { return }
        // What the handlers send is no part of this write: there are clients that handle all messages of one read at
        // once, before those who waited for the answer listen to events.
        self.session.endWrite()
        for handler in handlers { handler(socket) }
    }

    private func refuse(_ socket: Socket, _ error: any Error) {
        guard socket.state == .connecting else { return }
        let namespace = socket.namespace
        if socket.isRecovered, error is RecoveryRefusal { return self.beginAgain(instead: socket) }
        socket.close(.serverNamespaceDisconnect)
        self.server.metrics.rejected("middleware")
        var answer = ConnectError("Internal server error")
        if let refusal = error as? ConnectError {
            answer = refusal
        } else {
            self.server.incidents.record(
                "A middleware failed with an error that is no ConnectError; the client was refused",
                reason: "middleware",
                level: .warning,
                pace: .failures,
                details: [
                    "sio.namespace": "\(boundedText(namespace.name))", "sio.socket.id": "\(socket.id)",
                    "error": "\(boundedDescription(of: error))",
                ]
            )
        }
        self.sendError(namespace.name, message: answer.message, data: answer.data)
    }
}
