import Incidents
public import Logging
public import Metrics
import NIOConcurrencyHelpers
public import NIOCore
import NIOPosix
import SocketIOWire
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// An Engine.IO server: HTTP long-polling, WebSocket, and the change from one to the other.
///
/// A session lives on one event loop of the group, and so does its connection.
public final class EngineServer: Sendable {
    /// Runs on a session's loop when the session opens, before the server reads any packet of it.
    ///
    /// It returns the delegate, which hears of the session and is kept until the session closes.
    public typealias SessionHandler = @Sendable (EngineSession) -> (any EngineSessionDelegate)?

    /// The state that all loops share.
    ///
    /// They use it only for handshakes, HTTP requests and ends of sessions.
    private struct State {
        var sessions: [SessionID: SessionReference] = [:]
        /// Sessions that have ended and wait for their clients' last polls.
        var lingering: [SessionID: SessionReference] = [:]
        var listeners: [any Channel] = []
        /// What measures how late the loops are; empty before the server listens.
        var lagWatches: [LoopLag] = []
        /// Ids of the application for sessions that are about to begin.
        var promisedIDs: Set<SessionID> = []
    }

    let configuration: EngineConfiguration
    let metrics: EngineMetrics
    let admission: Admission
    let incidents: IncidentLog
    let acceptState = AcceptState()
    private let logger: Logger
    private let onSession: SessionHandler
    private let group: any EventLoopGroup
    /// The loops of the group, in its order.
    package let loops: [EngineLoop]
    private let loopsByID: [ObjectIdentifier: EngineLoop]
    private let state = NIOLockedValueBox(State())
    private let stopping = Atomic(false)
    private let ids = IDSource()
    /// Whether no hook of the application looks into the requests of polling sessions.
    let takesPlainPolls: Bool
    let takesWebSockets: Bool
    /// The text that request targets must begin with, made of ``EngineConfiguration/path``.
    private let path: [UInt8]

    /// Makes a server.
    ///
    /// It does not listen yet.
    ///
    /// - Parameters:
    ///   - configuration: The settings.
    ///   - eventLoopGroup: The event loops that it runs on. It does not shut them down.
    ///   - logger: Where it logs. Sessions are logged at debug.
    ///   - metricsFactory: The factory of its metrics.
    ///   - onSession: See ``SessionHandler``.
    public init(
        configuration: EngineConfiguration = EngineConfiguration(),
        eventLoopGroup: any EventLoopGroup,
        logger: Logger,
        metricsFactory: any MetricsFactory = MetricsSystem.factory,
        onSession: @escaping SessionHandler
    ) {
        self.configuration = configuration
        self.takesPlainPolls = configuration.headers == nil && configuration.transports.contains(.polling)
        self.takesWebSockets = configuration.transports.contains(.websocket)
        self.admission = Admission(configuration)
        self.logger = logger
        self.onSession = onSession
        self.group = eventLoopGroup
        let incidents = IncidentLog(logger: logger, source: "EngineIO", eventLoop: eventLoopGroup.any())
        self.incidents = incidents
        let metrics = EngineMetrics(factory: metricsFactory, incidents: incidents)
        self.metrics = metrics
        let eventLoops = Array(eventLoopGroup.makeIterator())
        func budget(_ kind: ByteBudget.Kind, _ maximum: Int) -> ByteBudget {
            ByteBudget(kind, maximum: maximum, loopCount: eventLoops.count) { count in
                metrics.gaveUp(kind, count: count, maximum: maximum)
            }
        }
        let queued = budget(.queued, configuration.limits.maxTotalQueuedBytes)
        let requests = budget(.request, configuration.limits.maxTotalRequestBytes)
        let loops = eventLoops.map {
            EngineLoop(
                eventLoop: $0,
                metrics: metrics,
                configuration: configuration,
                queued: queued,
                requests: requests
            )
        }
        queued.count(on: loops)
        requests.count(on: loops)
        self.loops = loops
        self.loopsByID = Dictionary(
            loops.map { (ObjectIdentifier($0.eventLoop), $0) },
            uniquingKeysWith: { first, _ in first }
        )
        var path = Array(configuration.path.utf8)
        if path.last == UInt8(ascii: "/") { path.removeLast() }
        if configuration.addTrailingSlash { path.append(UInt8(ascii: "/")) }
        self.path = path
    }

    /// The engine's state for an event loop of the group.
    package func loop(of eventLoop: any EventLoop) -> EngineLoop? { self.loopsByID[ObjectIdentifier(eventLoop)] }

    // MARK: Listening

    /// Listens on an address.
    ///
    /// You may call it more than once.
    ///
    /// - Parameters:
    ///   - host: A name or address.
    ///   - port: The port; 0 takes a free one.
    /// - Returns: The address that it listens on.
    /// - Throws: ``ListenError`` if it cannot listen there; ``CookieError`` if ``EngineConfiguration/cookie`` makes no
    ///   valid cookie.
    public func listen(host: String, port: Int) async throws -> SocketAddress {
        try self.configuration.cookie?.validate()
        let bootstrap = ServerBootstrap(group: self.group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // Connections inherit it, so that nothing has to be set for each.
            .serverChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(self.makeAcceptGate())
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.configure(channel) }
            }
        let channel: any Channel
        do {
            channel = try await bootstrap.bind(host: host, port: port).get()
        } catch {
            throw ListenError(host: host, port: port, error)
        }
        guard let address = channel.localAddress else { throw ChannelError.unknownLocalAddress }
        self.state.withLockedValue { $0.listeners.append(channel) }
        self.watchLoops()
        self.logger.info(
            "Listening",
            metadata: ["address": "\(address.ipAddress ?? host)", "port": "\(address.port ?? port)"]
        )
        return address
    }

    /// Measures how late the loops are, from the first listener on.
    private func watchLoops() {
        let timer = self.metrics.loopLag
        let watches = self.state.withLockedValue { state -> [LoopLag] in
            guard state.lagWatches.isEmpty else { return [] }
            state.lagWatches = self.loops.map { LoopLag($0.eventLoop) { timer.recordNanoseconds($0.nanoseconds) } }
            return state.lagWatches
        }
        for watch in watches { watch.start() }
    }

    private func makeAcceptGate() -> AcceptGate {
        let reserved = self.configuration.limits.reservedDescriptors
        let reserve = FileDescriptors.limit.flatMap { limit in
            reserved > 0 ? DescriptorReserve(limit: limit, reserved: reserved) : nil
        }
        return AcceptGate(
            reserve: reserve,
            state: self.acceptState,
            pace: AcceptPace(),
            countFree: { mark, count, channel in
                // Without a real socket there are no descriptors to count.
                guard let descriptor = SocketDescriptor(of: channel).descriptor else { return count }
                return FileDescriptors.countFree(below: mark, atMost: count, like: descriptor)
            },
            report: { self.acceptGate($0) }
        )
    }

    private func acceptGate(_ event: AcceptGate.Event) {
        switch event {
        case .closed(let code):
            self.metrics.acceptPaused.increment()
            let limit = FileDescriptors.limit.map { "\($0)" } ?? "none"
            self.incidents.record(
                "No connections are accepted for a while: the process has too few file descriptors left",
                reason: code.map { String(cString: strerror($0)) } ?? "the rest is kept for everything else",
                level: .warning,
                details: ["limit": "\(limit)", "sessions": "\(self.sessionCount)"]
            )
        case .opened:
            self.incidents.record(
                "Connections are accepted again",
                reason: "file descriptors are free",
                level: .warning
            )
        }
    }

    /// Makes a new channel a connection of this server.
    ///
    /// Call it on the channel's event loop.
    package func configure(_ channel: any Channel) throws {
        guard let loop = self.loop(of: channel.eventLoop) else { throw ChannelError.inappropriateOperationForState }
        if let options = channel.syncOptions {
            // Channels of tests do not have these options.
            try? options.setOption(.maxMessagesPerRead, value: 1)
            try? options.setOption(.recvAllocator, value: ReceiveAllocator(loop: loop))
        }
        try HTTPConnection.addHandlers(to: channel, server: self, loop: loop)
    }

    /// Accepts no more connections.
    ///
    /// Sessions go on.
    public func stopListening() async {
        let listeners = self.state.withLockedValue { state in
            defer { state.listeners = [] }
            return state.listeners
        }
        for listener in listeners { try? await listener.close().get() }
    }

    /// Stops listening and closes every session at once, with the reason ``CloseReason/forcedClose``.
    ///
    /// It returns when the delegate of every session has heard of it. A WebSocket gets a close frame, and ends with its
    /// peer's answer, after 30 s at the latest.
    public func close() async {
        await self.stopListening()
        for watch in self.state.withLockedValue({ $0.lagWatches }) { watch.stop() }
        await self.closeSessions()
        for loop in self.loops {
            try? await loop.eventLoop.submit {
                for connection in Array(loop.connections.values) { connection.shutDown() }
                loop.reportCounts()
            }.get()
        }
    }

    /// Closes every session at once, and takes no more WebSockets.
    package func closeSessions() async {
        self.stopping.store(true, ordering: .relaxed)
        for loop in self.loops {
            let sessions = self.state.withLockedValue { $0.sessions.values.filter { $0.loop === loop } }
            try? await loop.eventLoop.submit {
                for session in sessions { session.perform { $0.close(discardingQueue: true) } }
            }.get()
        }
    }

    /// The number of open sessions.
    public var sessionCount: Int { self.state.withLockedValue { $0.sessions.count } }

    // MARK: Requests

    var isStopping: Bool { self.stopping.load(ordering: .relaxed) }

    /// Whether a request target belongs to the engine.
    ///
    /// Only the beginning decides, as in the reference implementation.
    func owns(_ target: String) -> Bool { target.withBytes { self.owns($0) } }

    func owns(_ target: Bytes) -> Bool {
        target.count >= self.path.count && target.part(0..<self.path.count).elementsEqual(self.path)
    }

    func session(_ id: SessionID) -> SessionReference? { self.state.withLockedValue { $0.sessions[id] } }

    /// The session of that id, even if it has just ended and waits for its client's last poll.
    func pollingSession(_ id: SessionID) -> SessionReference? {
        self.state.withLockedValue { $0.sessions[id] ?? ($0.lingering.isEmpty ? nil : $0.lingering[id]) }
    }

    /// The session that a request names; `nil` if it names none.
    ///
    /// - Parameters:
    ///   - query: The query of the request.
    ///   - lingering: Whether a session counts that has just ended and waits for its client's last poll.
    /// - Returns: The session, or why the request is refused.
    func session(of query: EngineQuery, lingering: Bool = false) -> Result<SessionReference?, HandshakeError> {
        switch query.session {
        case .missing:
            return .success(nil)
        case .id(let id):
            guard let session = lingering ? self.pollingSession(id) : self.session(id) else {
                return .failure(HandshakeError(.sessionUnknown, context: ["sid": id.secret]))
            }
            return .success(session)
        case .unknown(let text):
            return .failure(HandshakeError(.sessionUnknown, context: ["sid": text]))
        }
    }

    /// A session that has ended no longer waits.
    func forget(lingering session: EngineSession) {
        _ = self.state.withLockedValue { $0.lingering.removeValue(forKey: session.id) }
    }

    /// The checks that all engine requests have in common.
    func check(_ query: EngineQuery, origin: String?) -> Result<TransportName, HandshakeError> {
        let transport: TransportName
        switch query.transport {
        case .known(let name) where self.configuration.transports.contains(name): transport = name
        case .known(let name):
            return .failure(HandshakeError(.transportUnknown, context: ["transport": name.rawValue]))
        case .unknown(let text):
            return .failure(HandshakeError(.transportUnknown, context: ["transport": text]))
        case .missing:
            return .failure(HandshakeError(.transportUnknown))
        }
        if let origin, origin.utf8.contains(where: { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7F }) {
            return .failure(HandshakeError(.badRequest, context: ["name": "INVALID_ORIGIN"]))
        }
        return .success(transport)
    }

    /// Whether the server accepts the version of the protocol that a request names.
    func accepts(_ query: EngineQuery) -> Bool { query.isVersion4 || self.configuration.allowEIO3 }

    /// The server has refused a request from that address.
    func refused(_ error: HandshakeError, from address: @autoclosure () -> String?) {
        self.metrics.handshakeRejected(error.code)
        self.logger.debug(
            "Refused a request",
            metadata: ["error": "\(error)", "address": "\(address() ?? "unknown")"]
        )
        self.configuration.onHandshakeError?(error)
    }

    /// A load balancer's connection did not begin with a PROXY header.
    func proxyHeaderMissing() {
        self.metrics.malformedInput(.proxyHeader)
        self.logger.debug(
            """
            A connection from a load balancer (proxyProtocolSources) began without a PROXY header and was closed; is the \
            balancer told to send one?
            """
        )
    }

    // MARK: Sessions

    /// The address of the client behind a session's request.
    ///
    /// It is that of the connection, or the one that trusted proxies tell.
    ///
    /// It is `unreadable` if nobody can read what a trusted proxy writes, and empty if the connection has no address.
    public func clientAddress(of request: HandshakeRequest) -> String {
        self.admission.address(of: request).description
    }

    /// Believes these proxies besides those of the configuration.
    ///
    /// Call it before the first client comes.
    package func trust(_ proxies: [AddressRange]) {
        self.admission.trust(self.configuration.trustedProxies + proxies)
    }

    /// Lets pages of these origins connect, from the next request on.
    ///
    /// It replaces ``EngineConfiguration/cors``.
    public func allow(_ cors: CORSConfiguration?) {
        for loop in self.loops { loop.eventLoop.execute { loop.cors = cors } }
    }

    /// The group of addresses for which the client behind a request counts; `nil` if there is none.
    package func addressGroup(of request: HandshakeRequest) -> AddressGroup? { self.admission.group(of: request) }

    func openPollingSession(
        _ exchange: HTTPExchange,
        request: HandshakeRequest,
        query: EngineQuery,
        loop: EngineLoop
    ) {
        if let error = self.admission.openSession(request) { return exchange.refuse(error) }
        guard let id = self.makeID(for: request) else {
            self.admission.closedSession(request)
            return exchange.refuse(.idInUse)
        }
        let polling = PollingLink(
            PollingLink.Style(
                callback: query.callback,
                isVersion3: !query.isVersion4,
                isTextOnly: query.isTextOnly,
                maximumPackets: self.configuration.maxPacketsPerPoll ?? request.maximumPacketsPerPoll
            )
        )
        let session = self.makeSession(id, request, query, loop, .polling(polling), isTextOnly: false)
        session.enqueueOpening(
            self.openingPackets(
                session.id,
                upgrades: self.configuration.allowUpgrades && self.configuration.transports.contains(.websocket)
            )
        )
        var answer = session.takePayload(for: polling)
        answer.cookie = self.configuration.cookie?.headerValue(for: session.id)
        exchange.answer(.payload(answer))
        session.open(self.onSession)
    }

    func openWebSocketSession(
        _ handler: WebSocketHandler,
        id: SessionID,
        request: HandshakeRequest,
        query: EngineQuery,
        loop: EngineLoop
    ) {
        let session = self.makeSession(id, request, query, loop, .webSocket(handler), isTextOnly: query.isTextOnly)
        handler.begin(session)
        session.enqueueOpening(self.openingPackets(session.id, upgrades: false))
        session.open(self.onSession)
    }

    /// An id for a new session.
    ///
    /// Nobody else gets it until the session ends. It is `nil` if the application's id is in use.
    func makeID(for request: HandshakeRequest) -> SessionID? {
        guard let generate = self.configuration.generateID else {
            return self.ids.makeSessionID()
        }
        let id = generate(request)
        let isFree = self.state.withLockedValue {
            $0.sessions[id] == nil && $0.lingering[id] == nil && $0.promisedIDs.insert(id).inserted
        }
        return isFree ? id : nil
    }

    /// There will be no session of that id.
    func discard(_ id: SessionID) { _ = self.state.withLockedValue { $0.promisedIDs.remove(id) } }

    private func makeSession(
        _ id: SessionID,
        _ request: HandshakeRequest,
        _ query: EngineQuery,
        _ loop: EngineLoop,
        _ link: EngineSession.Link,
        isTextOnly: Bool
    ) -> EngineSession {
        let session = EngineSession(
            id: id,
            request: request,
            protocolVersion: query.isVersion4 ? 4 : 3,
            loop: loop,
            server: self,
            link: link,
            isTextOnly: isTextOnly
        )
        let reference = SessionReference(session)
        self.state.withLockedValue { state in
            state.sessions[session.id] = reference
            if !state.promisedIDs.isEmpty { state.promisedIDs.remove(session.id) }
        }
        self.metrics.connections.increment()
        (session.transport == .polling ? self.metrics.polling : self.metrics.webSocket).opened.increment()
        self.logger.debug(
            "Opened a session",
            metadata: [
                "sio.session.id": "\(session.id.label)", "sio.transport": "\(session.transport.rawValue)",
                "address": "\(self.admission.address(of: request))",
            ]
        )
        return session
    }

    private func openingPackets(_ id: SessionID, upgrades: Bool) -> [EncodedPacket] {
        func milliseconds(_ amount: TimeAmount) -> Int { Int(amount.nanoseconds / 1_000_000) }
        let handshake = EngineHandshake(
            id: id,
            upgrades: upgrades ? [TransportName.websocket.rawValue] : [],
            pingIntervalMilliseconds: milliseconds(self.configuration.pingInterval),
            pingTimeoutMilliseconds: milliseconds(self.configuration.pingTimeout),
            maximumPayloadBytes: self.configuration.maxHTTPBufferSize
        )
        let open = EncodedPacket(handshake)
        guard let initial = self.configuration.initialPacket else { return [open] }
        return [open, EncodedPacket(.message, data: ByteBuffer(string: initial))]
    }

    /// A session has ended.
    ///
    /// If it lingers, a poll can still find it.
    func sessionClosed(_ session: EngineSession, reason: CloseReason, description: String?, lingers: Bool) {
        self.admission.closedSession(session.request)
        self.state.withLockedValue { state in
            let reference = state.sessions.removeValue(forKey: session.id)
            if lingers { state.lingering[session.id] = reference }
        }
        self.metrics.sessionClosed(reason)
        self.logger.debug(
            "Closed a session",
            metadata: [
                "sio.session.id": "\(session.id.label)", "sio.transport": "\(session.transport.rawValue)",
                "address": "\(self.admission.address(of: session.request))", "reason": "\(reason)",
                "error": "\(description ?? "none")",
            ]
        )
    }
}
