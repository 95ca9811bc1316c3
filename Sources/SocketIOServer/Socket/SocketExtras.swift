import EngineIO
import NIOCore
import SocketIOWire

/// What only some sockets have: handlers of their own, acknowledgements waited for, events waiting for their handler.
///
/// Touched on the socket's loop only.
final class SocketExtras {
    var events: [UTF8Text: [EventHandler]] = [:]
    var anyIncoming: [Registered<@Sendable (UTF8Text, Arguments) -> Void>] = []
    var anyOutgoing: [Registered<@Sendable (UTF8Text, EncodedPacket) -> Void>] = []
    var middlewares: [EventMiddleware] = []
    var disconnecting: [Registered<@Sendable (DisconnectReason) -> Void>] = []
    var disconnect: [Registered<@Sendable (DisconnectReason) -> Void>] = []
    var errors: [Registered<@Sendable (any Error, ReceivedEvent?) -> Void>] = []
    var transportChanges: [Registered<@Sendable (TransportName) -> Void>] = []
    var acknowledgements: [Int: PendingAcknowledgement] = [:]
    /// Events that wait for the asynchronous handlers of earlier ones.
    let handling = Mailbox()
    /// Events that wait for the asynchronous middlewares of earlier ones; most sockets have no such middleware.
    var passing: Mailbox?
    /// Whether ``SocketLimits/waitingEvents`` wait in the mailboxes, or did and half of them still do.
    var isFull = false

    /// How many events wait.
    var waitingCount: Int { self.handling.work.count + (self.passing?.work.count ?? 0) }

    /// The mailbox of asynchronous middlewares, made on first use.
    func makePassing() -> Mailbox {
        if let mailbox = self.passing { return mailbox }
        let mailbox = Mailbox()
        self.passing = mailbox
        return mailbox
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

    /// Breaks the reference cycles through handlers that hold the socket, and answers the callers that wait for the
    /// client.
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

    /// Tells the callers that wait for the client that its answer won't come.
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
