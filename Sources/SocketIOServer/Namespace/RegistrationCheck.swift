import Logging
import SocketIOWire
import Synchronization

/// Tells who registers a handler under a name that no event of a client has, as code from Node does, what to use instead.
///
/// Each such name is a warning in the log, once. A program that gave the server no logger, and is built for debugging, is
/// told on standard error. It is never a trap: names may come from a configuration file, or from a client.
final class RegistrationCheck: Sendable {
    /// Where a handler is registered.
    enum Place: String {
        case socket
        /// A server, namespace or parent namespace.
        case registry
        /// For events of other servers.
        case serverSide
    }

    private let logger: Logger
    private let told = Mutex<Set<String>>([])

    /// A check.
    ///
    /// - Parameters:
    ///   - logger: The server's.
    ///   - standardError: Where a debug build tells instead if that logger is the silent one.
    init(
        logger: Logger,
        standardError: @autoclosure () -> Logger = Logger(label: "socketio") {
            StreamLogHandler.standardError(label: $0)
        }
    ) {
        #if DEBUG
        self.logger = logger.handler is SwiftLogNoOpLogHandler ? standardError() : logger
        #else
        self.logger = logger
        #endif
    }

    func check(_ registration: HandlerRegistration, of namespace: String) {
        switch registration.kind {
        case .event(let name, _): self.check(name, on: .registry, of: namespace)
        case .serverSide(let name, _): self.check(name, on: .serverSide, of: namespace)
        default: break
        }
    }

    func check(_ name: String, on place: Place, of namespace: String) {
        // Most names are told apart by a look at them: sockets register handlers for every client.
        guard name.utf8.count <= 14, let first = name.utf8.first, Self.firstBytes.contains(first),
            let advice = Self.advice(for: name, on: place),
            self.told.withLock({ $0.insert("\(place) \(name)").inserted })
        else { return }
        self.logger.warning(
            "A handler of the event \"\(name)\" \(advice)",
            metadata: ["sio.namespace": "\(boundedText(namespace))"]
        )
    }

    /// What is wrong with a handler of that name, and what to use instead; `nil` if nothing is.
    ///
    /// `connection` and `new_namespace` are names that a client may use, but who registers them on a namespace hardly means
    /// such an event.
    static func advice(for name: String, on place: Place) -> String? {
        self.advice.first { $0.place == place && $0.name.utf8.elementsEqual(name.utf8) }.map { advice in
            "\(advice.isReserved ? "never runs" : "runs only if a client sends one"): \(advice.text)"
        }
    }

    private static let firstBytes = Set(RegistrationCheck.advice.compactMap(\.name.utf8.first))

    private static let advice: [(place: Place, name: String, isReserved: Bool, text: String)] = [
        (.registry, "connection", false, "use onConnection(_:) to hear of clients that connect"),
        (.registry, "connect", true, "use onConnection(_:) to hear of clients that connect"),
        (.registry, "disconnect", true, "use onDisconnect(_:), or onDisconnect(_:) of the socket"),
        (.registry, "disconnecting", true, "use onDisconnecting(_:), or onDisconnecting(_:) of the socket"),
        (.registry, "connect_error", true, "use use(_:), which decides who may connect"),
        (.registry, "new_namespace", false, "use onNewNamespace(_:) of the server"),
        (.registry, "newListener", true, "the name is reserved; there is nothing that tells of new handlers"),
        (.registry, "removeListener", true, "the name is reserved; there is nothing that tells of removed handlers"),
        (.socket, "connect", true, "a socket is connected when you get it; use onConnection(_:)"),
        (.socket, "disconnect", true, "use onDisconnect(_:)"),
        (.socket, "disconnecting", true, "use onDisconnecting(_:)"),
        (.socket, "connect_error", true, "use use(_:) of the namespace, which decides who may connect"),
        (.socket, "newListener", true, "the name is reserved; there is nothing that tells of new handlers"),
        (.socket, "removeListener", true, "the name is reserved; there is nothing that tells of removed handlers"),
        (.serverSide, "connect", true, "no server may send it; use onConnection(_:) to hear of clients that connect"),
        (
            .serverSide, "connection", true,
            "no server may send it; use onConnection(_:) to hear of clients that connect"
        ),
        (.serverSide, "new_namespace", true, "no server may send it; use onNewNamespace(_:) of the server"),
    ]
}
