import NIOCore
package import SocketIOWire

extension ClusterEncoder {
    /// A reply in the envelope, to which the id of a request is added.
    package func encode(_ reply: ClusterReply) -> EncodedReply {
        let message: @Sendable (ClusterAsker) -> ByteBuffer = { self.sharded(ClusterMessage(reply, to: $0.requestID)) }
        guard reply.mayBeLong else { return EncodedReply(byteCount: 0, message: message) }
        let byteCount = message(ClusterAsker(nodeID: nil, requestID: nil)).readableBytes
        return EncodedReply(byteCount: byteCount, message: message)
    }
}
