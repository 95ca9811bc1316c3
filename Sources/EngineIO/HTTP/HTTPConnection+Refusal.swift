import NIOCore
import SocketIOWire

/// What happens to a connection for which there is no room.
///
/// The server reads for a moment, until it knows the first request. It answers a request outside of the engine's path
/// even now, because that is usually a health check. It refuses all others.
extension HTTPConnection {
    /// How long the client may take to send a request, and then to read the refusal.
    private static let farewell = TimeAmount.seconds(1)

    func turnAway(_ error: HandshakeError) {
        self.refusal = error
        self.loop.turnedAway.append(self)
        self.armTimer(Self.farewell)
        guard self.server.admission.turnAway(), let oldest = self.loop.turnedAway.first else { return }
        // A health check sends its request at once. A client that has waited so long has none.
        oldest.forgetRefusal()
        self.server.refused(error, from: oldest.peerAddress)
        oldest.closeNow()
    }

    /// Answers the request with the refusal.
    ///
    /// It does not close at once. To close a connection with unread bytes resets it, and the client might see the reset
    /// before the answer.
    func sayFarewell(_ error: HandshakeError, isHead: Bool = false) {
        self.server.refused(error, from: self.peerAddress)
        self.state = .closing
        var buffer = ByteBuffer()
        buffer.writeCapacityRefusal(error, isHead: isHead)
        self.write(buffer)
        self.armTimer(Self.farewell)
    }

    /// The time for a request, or for reading the answer, is over.
    func endFarewell(_ error: HandshakeError) {
        if case .idle = self.state { self.sayFarewell(error) }
        self.closeNow()
    }

    func forgetRefusal() {
        guard self.refusal != nil else { return }
        self.refusal = nil
        self.server.admission.wasTurnedAway()
        self.loop.turnedAway.removeAll { $0 === self }
    }
}
