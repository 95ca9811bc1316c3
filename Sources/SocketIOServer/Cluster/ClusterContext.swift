import CoreMetrics
import Logging
import NIOCore
import SocketIOWire

/// What the parts of one namespace's adapter share.
struct ClusterContext: Sendable {
    let host: any AdapterHost
    let transport: any ClusterTransport
    let configuration: ClusterConfiguration
    let metrics: ClusterMetrics
    /// How many bytes of answers are kept: of all namespaces together.
    let budget: AnswerBudget
    let logger: Logger
    /// The questions that this node waits for, as far as transports need to know.
    let awaited = AwaitedQuestions()

    var eventLoop: any EventLoop { self.host.eventLoop }
    var now: NIODeadline { self.host.eventLoop.now }

    /// Sends a reply without waiting.
    ///
    /// A reply that is not taken is dropped, because the asking node won't wait for it when the broker is back.
    func reply(_ reply: EncodedReply, to asker: ClusterAsker) {
        do throws(ClusterError) {
            try self.transport.send(reply, to: asker)
        } catch {
            self.metrics.unpublished("answer", error: error.message)
            self.logger.debug("Could not answer a request", metadata: ["error": "\(error)"])
        }
    }

    func reply(_ reply: ClusterReply, to asker: ClusterAsker) { self.reply(self.transport.encode(reply), to: asker) }
}
