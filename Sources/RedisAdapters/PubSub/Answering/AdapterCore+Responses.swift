import CoreMetrics
import Logging
import NIOCore
import RESP
import SocketIOWire

extension AdapterCore {
    /// Publishes an answer; one that Redis doesn't take is not awaited any more by the time Redis is back.
    func respond(_ response: ByteBuffer, to uid: UTF8Text?) {
        do throws(RESPError) {
            try self.bus.publish(channel: self.responseChannel(uid), message: response)
        } catch {
            self.couldNotRespond(error)
        }
    }

    /// Publishes an answer, and returns when Redis has it: it and all before it take no memory here any more.
    func respondAndWait(_ response: ByteBuffer, to uid: UTF8Text?) async {
        let message = (channel: self.responseChannel(uid), message: response)
        switch await self.bus.publish([message], keeps: false, timeout: self.configuration.requestsTimeout) {
        case .published, .queued: break
        case .refused(let error), .unconfirmed(let error): self.couldNotRespond(error)
        }
    }

    private func responseChannel(_ uid: UTF8Text?) -> String {
        guard self.configuration.publishOnSpecificResponseChannel, let uid else { return self.channels.response }
        return self.channels.response(to: uid.string)
    }

    private func couldNotRespond(_ error: any Error) {
        self.metrics.unpublished.increment()
        self.logger.debug("Could not answer a request", metadata: ["error": "\(error)"])
    }
}
