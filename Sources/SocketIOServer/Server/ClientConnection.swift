import CoreMetrics
import EngineIO
import Logging
import NIOCore
import OrderedCollections
import SocketIOWire

/// One Engine.IO session and the namespaces its client has joined.
///
/// Touched on the session's loop only.
///
/// Follows section 3 of the protocol description: the first packet of a namespace is CONNECT, anything sent to a
/// namespace that is not joined ends the connection.
final class ClientConnection: EngineSessionDelegate, TimerTarget {
    let session: EngineSession
    private let server: SocketServer
    @exclusivity(unchecked) private var decoder = PacketDecoder()
    /// Most clients join one namespace.
    @exclusivity(unchecked) private var first: Socket?
    @exclusivity(unchecked) private var others: [Socket] = []
    /// Whether the client has joined a namespace at least once.
    @exclusivity(unchecked) private var hasJoined = false
    /// How many sockets have so much to do that nothing more is read.
    @exclusivity(unchecked) private var overloadedSockets = 0
    /// The place of the connect timeout, later that of attachments, in the loop's timers.
    var timerLinks = TimerLinks()

    init(session: EngineSession, server: SocketServer) {
        self.session = session
        self.server = server
        session.timers.schedule(self, in: server.configuration.connectTimeout)
    }

    private var sockets: [Socket] { (self.first.map { [$0] } ?? []) + self.others }

    private func socket(in namespace: String) -> Socket? {
        if let first = self.first, first.namespace.name == namespace { return first }
        return self.others.first { $0.namespace.name == namespace }
    }

    /// The socket that has joined that namespace.
    func connectedSocket(in namespace: String) -> Socket? {
        guard let socket = self.socket(in: namespace), socket.state == .connected else { return nil }
        return socket
    }

    private func remember(_ socket: Socket) {
        if self.first == nil {
            self.first = socket
        } else {
            self.others.append(socket)
        }
    }

    func forget(_ socket: Socket) {
        if self.first === socket {
            self.first = nil
        } else {
            self.others.removeAll { $0 === socket }
        }
    }

    // MARK: Back-pressure

    /// Stops reading from the client until every socket that asked for it has called ``resumeReading()``.
    func pauseReading() {
        self.overloadedSockets += 1
        if self.overloadedSockets == 1 { self.session.pauseReading() }
    }

    /// One of the sockets can take more.
    func resumeReading() {
        self.overloadedSockets -= 1
        if self.overloadedSockets == 0 { self.session.resumeReading() }
    }

    // MARK: From the connection

    func session(_ session: EngineSession, didReceiveText text: consuming ByteBuffer) {
        do {
            if let packet = try self.decoder.decode(text: text, limits: self.server.configuration.packetLimits) {
                self.handle(packet)
            } else {
                self.awaitAttachment()
            }
        } catch {
            self.malformed(error)
        }
    }

    func session(_ session: EngineSession, didReceiveBinary bytes: ByteBuffer) {
        do {
            if let packet = try self.decoder.decode(binary: bytes, limits: self.server.configuration.packetLimits) {
                if self.hasJoined { self.session.timers.cancel(self) }
                self.handle(packet)
            } else {
                self.awaitAttachment()
            }
        } catch {
            self.malformed(error)
        }
    }

    func sessionDidClose(_ session: EngineSession, reason: CloseReason, description: String?) {
        self.stopConnectTimer()
        self.closeAll(DisconnectReason(rawValue: reason.rawValue))
    }

    /// Sees to it that a packet which never becomes complete is not kept for ever.
    private func awaitAttachment() {
        // Before that the connect timeout runs.
        guard self.hasJoined else { return }
        self.session.timers.schedule(self, in: self.server.configuration.attachmentTimeout)
    }

    func timerFired(at now: NIODeadline) {
        // The attachments may have come, and not been read.
        if self.hasJoined, self.overloadedSockets > 0 { return self.awaitAttachment() }
        self.server.metrics.rejected(self.hasJoined ? "attachment timeout" : "connect timeout")
        self.session.close()
    }

    // MARK: Packets

    private func handle(_ packet: consuming Packet) {
        switch packet.type {
        case .event, .binaryEvent:
            guard let socket = self.connectedSocket(for: packet) else { return }
            socket.receive(packet)
        case .acknowledgement, .binaryAcknowledgement:
            guard let socket = self.connectedSocket(for: packet) else { return }
            socket.acknowledged(packet)
        case .connect:
            self.connect(packet)
        case .disconnect:
            guard let socket = self.connectedSocket(for: packet) else { return }
            socket.close(.clientNamespaceDisconnect)
        case .connectError:
            self.violation("a CONNECT_ERROR packet from a client")
        }
    }

    /// The joined namespace's socket; ends the connection if there is none.
    @inline(__always)
    private func connectedSocket(for packet: Packet) -> Socket? {
        guard let socket = self.socket(in: packet.namespace), socket.state == .connected else {
            self.violation("a packet for a namespace that is not joined")
            return nil
        }
        return socket
    }

    private func violation(_ what: String) {
        self.server.metrics.malformed("protocol violation")
        self.server.logger.debug(
            "A client broke the protocol; its connection is closed",
            metadata: ["reason": "\(what)", "sio.transport": "\(self.session.transport)"]
        )
        self.session.close()
    }

    private func malformed(_ error: PacketError) {
        self.server.metrics.malformed("packet")
        self.server.logger.debug(
            "A client sent a malformed packet; its connection is closed",
            metadata: ["error": "\(error)", "sio.transport": "\(self.session.transport)"]
        )
        for socket in self.sockets {
            guard let listeners = socket.extras?.errors else { continue }
            for listener in listeners { listener(error) }
        }
        self.session.close()
    }

    // MARK: Connecting

    private func connect(_ packet: Packet) {
        if let existing = self.socket(in: packet.namespace) {
            switch existing.state {
            case .connected, .disconnected:
                self.violation("a second CONNECT to a joined namespace")
            case .connecting:
                // A repeated CONNECT while the first is in a middleware asks for what is under way already.
                self.server.metrics.rejected("connect repeated")
            }
            return
        }
        guard let namespace = self.server.existing(packet.namespace) else {
            self.server.metrics.rejected("invalid namespace")
            self.session.send(
                PacketEncoder.connectError(namespace: packet.namespace, message: "Invalid namespace", data: nil)
            )
            return
        }
        guard self.others.count + 1 < self.server.configuration.maximumNamespacesPerConnection else {
            self.server.metrics.rejected("too many namespaces")
            self.session.send(
                PacketEncoder.connectError(namespace: packet.namespace, message: "Too many namespaces", data: nil)
            )
            return
        }
        let auth = (try? packet.payload?.value()) ?? .object([:])
        let shard = namespace.shard(on: self.session.eventLoop)
        let socket = Socket(id: self.server.makeSocketID(), shard: shard, client: self, auth: auth)
        self.remember(socket)
        let middlewares = namespace.middlewares
        guard !middlewares.isEmpty else {
            self.finishConnecting(socket)
            return
        }
        // Ends with the middlewares; a client that leaves meanwhile is noticed when they are done.
        Task(executorPreference: shard.executor) {
            do {
                for middleware in middlewares { try await middleware(socket) }
                socket.onLoop { socket.client.finishConnecting(socket) }
            } catch {
                socket.onLoop { socket.client.refuse(socket, error) }
            }
        }
    }

    private func finishConnecting(_ socket: Socket) {
        guard socket.state == .connecting else { return }
        if !self.hasJoined {
            self.hasJoined = true
            self.stopConnectTimer()
            if self.decoder.isWaitingForAttachments { self.awaitAttachment() }
        }
        let namespace = socket.namespace
        socket.state = .connected
        socket.shard.insert(socket)
        self.session.send(PacketEncoder.connect(namespace: namespace.name, sid: socket.id.description, pid: nil))
        namespace.metrics.sockets.increment()
        for handler in namespace.connectionHandlers { handler(socket) }
    }

    private func refuse(_ socket: Socket, _ error: any Error) {
        guard socket.state == .connecting else { return }
        let namespace = socket.namespace
        socket.close(.serverNamespaceDisconnect)
        self.server.metrics.rejected("middleware")
        var answer = ConnectError("Internal server error")
        if let refusal = error as? ConnectError {
            answer = refusal
        } else {
            self.server.logger.info(
                "A middleware failed with an error that is no ConnectError; the client was refused",
                metadata: ["sio.namespace": "\(namespace.name)", "error": "\(type(of: error))"]
            )
        }
        self.session.send(
            PacketEncoder.connectError(namespace: namespace.name, message: answer.message, data: answer.data)
        )
    }

    private func stopConnectTimer() {
        self.session.timers.cancel(self)
    }

    // MARK: Closing

    /// Tells the client that it left every namespace, then closes the connection.
    func disconnectAll() {
        for socket in self.sockets { socket.disconnectFromNamespace() }
        self.session.close()
    }

    /// Ends every socket of the connection.
    func closeAll(_ reason: DisconnectReason) {
        for socket in self.sockets { socket.close(reason) }
    }
}
