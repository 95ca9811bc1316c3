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
final class ClientConnection: EngineSessionDelegate {
    let session: EngineSession
    let server: SocketServer
    @exclusivity(unchecked) private(set) var decoder = PacketDecoder()
    /// Most clients join one namespace.
    @exclusivity(unchecked) private var first: Socket?
    @exclusivity(unchecked) private var others: [Socket] = []
    /// Namespaces that the client wants to connect to, while it is found out whether they exist and whether it was there
    /// before.
    var pending: [UTF8Text] = []
    /// Whether the client has joined a namespace at least once.
    @exclusivity(unchecked) private(set) var hasJoined = false
    /// What the client has sent, if its packets or bytes are held against ``SocketLimits``.
    private let meter: Meter?
    /// How many reasons there are to read nothing more.
    @exclusivity(unchecked) private var pauses: Int32 = 0
    /// What the client's handlers have still to do.
    @exclusivity(unchecked) var backlog = Backlog()
    /// The connect timeout, later that of attachments.
    ///
    /// Most of the time there is none.
    private var patience: Patience?

    init(session: EngineSession, server: SocketServer) {
        self.session = session
        self.server = server
        let limits = server.configuration.limits
        self.meter = limits.packetRate != nil || limits.byteRate != nil ? Meter() : nil
        self.wait(server.configuration.connectTimeout)
    }

    var sockets: [Socket] { (self.first.map { [$0] } ?? []) + self.others }

    func socket(in namespace: String) -> Socket? {
        let namespace = UTF8Text(namespace)
        if let first = self.first, first.namespace.text == namespace { return first }
        return self.others.first { $0.namespace.text == namespace }
    }

    /// The socket that has joined that namespace.
    func connectedSocket(in namespace: String) -> Socket? {
        guard let socket = self.socket(in: namespace), socket.state == .connected else { return nil }
        return socket
    }

    /// How many namespaces the client has joined or wants to join.
    var namespaceCount: Int { (self.first == nil ? 0 : 1) + self.others.count + self.pending.count }

    func remember(_ socket: Socket) {
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

    /// A socket of the client has left a namespace.
    func left(_ namespace: Namespace) { self.server.directory.left(namespace) }

    /// Something that the client asked for was refused.
    func rejected(_ reason: String) { self.server.metrics.rejected(reason) }

    // MARK: Back-pressure

    /// Stops reading from the client until everybody who asked for it has called ``resumeReading()``.
    func pauseReading(_ reason: ServerMetrics.Pause) {
        self.server.metrics.paused(reason)
        self.pauses += 1
        if self.pauses == 1 { self.session.pauseReading() }
    }

    /// One of the reasons not to read is gone.
    func resumeReading() {
        self.pauses -= 1
        if self.pauses == 0 { self.session.resumeReading() }
    }

    /// Reads from the client or does not, as what waits for its handlers and what they wait for demands.
    ///
    /// Who is to answer a handler has to be heard, though much waits for that handler; so a client that owes an answer may
    /// send more than others. If it sends far more, it won't be heard, and who waits for it is told.
    func adjustReading() {
        let limits = self.server.configuration.limits
        if self.backlog.isAboveMark(limits) {
            let owesAnswer = self.sockets.contains { !($0.extras?.acknowledgements.isEmpty ?? true) }
            if !owesAnswer || self.isFarBehind(limits) {
                if owesAnswer {
                    for socket in self.sockets { socket.extras?.failAcknowledgements(.notRead) }
                }
                guard !self.backlog.pausesReading else { return }
                self.backlog.pausesReading = true
                return self.pauseReading(.waitingEvents)
            }
        }
        guard self.backlog.pausesReading else { return }
        self.backlog.pausesReading = false
        self.resumeReading()
    }

    private func isFarBehind(_ limits: SocketLimits) -> Bool {
        self.backlog.isFarAbove(limits)
            || self.sockets.contains { Backlog.isFarAbove($0.extras?.waitingCount ?? 0, limits.waitingEvents) }
    }

    /// Counts a message's bytes; a client that has sent too many is not read from until they are within its rate.
    private func spend(_ count: Int, _ meter: Meter) {
        guard let rate = self.server.configuration.limits.byteRate else { return }
        meter.rates.spend(bytes: count, of: rate, self.now)
        guard meter.debt == nil, self.awaitPayment(of: rate, meter) else { return }
        self.pauseReading(.byteRate)
    }

    /// - Returns: Whether there is a debt to wait for.
    private func awaitPayment(of rate: RateLimit, _ meter: Meter) -> Bool {
        guard let time = meter.rates.byteDebt(of: rate, self.now) else { return false }
        // What comes later can be more than what is known now, so the time is only when to look again.
        meter.debt = self.session.eventLoop.assumeIsolated().scheduleTask(in: min(time, .hours(1))) {
            meter.debt = nil
            if !self.awaitPayment(of: rate, meter) { self.resumeReading() }
        }
        return true
    }

    // MARK: From the connection

    func session(_ session: EngineSession, didReceiveText text: consuming ByteBuffer) {
        if let meter = self.meter { self.spend(text.readableBytes, meter) }
        do {
            let outline = try self.decoder.outline(of: text, limits: self.packetLimits)
            if outline.type == .event, self.meter == nil {
                // The way of most packets, on which nothing is made but what the handler gets.
                if let socket = self.connectedSocket(for: outline, text) { socket.receive(outline, text) }
            } else if let packet = self.decoder.packet(outline, text) {
                self.handle(packet)
            } else {
                self.awaitAttachment()
            }
        } catch {
            self.explainAuth(of: text, error)
            self.malformed(error)
        }
    }

    /// The joined namespace's socket; ends the connection if there is none.
    @inline(__always)
    private func connectedSocket(for outline: PacketOutline, _ text: borrowing ByteBuffer) -> Socket? {
        if outline.isForMainNamespace, let socket = self.first, socket.isInMainNamespace, socket.state == .connected {
            return socket
        }
        return self.connectedSocket(for: outline.namespace(in: text))
    }

    func session(_ session: EngineSession, didReceiveBinary bytes: ByteBuffer) {
        if let meter = self.meter { self.spend(bytes.readableBytes, meter) }
        do {
            if let packet = try self.decoder.decode(binary: bytes, limits: self.packetLimits) {
                self.session.keeps(partialBytes: 0)
                if self.hasJoined { self.stopWaiting() }
                self.handle(packet)
            } else {
                self.awaitAttachment()
            }
        } catch {
            self.malformed(error)
        }
    }

    private var packetLimits: PacketLimits { self.server.configuration.packetLimits }

    private var now: NIODeadline { self.session.eventLoop.now }

    func session(_ session: EngineSession, didChangeTransport transport: TransportName) {
        for socket in self.sockets {
            for listener in socket.extras?.transportChanges ?? [] { listener.body(transport) }
        }
    }

    func sessionDidClose(_ session: EngineSession, reason: CloseReason, description: String?) {
        self.stopWaiting()
        self.meter?.debt?.cancel()
        self.pending = []
        self.closeAll(DisconnectReason(rawValue: reason.rawValue, details: description))
    }

    /// Sees to it that a packet which never becomes complete is not kept for ever.
    private func awaitAttachment() {
        self.session.keeps(partialBytes: self.decoder.keptBytes)
        // Before that the connect timeout runs.
        guard self.hasJoined else { return }
        self.wait(self.server.configuration.attachmentTimeout)
    }

    /// Waits for the client for so long, from now on.
    private func wait(_ time: TimeAmount) {
        let patience = self.patience ?? Patience(for: self)
        self.patience = patience
        self.session.timers.schedule(patience, in: time)
    }

    private func stopWaiting() {
        guard let patience = self.patience.take() else { return }
        self.session.timers.cancel(patience)
    }

    fileprivate func waitedInVain() {
        self.patience = nil
        // The attachments may have come, and not been read.
        if self.hasJoined, self.pauses > 0 { return self.awaitAttachment() }
        self.server.metrics.rejected(self.hasJoined ? "attachment_timeout" : "connect_timeout")
        self.session.close()
    }

    // MARK: Packets

    private func handle(_ packet: consuming Packet) {
        if let meter = self.meter, !self.isWithinRates(packet, meter) { return }
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
    private func connectedSocket(for packet: Packet) -> Socket? { self.connectedSocket(for: packet.namespace) }

    private func connectedSocket(for namespace: String) -> Socket? {
        guard let socket = self.connectedSocket(in: namespace) else {
            self.violation("a packet for a namespace that is not joined")
            return nil
        }
        return socket
    }

    /// Whether the client may send this packet now; refuses it otherwise.
    private func isWithinRates(_ packet: Packet, _ meter: Meter) -> Bool {
        switch meter.rates.take(self.server.configuration.limits, self.now) {
        case .within: return true
        case .beyond(let limit, let isNews):
            self.refuse(packet, limit, isNews: isNews)
            return false
        case .flood(let limit):
            self.server.logger.debug(
                "A client sends far too much; its connection is closed",
                metadata: self.logMetadata
            )
            for socket in self.sockets {
                socket.exceeded(limit)
                if socket.state == .connected {
                    self.session.send(PacketEncoder.disconnect(namespace: socket.namespace.name))
                }
                socket.close(.rateLimitExceeded)
            }
            self.session.close()
            return false
        }
    }

    private func refuse(_ packet: Packet, _ limit: LimitExceeded, isNews: Bool) {
        switch packet.type {
        case .connect:
            self.refuse(packet.namespace, limit)
        case .event, .binaryEvent:
            guard let socket = self.connectedSocket(for: packet) else { return }
            if let id = packet.id {
                self.server.metrics.rejected(limit.code.rawValue)
                let answer: JSONValue = ["error": .string(limit.description), "data": limit.json]
                self.session.send(
                    PacketEncoder.acknowledgement(id: id, arguments: [answer], namespace: packet.namespace)
                )
            } else if isNews {
                socket.exceeded(limit)
            } else {
                self.server.metrics.rejected(limit.code.rawValue)
            }
        case .acknowledgement, .binaryAcknowledgement:
            // Somebody waits for it, and it costs next to nothing.
            guard let socket = self.connectedSocket(for: packet) else { return }
            socket.acknowledged(packet)
        case .disconnect:
            guard let socket = self.connectedSocket(for: packet) else { return }
            socket.close(.clientNamespaceDisconnect)
        case .connectError:
            self.violation("a CONNECT_ERROR packet from a client")
        }
    }

    /// Whose connection this is, for the log.
    private var logMetadata: Logger.Metadata {
        [
            "sio.session.id": "\(self.session.id.label)", "sio.transport": "\(self.session.transport)",
            "sio.socket.id": .array(self.sockets.map { "\($0.id)" }),
            "address": "\(self.server.engine.clientAddress(of: self.session.request))",
        ]
    }

    func violation(_ what: String) {
        self.server.metrics.malformed(.violation)
        self.server.logger.debug(
            "A client broke the protocol; its connection is closed",
            metadata: self.logMetadata.merging(["reason": "\(what)"]) { $1 }
        )
        self.forceClose()
    }

    private func malformed(_ error: PacketError) {
        self.server.metrics.malformed(.packet)
        self.server.logger.debug(
            "A client sent a malformed packet; its connection is closed",
            metadata: self.logMetadata.merging(["error": "\(error)"]) { $1 }
        )
        for socket in self.sockets { socket.tellApplication(error, nil) }
        self.forceClose()
    }

    /// Closes the connection, and ends its sockets at once: a client that polls may come for the answer much later.
    private func forceClose() {
        self.session.close()
        self.closeAll(.forcedClose)
    }

    /// The client has joined a namespace.
    func joined() {
        guard !self.hasJoined else { return }
        self.hasJoined = true
        self.stopWaiting()
        if self.decoder.isWaitingForAttachments { self.awaitAttachment() }
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

extension ClientConnection {
    /// What a client has sent, for its rates.
    ///
    /// Only a connection with rates has one.
    fileprivate final class Meter {
        var rates = ConnectionRates()
        /// Waits until the bytes that have come are within their rate.
        var debt: Scheduled<Void>?
    }

    /// Waits for a client, which has to join a namespace, or to send attachments.
    ///
    /// It is an object of its own, because a connection waits only for a moment of its life.
    fileprivate final class Patience: TimerTarget {
        var timerLinks = TimerLinks()
        private let connection: ClientConnection

        init(for connection: ClientConnection) { self.connection = connection }

        func timerFired(at now: NIODeadline) { self.connection.waitedInVain() }
    }
}
