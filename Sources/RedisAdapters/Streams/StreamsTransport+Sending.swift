import CoreMetrics
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// Sending for the namespace, from any thread.
extension StreamsTransport {
    func send(_ message: OutgoingMessage) throws(ClusterError) {
        switch self.dialect.encode(message) {
        case .stream(let entry): try self.append(entry)
        case .channel(let message): try self.attachment.publish(message, to: self.dialect.namespaceChannel)
        }
    }

    private func append(_ entry: [ByteBuffer]) throws(ClusterError) {
        do throws(RESPError) {
            _ = try self.bus.keep(self.dialect.append(entry)) { [metrics] outcome in
                switch outcome {
                case .replied: break
                case .refused(let error): metrics.unpublished("message", error: error.brief)
                case .unconfirmed(let error): metrics.unpublished("message", .unconfirmed, error: error.brief)
                case .dropped(let error): metrics.unpublished("message", .dropped, error: error.brief)
                }
            }
        } catch {
            throw ClusterError(error)
        }
    }

    func send(
        _ messages: [OutgoingMessage],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount
    ) async -> PublishOutcome {
        // Questions do not come this way.
        let commands = messages.map { self.dialect.append(self.dialect.entry(ClusterMessage($0))) }
        return await withCheckedContinuation { continuation in
            self.bus.append(commands, whileUnreachable: policy, timeout: timeout) { _, _ in
            } completion: {
                continuation.resume(returning: $0)
            }
        }
    }

    func encode(_ reply: ClusterReply) -> EncodedReply { self.dialect.encode(reply) }

    func send(_ reply: EncodedReply, to asker: ClusterAsker) throws(ClusterError) {
        // Whoever does not say who he is can't be answered.
        guard let channel = self.channel(to: asker) else { return self.metrics.refused(.nameless) }
        try self.attachment.publish(reply.message(asker), to: channel)
    }

    func sendLong(_ reply: EncodedReply, to asker: ClusterAsker, timeout: TimeAmount) -> EventLoopFuture<Void> {
        guard let channel = self.channel(to: asker) else {
            self.metrics.refused(.nameless)
            return self.bus.eventLoop.makeSucceededVoidFuture()
        }
        return self.attachment.publishLong(reply.message(asker), to: channel, timeout: timeout)
    }

    private func channel(to asker: ClusterAsker) -> BusChannel? {
        asker.nodeID.map { self.dialect.bus(self.dialect.channels.responses(to: $0.string)) }
    }

    func countNodes(_ named: [UTF8Text], isConfirmation: Bool) -> EventLoopFuture<ClusterCount> {
        self.attachment.countNodes(named, isConfirmation: isConfirmation)
    }
}
