import NIOCore
import SocketIOWire

/// Handles a session that a POST has ended before the poll came that the client sent at the same moment.
///
/// The two travel on different connections, and different event loops may read these. So nobody can say which of them
/// is first. The client has done nothing wrong, so it gets the same answers as if the poll were first. The session is
/// over for everybody else. But the server does not answer the POST before the poll has come or a short time has
/// passed. A poll that the client sends after that answer is too late, as always.
extension EngineSession {
    /// Whether a POST is being handled, and there is no poll that could be told about the end.
    var awaitsPoll: Bool {
        guard case .polling(let polling) = self.link else { return false }
        return polling.isDelivering && polling.finishedPost != nil && polling.requests.get == nil
    }

    /// Waits for the poll.
    func linger(on polling: PollingLink, lastPacket: EnginePacketType) {
        polling.lastPacket = lastPacket
        self.timers.schedule(self, in: self.server.configuration.lingeringTime)
    }

    /// Answers the poll that the session has waited for.
    ///
    /// - Returns: Whether the session was waiting.
    func answerLastPoll(_ get: HTTPExchange) -> Bool {
        guard case .polling(let polling) = self.link, let packet = polling.lastPacket else { return false }
        get.answer(.payload(polling.answer([packet])))
        self.timers.cancel(self)
        self.endLingering()
        return true
    }

    /// Ends the waiting.
    func endLingering() {
        guard case .polling(let polling) = self.link, polling.lastPacket != nil else { return }
        self.server.forget(lingering: self)
        polling.lastPacket = nil
        polling.answerFinishedPost()
    }
}
