import DequeModule
import NIOCore

/// Which reply belongs to which command: Redis answers in the order in which it was asked.
///
/// A command whose deadline has passed keeps its place, so that its late reply isn't taken for the next one's.
struct CommandPipeline<Token> {
    private enum Expected {
        case reply(Token, deadline: NIODeadline)
        case expired
        case publish(bytes: Int)
        case ping
    }

    enum Event {
        case reply(Token, RESPValue)
        /// A publish was taken, or refused with an error.
        case published(bytes: Int, RESPError?)
        /// Nobody is waiting for this one.
        case none
        /// A reply to nothing: the connection is out of step and must go.
        case violation(RESPError)
    }

    private var expected = Deque<Expected>()
    /// No deadline is earlier.
    private(set) var wakeAt = NIODeadline.distantFuture

    /// How many replies are missing.
    var count: Int { self.expected.count }

    mutating func sent(_ token: Token, deadline: NIODeadline) {
        self.expected.append(.reply(token, deadline: deadline))
        self.wakeAt = min(self.wakeAt, deadline)
    }

    mutating func sentPublish(bytes: Int) {
        self.expected.append(.publish(bytes: bytes))
    }

    mutating func sentPing() {
        self.expected.append(.ping)
    }

    mutating func received(_ value: RESPValue) -> Event {
        // Nothing on this connection is subscribed; a push is a notice that nobody asked for.
        if case .push = value { return .none }
        guard let expected = self.expected.popFirst() else {
            return .violation(.violation("Redis replied to a command that was not sent"))
        }
        switch expected {
        case .reply(let token, _): return .reply(token, value)
        case .publish(let bytes):
            if case .error(let error) = value { return .published(bytes: bytes, error) }
            return .published(bytes: bytes, nil)
        case .expired, .ping: return .none
        }
    }

    /// The commands whose deadline has passed.
    mutating func expire(at now: NIODeadline) -> [Token] {
        guard now >= self.wakeAt else { return [] }
        var tokens: [Token] = []
        self.wakeAt = .distantFuture
        for index in self.expected.indices {
            guard case .reply(let token, let deadline) = self.expected[index] else { continue }
            if deadline <= now {
                tokens.append(token)
                self.expected[index] = .expired
            } else {
                self.wakeAt = min(self.wakeAt, deadline)
            }
        }
        return tokens
    }

    /// What nobody will answer any more.
    struct Lost {
        var tokens: [Token] = []
        var publishes = 0
        var publishedBytes = 0
    }

    mutating func disconnected() -> Lost {
        var lost = Lost()
        for expected in self.expected {
            switch expected {
            case .reply(let token, _): lost.tokens.append(token)
            case .publish(let bytes):
                lost.publishes += 1
                lost.publishedBytes += bytes
            case .expired, .ping: break
            }
        }
        self.expected.removeAll(keepingCapacity: false)
        self.wakeAt = .distantFuture
        return lost
    }
}
