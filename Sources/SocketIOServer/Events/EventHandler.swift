import SocketIOWire
import Synchronization

/// What runs when a client's event arrives.
///
/// A class, because it is taken out of a table for every event: that counts one reference.
@usableFromInline
final class EventHandler: Sendable {
    @usableFromInline
    enum Body: Sendable {
        /// Runs on the socket's loop at once.
        case synchronous(@Sendable (ReceivedEvent) throws -> Void)
        /// Runs in the socket's mailbox, after the asynchronous handlers of earlier events.
        ///
        /// `@concurrent`, here and in every signature: on the task's preferred executor, which is the socket's loop.
        case asynchronous(@Sendable @concurrent (ReceivedEvent) async throws -> Void)
    }

    @usableFromInline
    let body: Body
    /// Whether the handler answers an acknowledgement once at most by construction.
    @usableFromInline
    let answersOnce: Bool
    /// Identifies the handler; `nil` for those of a namespace, which stay.
    let listener: EventListener?
    /// Whether it runs for one event only.
    let runsOnce: Bool

    @usableFromInline
    init(body: Body, answersOnce: Bool, listener: EventListener? = nil, runsOnce: Bool = false) {
        self.body = body
        self.answersOnce = answersOnce
        self.listener = listener
        self.runsOnce = runsOnce
    }

    /// The same, to be found again.
    func listening(as listener: EventListener, once: Bool) -> EventHandler {
        EventHandler(body: self.body, answersOnce: self.answersOnce, listener: listener, runsOnce: once)
    }
}

/// Identifies a handler or listener of a socket, so that ``Socket/off(_:)`` can remove it.
public struct EventListener: Hashable, Sendable {
    private let id: Int
    private static let last = Atomic<Int>(0)

    @usableFromInline
    init() { self.id = Self.last.wrappingAdd(1, ordering: .relaxed).newValue }
}
