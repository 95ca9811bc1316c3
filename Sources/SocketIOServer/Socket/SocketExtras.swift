import DequeModule
import EngineIO
import NIOCore
import SocketIOWire

/// What only some sockets have: handlers of their own, acknowledgements waited for, events waiting for their handler.
///
/// Touched on the socket's loop only.
final class SocketExtras {
    var events: [String: [EventHandler]] = [:]
    var anyIncoming: [Registered<@Sendable (String, Arguments) -> Void>] = []
    var anyOutgoing: [Registered<@Sendable (String, EncodedPacket) -> Void>] = []
    var middlewares: [@Sendable @concurrent (ReceivedEvent) async throws -> Void] = []
    var disconnecting: [Registered<@Sendable (DisconnectReason) -> Void>] = []
    var disconnect: [Registered<@Sendable (DisconnectReason) -> Void>] = []
    var errors: [Registered<@Sendable (any Error) -> Void>] = []
    var transportChanges: [Registered<@Sendable (TransportName) -> Void>] = []
    var acknowledgements: [Int: PendingAcknowledgement] = [:]
    var mailbox = Deque<Work>()
    /// Whether ``SocketLimits/waitingEvents`` wait in the mailbox, or did and half of them still do.
    var isMailboxFull = false
    var isWorking = false
    /// How long the mailbox was worked off since the loop last served its other connections meanwhile.
    var worked = TimeAmount.zero

    /// What waits in the mailbox.
    struct Work {
        /// The length of the event that is kept for it.
        let bytes: Int
        let body: @Sendable @concurrent () async -> Void
    }

    /// Takes a handler out of wherever it is.
    func remove(_ listener: EventListener) {
        for name in Array(self.events.keys) {
            self.events[name]?.removeAll { $0.listener == listener }
            if self.events[name]?.isEmpty ?? false { self.events[name] = nil }
        }
        self.anyIncoming.removeAll { $0.listener == listener }
        self.anyOutgoing.removeAll { $0.listener == listener }
        self.disconnecting.removeAll { $0.listener == listener }
        self.disconnect.removeAll { $0.listener == listener }
        self.errors.removeAll { $0.listener == listener }
        self.transportChanges.removeAll { $0.listener == listener }
    }

    /// Breaks the reference cycles through handlers that hold the socket, and answers who waits for the client.
    func socketClosed() {
        self.events = [:]
        self.anyIncoming = []
        self.anyOutgoing = []
        self.middlewares = []
        self.disconnecting = []
        self.disconnect = []
        self.errors = []
        self.transportChanges = []
        self.failAcknowledgements(.disconnected)
    }

    /// Tells everybody who waits for the client that its answer won't come.
    func failAcknowledgements(_ error: AcknowledgementError) {
        let pending = self.acknowledgements
        self.acknowledgements = [:]
        for acknowledgement in pending.values { acknowledgement.fail(error) }
    }
}

/// A handler and what identifies it.
struct Registered<Body: Sendable>: Sendable {
    let listener: EventListener
    let body: Body
}
