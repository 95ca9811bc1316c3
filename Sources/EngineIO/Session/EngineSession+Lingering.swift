import NIOCore
import SocketIOWire

/// A session that a POST ended before the poll came that was sent at the same moment.
///
/// The two travel on different connections, which may be read by different event loops, so nobody can say which of them
/// is first. The client has done nothing wrong and gets the answers that it gets if the poll is first: the session is
/// over for everybody else, but the POST is not answered before the poll has come, or a short time has passed. A poll
/// that is sent after that answer is too late, as it always was.
extension EngineSession {
    /// Whether a POST is being handled, and there is no poll to be told that this was the end.
    var awaitsPoll: Bool {
        guard case .polling(let polling) = self.link else { return false }
        return polling.isDelivering && polling.finishedPost != nil && polling.requests.get == nil
    }

    /// Waits for the poll.
    func linger(on polling: PollingLink, lastPacket: EnginePacketType) {
        polling.lastPacket = lastPacket
        self.timers.schedule(self, in: self.server.configuration.lingeringTime)
    }

    /// Answers the poll that the session waited for.
    ///
    /// - Returns: Whether the session did wait.
    func answerLastPoll(_ get: HTTPExchange) -> Bool {
        guard case .polling(let polling) = self.link, let packet = polling.lastPacket else { return false }
        get.answer(.payload(polling.answer([packet])))
        self.timers.cancel(self)
        self.endLingering()
        return true
    }

    /// Waits no longer.
    func endLingering() {
        guard case .polling(let polling) = self.link, polling.lastPacket != nil else { return }
        self.server.forget(lingering: self)
        polling.lastPacket = nil
        polling.answerFinishedPost()
    }
}
