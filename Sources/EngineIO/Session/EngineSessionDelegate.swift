public import NIOCore

/// What happens to a session, told on the session's event loop.
public protocol EngineSessionDelegate: AnyObject {
    /// A text message arrived: valid UTF-8, without its type digit `4`.
    ///
    /// Its storage is used again for the next message: keep it only if necessary (keeping it costs the loop a new
    /// buffer).
    func session(_ session: EngineSession, didReceiveText text: consuming ByteBuffer)

    /// A binary message arrived; its storage is used again for the next one, see ``session(_:didReceiveText:)``.
    func session(_ session: EngineSession, didReceiveBinary bytes: ByteBuffer)

    /// The session ended; exactly once, and nothing is told after it.
    ///
    /// The description says in more detail what happened, for logs; it never holds payload.
    func sessionDidClose(_ session: EngineSession, reason: CloseReason, description: String?)

    /// The session has changed from polling to another transport.
    func session(_ session: EngineSession, didChangeTransport transport: TransportName)
}

extension EngineSessionDelegate {
    /// Does nothing.
    public func session(_ session: EngineSession, didChangeTransport transport: TransportName) {}
}
