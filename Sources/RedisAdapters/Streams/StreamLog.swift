import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// What keeps account of a namespace's stream as a log, while clients may come back; called on the bus's loop.
protocol StreamLog: AnyObject, Sendable {
    /// The reader stands behind that entry, in a history of that name.
    func begins(_ history: String, after id: RESPStreamID)
    /// The reader has come to an entry that this node has added.
    func readOwn(_ entry: StreamEntry, at id: RESPStreamID)
    /// Another node's event has come; `nil`: it stands nowhere in the log.
    func deliver(_ packet: EncodedPacket, options: BroadcastOptions, at id: RESPStreamID?)
    /// A message of another Swift node to this one alone.
    func received(_ message: ByteBuffer)
}
