import NIOCore
package import SocketIOWire

extension ClusterEncoder {
    /// A reply in the envelope, to which the id of a request is added.
    package func encode(_ reply: ClusterReply) -> EncodedReply {
        let message: @Sendable (ClusterAsker) -> ByteBuffer = { self.sharded(ClusterMessage(reply, to: $0.requestID)) }
        guard reply.mayBeLong else { return EncodedReply(byteCount: 0, message: message) }
        let template = self.shardedReply(ClusterMessage(reply, to: nil))
        return EncodedReply(byteCount: template.byteCount) { asker in
            // A question without an id gets an answer without one, as from official nodes; that is written for itself.
            asker.requestID == nil ? message(asker) : template.message(requestID: asker.requestID)
        }
    }
}
