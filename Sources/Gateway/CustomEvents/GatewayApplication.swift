import SocketIOWire

/// The application's part in a gateway: functions for what clients do, which have the gateway at hand.
///
/// ```swift
/// import Gateway
/// import SocketIOServer
///
/// func install(on server: SocketServer) async throws -> IO {
///     var application = GatewayApplication()
///     application.handlers["order:create"] = { call in
///         guard let item = call.arguments.first?["item"]?.stringValue else { return .refuse("No item") }
///         var reply = EventReply.acknowledge(["success": true, "item": .string(item)])
///         reply.emissions = [.init("order:created", [.string(item)], to: .rooms(["kitchen"]))]
///         return reply
///     }
///     application.handlers["connection"] = { call in
///         call.principal.isAuthenticated ? EventReply() : .refuse("Please log in", data: ["code": 401])
///     }
///     return try await IO.install(on: server, configuration: GatewayConfiguration(), application: application)
/// }
/// ```
public struct GatewayApplication: Sendable {
    /// Handle the events of clients, by name, with the roles and limits of ``GatewayConfiguration/customEvents``.
    ///
    /// `connection` may refuse a client or say what its socket's `data` is to have, and `disconnect` hears of its end.
    ///
    /// An event that has no handler of any kind is answered with `{success: false, error: "Unknown event"}`.
    public var handlers: [String: CustomEventHandler] = [:]
    /// Called once, when the gateway exists but does nothing yet.
    ///
    /// Middlewares that it adds to the server run before those of the gateway. If it throws, there is no gateway.
    public var initialize: (@Sendable (IO) async throws -> Void)?

    /// No functions.
    public init() {}

    /// The handler of an event.
    func handler(of event: String) -> CustomEventHandler? {
        self.handlers.first { UTF8Text($0.key) == UTF8Text(event) }?.value
    }
}
