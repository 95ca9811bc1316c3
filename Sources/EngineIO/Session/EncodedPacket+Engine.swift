import NIOCore
import SocketIOWire

extension EncodedPacket {
    /// The server's heartbeat.
    ///
    /// All clients get the same bytes.
    static let ping = EncodedPacket(.ping)
    /// The answer to a client's heartbeat, in protocol 3.
    static let pong = EncodedPacket(.pong)
    static let probeAnswer = EncodedPacket(.pong, data: ByteBuffer(string: "probe"))
}
