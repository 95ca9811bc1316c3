import NIOCore
import SocketIOWire

extension EncodedPacket {
    /// The server's heartbeat, the same bytes for all.
    static let ping = EncodedPacket(.ping)
    static let probeAnswer = EncodedPacket(.pong, data: ByteBuffer(string: "probe"))
}
