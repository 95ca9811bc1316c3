public import EngineIO
import Incidents
public import Logging
import Metrics
import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
public import SocketIOServer
public import SocketIOWire

/// The server helper of ignis: clients connect first, and then authenticate with an event.
///
/// It is a gateway in event mode, with the methods that applications of ignis know. All of them apply to the whole cluster,
/// unless they take a socket.
///
/// ```swift
/// import Gateway
/// import SocketIOServer
///
/// func install(on server: SocketServer) async throws -> SocketIOServerHelper {
///     var options = SocketIOServerHelper.Options(identifier: "chat") { handshake in
///         handshake["auth"]?["token"] == "secret"
///     }
///     options.validateRooms = { _, rooms in rooms.filter { $0.hasPrefix("team-") } }
///     return try await SocketIOServerHelper.install(on: server, options: options)
/// }
/// ```
public final class SocketIOServerHelper: Sendable {
    /// A message: an event's name and its argument.
    public typealias Payload = IO.Message

    private struct State {
        var pings: RepeatedTask?
        var isShutDown = false
    }

    /// The gateway that does the work.
    public let io: IO
    /// What the helper was installed with.
    public let options: Options
    private let logger: Logger
    private let state = NIOLockedValueBox(State())

    /// Puts the helper on a server; call it before the server listens.
    ///
    /// - Parameters:
    ///   - server: The server that clients connect to.
    ///   - options: Who may connect and join, and when clients are pinged.
    ///   - configuration: What else the gateway does. The options replace its mode of authentication, its time for that,
    ///     and its default rooms.
    ///   - sharing: What the gateways of the cluster share. By default the gateway is alone.
    ///   - logger: Where it logs. By default it does not log.
    /// - Returns: The helper.
    /// - Throws: ``GatewayError`` with every problem of the configuration.
    public static func install(
        on server: SocketServer,
        options: Options,
        configuration: GatewayConfiguration = GatewayConfiguration(),
        sharing: Sharing = Sharing(),
        logger: Logger = Logger(label: "socketio.helper", factory: { _ in SwiftLogNoOpLogHandler() })
    ) async throws -> SocketIOServerHelper {
        let (configuration, hooks) = options.applied(to: configuration)
        let io = try await IO.install(
            on: server,
            configuration: configuration,
            hooks: hooks,
            sharing: sharing,
            logger: logger
        )
        return SocketIOServerHelper(io, options, logger)
    }

    private init(_ io: IO, _ options: Options, _ logger: Logger) {
        self.io = io
        self.options = options
        self.logger = logger
        let interval = options.pingInterval
        guard interval > .zero else { return }
        let pings = io.server.sockets.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) {
            [weak self] _ in self?.pingAll()
        }
        self.state.withLockedValue { $0.pings = pings }
    }

    deinit { self.state.withLockedValue { $0.pings }?.cancel() }

    /// Every client of this node that has authenticated.
    private func pingAll() {
        self.io.server.sockets.except(RoomName.unauthorized).local.emit(Event.ping, values: [self.now])
    }

    private var now: JSONValue { ["time": self.io.context.isoTime] }

    // MARK: Sending

    /// Sends a message to a room or a socket, or to everybody if there is no destination.
    ///
    /// Any data is sent, `0` and `false`, too. A client that has not authenticated gets nothing that is for everybody.
    ///
    /// - Parameters:
    ///   - destination: The name of a room, or a socket's id.
    ///   - payload: The message.
    ///   - doLog: Whether the log has a line at info.
    ///   - callback: Called when the message is on its way.
    /// - Throws: ``GatewayError`` for a topic that cannot be sent.
    public func send(
        destination: String? = nil,
        payload: Payload,
        doLog: Bool = false,
        callback: (@Sendable () -> Void)? = nil
    ) throws {
        try self.io.send(destination: destination, payload: payload)
        if doLog {
            self.logger.info(
                "Sent a message",
                metadata: [
                    "identifier": "\(self.options.identifier)",
                    "destination": "\(boundedText(destination ?? "everybody"))",
                    "topic": "\(boundedText(payload.topic))",
                ]
            )
        }
        callback?()
    }

    /// Sends a message to every client.
    ///
    /// - Throws: ``GatewayError`` for a topic that cannot be sent.
    public func broadcast(payload: Payload, doLog: Bool = false) throws {
        try self.send(payload: payload, doLog: doLog)
    }

    // MARK: The server

    /// Binds a handler to an event of the server.
    ///
    /// - Parameters:
    ///   - topic: `connection`, `new_namespace`, or the name of an event that other nodes send with `serverSideEmit`.
    ///   - handler: Called for each of them.
    /// - Throws: ``GatewayError`` for an empty topic, and when the server has been shut down.
    public func on(topic: String, handler: @escaping @Sendable (ServerEvent) -> Void) throws {
        guard !topic.isEmpty else {
            throw GatewayError(.invalidArguments, "[on] Invalid topic to start binding handler")
        }
        guard !self.state.withLockedValue({ $0.isShutDown }) else {
            throw GatewayError(.invalidArguments, "[on] IOServer is not initialized yet!")
        }
        switch UTF8Text(topic) {
        case "connection", "connect": self.io.server.onConnection { handler(.connection($0)) }
        case "new_namespace": self.io.server.onNewNamespace { handler(.newNamespace($0)) }
        default: self.io.server.sockets.onServerSide(topic) { arguments, _ in handler(.message(arguments)) }
        }
    }

    /// What happens to a server.
    public enum ServerEvent: Sendable {
        /// A client has connected, and has not authenticated yet.
        case connection(Socket)
        /// A namespace was made.
        case newNamespace(Namespace)
        /// Another node has sent these arguments.
        case message([JSONValue])
    }

    /// The server itself.
    public func getIOServer() -> SocketServer { self.io.server }

    /// The engine below the server.
    public func getEngine() -> EngineServer { self.io.server.engine }

    /// Stops the pings, disconnects all clients of this node, and closes the server.
    public func shutdown() async {
        let pings = self.state.withLockedValue { state in
            state.isShutDown = true
            defer { state.pings = nil }
            return state.pings
        }
        pings?.cancel()
        await self.io.server.close()
    }
}
