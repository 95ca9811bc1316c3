public import NIOCore

/// Hears what happens to a session, on the session's event loop.
public protocol EngineSessionDelegate: AnyObject {
    /// A text message has arrived. It is valid UTF-8, without its type digit `4`.
    ///
    /// Its storage is used again for the next message. So keep it only if necessary, because the loop then needs a new
    /// buffer.
    func session(_ session: EngineSession, didReceiveText text: consuming ByteBuffer)

    /// A binary message has arrived. Its storage is used again; see ``session(_:didReceiveText:)``.
    func session(_ session: EngineSession, didReceiveBinary bytes: ByteBuffer)

    /// The session has ended. This is called exactly once, and it is the last call.
    ///
    /// The description has more details for logs. It never contains payload.
    func sessionDidClose(_ session: EngineSession, reason: CloseReason, description: String?)

    /// The session has changed from polling to another transport.
    func session(_ session: EngineSession, didChangeTransport transport: TransportName)
}

extension EngineSessionDelegate {
    /// Does nothing.
    public func session(_ session: EngineSession, didChangeTransport transport: TransportName) {}
}
