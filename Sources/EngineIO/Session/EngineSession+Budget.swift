import NIOCore
import SocketIOWire

/// The bytes that a loop keeps for a session.
extension EngineSession: ByteHolder {
    func heldBytes(of kind: ByteBudget.Kind) -> Int {
        switch kind {
        case .queued: self.waitingBytes
        case .request: self.pendingBytes
        }
    }

    func giveUp(_ kind: ByteBudget.Kind) {
        switch kind {
        case .queued: self.terminate(.transportError, "slow reader", webSocket: .cut, flushing: false)
        case .request: self.terminate(.transportError, "too many bytes wait", webSocket: .failed(.tryAgainLater))
        }
    }

    /// The bytes that have arrived and wait: the rest of a body, and parts of a message.
    private var pendingBytes: Int {
        guard self.state != .closed else { return 0 }
        guard case .polling(let polling) = self.link, let rest = polling.rest else {
            return Int(self.partialBytes)
        }
        return Int(self.partialBytes) + rest.remainingBytes
    }

    /// Tells the loop how many bytes have arrived and wait.
    func notePendingBytes() { self.loop.requests.note(self.pendingBytes, of: self, in: &self.requestHolding) }

    /// Tells how many bytes are kept of a message that is not complete.
    package func keeps(partialBytes count: Int) {
        self.partialBytes = UInt32(clamping: count)
        self.notePendingBytes()
    }
}
