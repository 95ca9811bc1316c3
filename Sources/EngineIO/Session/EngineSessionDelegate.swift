public import NIOCore

/// What happens to a session, told on the session's event loop.
public protocol EngineSessionDelegate: AnyObject {
    /// A text message arrived.
    ///
    /// - Parameter text: The message without its type digit `4`, valid UTF-8. Its storage is used again for the next
    ///   message: keep it only if necessary (keeping it costs the loop a new buffer).
    func session(_ session: EngineSession, didReceiveText text: ByteBuffer)

    /// A binary message arrived.
    ///
    /// - Parameter bytes: The message. Its storage is used again for the next one, see
    ///   ``session(_:didReceiveText:)``.
    func session(_ session: EngineSession, didReceiveBinary bytes: ByteBuffer)

    /// The session ended; exactly once, and nothing is told after it.
    ///
    /// - Parameter description: What happened in more detail, for logs; never payload.
    func sessionDidClose(_ session: EngineSession, reason: CloseReason, description: String?)
}
