/// Decides when a client must show a sign of life, and when a silent one is given up.
///
/// In protocol 4 the server pings and the client answers. In protocol 3 the client pings by itself.
struct Heartbeat: Equatable {
    /// What to do when a session's deadline has passed.
    enum Action: Equatable {
        /// Send a ping, or another one. The pong may take the ping timeout.
        case sendPing
        /// Wait for the ping timeout again. The client has not sent what it should, but it is there.
        case waitOn
        /// The client is gone.
        case giveUp
    }

    /// The signs of life of a client that owes a ping or a pong.
    enum Signs {
        /// Nothing.
        case none
        /// Bytes came from it. It may be in the middle of a long message.
        case sending
        /// It took bytes that had to wait. The ping that it should answer may be behind more of them.
        case taking
        /// The server did not read from it. But the client counts the time since the last ping, and must not give up.
        case unheard
    }

    private enum State: Equatable {
        case idle
        /// A pong, or in protocol 3 a ping, must come. So many deadlines have passed without it.
        case awaitingClient(extensions: UInt8)
    }

    /// How many deadlines a client may miss while it sends.
    ///
    /// A client that sends a message for ever, byte by byte, is given up in the end.
    private static let maximumExtensions: UInt8 = 10

    private var state: State
    private let isClientDriven: Bool

    init(isClientDriven: Bool = false) {
        self.isClientDriven = isClientDriven
        self.state = isClientDriven ? .awaitingClient(extensions: 0) : .idle
    }

    /// Whether the client's pong, or in protocol 3 its ping, must come.
    var isAwaitingClient: Bool {
        switch self.state {
        case .idle: false
        case .awaitingClient: true
        }
    }

    /// The ping interval or the ping timeout is over.
    ///
    /// Only a pong ends the wait, but a client with a big message on a slow line is not silent.
    mutating func timerFired(_ signs: Signs) -> Action {
        switch self.state {
        case .idle:
            self.state = .awaitingClient(extensions: 0)
            return .sendPing
        case .awaitingClient(let extensions):
            switch signs {
            case .none:
                return .giveUp
            case .sending:
                guard extensions < Self.maximumExtensions else { return .giveUp }
                self.state = .awaitingClient(extensions: extensions + 1)
                return .waitOn
            case .taking:
                return .waitOn
            case .unheard:
                return self.isClientDriven ? .waitOn : .sendPing
            }
        }
    }

    /// A pong has come, requested or not, or in protocol 3 a ping.
    ///
    /// The wait begins again.
    mutating func clientAnswered() { self = Heartbeat(isClientDriven: self.isClientDriven) }
}
