public import NIOCore
public import SocketIOWire

/// One client's connection, whatever it travels on.
///
/// Confined to its ``eventLoop``: every member but ``id`` and ``eventLoop`` is used there only.
public final class EngineSession {
    /// Where a session is in its life.
    public enum State: Sendable {
        /// Messages travel.
        case open
        /// The server has closed it, and what was queued is on its way.
        case closing
        /// Over.
        case closed
    }

    /// The session's id; secret.
    public let id: SessionID
    /// The request that began the session.
    public let request: HandshakeRequest
    package let loop: EngineLoop
    /// Where the session is in its life.
    public private(set) var state = State.open
    /// How the session's bytes travel now.
    public private(set) var transport = TransportName.websocket
    /// The bytes that wait to be sent.
    public private(set) var queuedBytes = 0

    init(id: SessionID, request: HandshakeRequest, loop: EngineLoop) {
        self.id = id
        self.request = request
        self.loop = loop
    }

    /// The loop that the session lives on.
    public var eventLoop: any EventLoop { self.loop.eventLoop }

    /// The loop's timers.
    package var timers: TimingWheel { self.loop.timers }

    /// Sends a packet, at the end of the loop's tick, together with what else is sent by then.
    ///
    /// - Parameters:
    ///   - packet: The packet; shared, not copied, if it is the tick's only one.
    ///   - volatile: Whether it may be dropped: because the client is slow, or the session is not open.
    ///   - compress: Whether it is worth compressing.
    public func send(_ packet: EncodedPacket, volatile: Bool = false, compress: Bool = true) {
    }

    /// Sends a plain text message.
    public func send(text: ByteBuffer) {
    }

    /// Sends a plain binary message.
    public func send(binary: ByteBuffer) {
    }

    /// Closes the session with reason ``CloseReason/forcedClose``.
    ///
    /// - Parameter discardingQueue: Whether to close at once, without sending what is queued.
    public func close(discardingQueue: Bool = false) {
    }

    /// Stops reading from the client until ``resumeReading()``; messages already read are still delivered.
    public func pauseReading() {
    }

    /// Reads from the client again.
    public func resumeReading() {
    }
}
