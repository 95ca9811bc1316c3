/// When the server pings a client, and when it gives a silent one up (protocol 4).
struct Heartbeat: Equatable {
    /// What to do when a session's deadline has passed.
    enum Action: Equatable {
        /// Send a ping; the pong may take the ping timeout.
        case sendPing
        /// Wait for the ping timeout again: no pong, but bytes move.
        case waitOn
        /// The client is gone.
        case giveUp
    }

    private enum State {
        case idle
        case awaitingPong
    }

    private var state = State.idle

    var isAwaitingPong: Bool { self.state == .awaitingPong }

    /// The ping interval or the ping timeout is over.
    ///
    /// `isAlive` says whether bytes came from the client, or waiting ones went to it, since the last deadline: only a
    /// pong ends the wait, but a big message on a slow line is no silence.
    mutating func timerFired(isAlive: Bool) -> Action {
        switch self.state {
        case .idle:
            self.state = .awaitingPong
            return .sendPing
        case .awaitingPong:
            return isAlive ? .waitOn : .giveUp
        }
    }

    /// A pong came, asked for or not: the ping interval starts again.
    mutating func pongReceived() {
        self.state = .idle
    }
}
