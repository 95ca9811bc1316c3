import NIOCore
import SocketIOWire

/// What becomes of a connection that there is no room for.
///
/// It is read until its first request is known, for a little while: what is asked outside of the engine's path (whether
/// the node is alive, as a rule) is answered even so, and everything else with the refusal.
extension HTTPConnection {
    /// How long it may take to say what it wants, and to read why it does not get it.
    private static let farewell = TimeAmount.seconds(1)

    func turnAway(_ error: HandshakeError) {
        self.refusal = error
        self.loop.turnedAway.append(self)
        self.armTimer(Self.farewell)
        guard self.server.admission.turnAway(), let oldest = self.loop.turnedAway.first else { return }
        // Requests of health checks are there at once; who waits that long has none.
        oldest.forgetRefusal()
        self.server.refused(error, from: oldest.peerAddress)
        oldest.closeNow()
    }

    /// Answers the request with the refusal.
    ///
    /// Not closed at once: closing what has unread bytes resets it, and a reset overtakes the answer.
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
