import DequeModule
import NIOCore
import SocketIOWire

/// What only some sockets have: handlers of their own, acknowledgements waited for, events waiting for their handler.
///
/// Touched on the socket's loop only.
final class SocketExtras {
    var events: [String: [EventHandler]] = [:]
    var anyIncoming: [@Sendable (String, Arguments) -> Void] = []
    var anyOutgoing: [@Sendable (String, EncodedPacket) -> Void] = []
    var middlewares: [@Sendable @concurrent (ReceivedEvent) async throws -> Void] = []
    var disconnecting: [@Sendable (DisconnectReason) -> Void] = []
    var disconnect: [@Sendable (DisconnectReason) -> Void] = []
    var errors: [@Sendable (any Error) -> Void] = []
    var acknowledgements: [Int: PendingAcknowledgement] = [:]
    var mailbox = Deque<@Sendable @concurrent () async -> Void>()
    var isWorking = false
    /// How long the mailbox was worked off since the loop last served its other connections meanwhile.
    var worked = TimeAmount.zero
    var isReadingPaused = false

    /// Breaks the reference cycles through handlers that hold the socket, and answers who waits for the client.
    func socketClosed() {
        self.events = [:]
        self.anyIncoming = []
        self.anyOutgoing = []
        self.middlewares = []
        self.disconnecting = []
        self.disconnect = []
        self.errors = []
        let pending = self.acknowledgements
        self.acknowledgements = [:]
        for acknowledgement in pending.values { acknowledgement.fail(.disconnected) }
    }
}
