import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// Keeps account of a namespace's stream as a log, while clients may come back; called on the bus's loop.
protocol StreamLog: AnyObject, Sendable {
    /// Takes note that the reader stands behind that entry, in a history of that name.
    func begins(_ history: String, after id: RESPStreamID)
    /// The reader has come to that entry of the stream, whosever it is.
    func reached(_ id: RESPStreamID)
    /// The reader has come to an entry that this node has added.
    func readOwn(_ entry: StreamEntry, at id: RESPStreamID)
    /// Takes another node's event; it has no place in the log if `id` is `nil`.
    func deliver(_ packet: EncodedPacket, options: BroadcastOptions, at id: RESPStreamID?)
    /// Takes a message of another Swift node to this one alone.
    func received(_ message: ByteBuffer)
}
