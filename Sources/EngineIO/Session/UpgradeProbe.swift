import NIOCore
import SocketIOWire

/// A WebSocket that may become the transport of a polling session.
final class UpgradeProbe {
    let handler: WebSocketHandler
    let isTextOnly: Bool
    var timerLinks = TimerLinks()
    private let session: EngineSession
    private let deadline: NIODeadline
    private let checkInterval: TimeAmount
    private var state = UpgradeState()

    init(
        session: EngineSession,
        handler: WebSocketHandler,
        deadline: NIODeadline,
        checkInterval: TimeAmount,
        isTextOnly: Bool
    ) {
        self.session = session
        self.handler = handler
        self.deadline = deadline
        self.checkInterval = checkInterval
        self.isTextOnly = isTextOnly
    }

    /// A message has arrived on the probe.
    ///
    /// It is `nil` if it was no packet, or binary.
    func received(_ packet: EnginePacket?) {
        switch self.state.received(packet) {
        case .answerProbe:
            // No real client asks again and again without reading the answers.
            guard self.handler.isWritable else { return self.failed() }
            self.handler.writeAndFlush(EncodedPacket.probeAnswer.frames)
            self.scheduleCheck()
        case .switchTransport:
            self.session.switchTransport(to: self)
        case .fail:
            self.failed()
        case .ignore:
            break
        }
    }

    /// The probe's connection has closed, or its client broke the protocol.
    func closed(_ ending: WebSocketHandler.Ending) {
        guard self.state.end() else { return }
        self.handler.end(ending)
        self.session.probeEnded(self, .failed)
    }

    /// - Returns: Whether the probe was still going on.
    func end() -> Bool { self.state.end() }

    private func failed() {
        self.handler.end(.handshake(nil))
        self.session.probeEnded(self, .failed)
    }

    private func scheduleCheck() {
        let timers = self.session.timers
        timers.schedule(self, at: min(timers.now + self.checkInterval, self.deadline))
    }
}

extension UpgradeProbe: TimerTarget {
    func timerFired(at now: NIODeadline) {
        guard now < self.deadline else {
            self.session.probeEnded(self, .timeout)
            return
        }
        self.session.shortenPoll()
        self.scheduleCheck()
    }
}
