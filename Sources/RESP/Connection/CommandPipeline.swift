import DequeModule
import NIOCore

/// Which reply belongs to which command: Redis answers in the order in which it was asked.
///
/// A command whose deadline has passed keeps its place, so that its late reply isn't taken for the next one's. The
/// written bytes are kept until they are answered, because Redis may say that it has not executed a publish.
struct CommandPipeline<Token> {
    private enum Expected {
        case reply(Token, deadline: NIODeadline, bytes: Int)
        case expired(bytes: Int)
        case publish(bytes: Int)
        case awaitedPublish(Token, deadline: NIODeadline, bytes: Int)
        /// `resends` says whether it may be sent again if its reply does not come.
        case kept(Token, resends: Bool, bytes: Int)
        case question
        case probe(Int)
        case peers(Int)
    }

    enum Event {
        case reply(Token, RESPValue)
        /// A publish was taken; the token is that of a caller that waits for it.
        case published(bytes: Int, Token?)
        /// A publish was refused; its bytes as they were written.
        case refused(ByteBuffer, RESPError, Token?)
        /// A command that was kept is executed.
        case executed(bytes: Int, Token, RESPValue)
        /// A command that was kept is refused; its bytes as they were written.
        case keptRefused(ByteBuffer, resends: Bool, RESPError, Token)
        /// The question of the keep-alive was answered.
        case answered(RESPValue)
        /// A probe of the link was answered.
        case probed(Int, RESPValue)
        /// Subscribers were counted.
        case counted(Int, RESPValue)
        /// No caller waits for this reply.
        case none
        /// A reply to nothing: the connection is out of step and must go.
        case violation(RESPError)
    }

    private var expected = Deque<Expected>()
    /// The bytes that were written and not answered yet: publishes and commands, in the order of ``expected``.
    private var written = Deque<ByteBuffer>()
    /// No deadline is earlier.
    private(set) var wakeAt = NIODeadline.distantFuture

    /// How many replies are missing.
    var count: Int { self.expected.count }

    // MARK: What was sent

    /// The bytes of the commands and publishes that are added next.
    mutating func wrote(_ bytes: ByteBuffer) {
        if bytes.readableBytes > 0 { self.written.append(bytes) }
    }

    mutating func sent(_ token: Token, deadline: NIODeadline, bytes: Int) {
        self.expected.append(.reply(token, deadline: deadline, bytes: bytes))
        self.wakeAt = min(self.wakeAt, deadline)
    }

    mutating func sentPublish(bytes: Int) {
        self.expected.append(.publish(bytes: bytes))
    }

    mutating func sentPublish(_ token: Token, deadline: NIODeadline, bytes: Int) {
        self.expected.append(.awaitedPublish(token, deadline: deadline, bytes: bytes))
        self.wakeAt = min(self.wakeAt, deadline)
    }

    mutating func sentKept(_ token: Token, resends: Bool, bytes: Int) {
        self.expected.append(.kept(token, resends: resends, bytes: bytes))
    }

    mutating func sentQuestion() { self.expected.append(.question) }
    mutating func sentProbe(_ number: Int) { self.expected.append(.probe(number)) }
    mutating func sentCount(_ number: Int) { self.expected.append(.peers(number)) }

    // MARK: What comes back

    mutating func received(_ value: RESPValue) -> Event {
        // Nothing is subscribed on this connection, so a push is a notice without a question.
        if case .push = value { return .none }
        guard let expected = self.expected.popFirst() else {
            // Redis says something of its own. Its words are better than ours.
            if case .error(let error) = value { return .violation(error) }
            return .violation(.violation("Redis replied to a command that was not sent"))
        }
        switch expected {
        case .reply(let token, _, let bytes):
            self.forget(bytes)
            return .reply(token, value)
        case .publish(let bytes): return self.published(value, bytes, nil)
        case .awaitedPublish(let token, _, let bytes): return self.published(value, bytes, token)
        case .kept(let token, let resends, let bytes):
            guard case .error(let error) = value else {
                self.forget(bytes)
                return .executed(bytes: bytes, token, value)
            }
            return .keptRefused(self.takeWritten(bytes), resends: resends, error, token)
        case .expired(let bytes):
            self.forget(bytes)
            return .none
        case .question: return .answered(value)
        case .probe(let number): return .probed(number, value)
        case .peers(let number): return .counted(number, value)
        }
    }

    private mutating func published(_ value: RESPValue, _ bytes: Int, _ token: Token?) -> Event {
        guard case .error(let error) = value else {
            self.forget(bytes)
            return .published(bytes: bytes, token)
        }
        return .refused(self.takeWritten(bytes), error, token)
    }

    /// The first bytes that were written and not answered.
    private mutating func takeWritten(_ bytes: Int) -> ByteBuffer {
        let encoded = self.written.first?.getSlice(at: self.written.first?.readerIndex ?? 0, length: bytes)
        self.forget(bytes)
        return encoded ?? ByteBuffer()
    }

    /// That many bytes were answered.
    private mutating func forget(_ bytes: Int) {
        guard !self.written.isEmpty else { return }
        self.written[0].moveReaderIndex(forwardBy: min(bytes, self.written[0].readableBytes))
        if self.written[0].readableBytes == 0 { self.written.removeFirst() }
    }

    // MARK: What does not

    /// The commands and the awaited publishes whose deadline has passed.
    mutating func expire(at now: NIODeadline) -> [Token] {
        guard now >= self.wakeAt else { return [] }
        var tokens: [Token] = []
        self.wakeAt = .distantFuture
        for index in self.expected.indices {
            switch self.expected[index] {
            case .reply(let token, let deadline, let bytes):
                if deadline <= now {
                    tokens.append(token)
                    self.expected[index] = .expired(bytes: bytes)
                } else {
                    self.wakeAt = min(self.wakeAt, deadline)
                }
            case .awaitedPublish(let token, let deadline, let bytes):
                if deadline <= now {
                    tokens.append(token)
                    self.expected[index] = .publish(bytes: bytes)
                } else {
                    self.wakeAt = min(self.wakeAt, deadline)
                }
            case .expired, .publish, .kept, .question, .probe, .peers: break
            }
        }
        return tokens
    }

    /// The commands that won't be answered any more.
    struct Lost {
        var tokens: [Token] = []
        /// Awaited or not.
        var publishes = 0
        var publishedBytes = 0
        /// What is to be sent again, as it was written.
        var again: [(waiter: Token, encoded: ByteBuffer)] = []
    }

    /// - Parameter sendsAgain: Whether there will be another connection.
    /// - Returns: Which commands are lost, and which are to be sent again.
    mutating func disconnected(sendsAgain: Bool = true) -> Lost {
        var lost = Lost()
        for expected in self.expected {
            switch expected {
            case .reply(let token, _, let bytes):
                self.forget(bytes)
                lost.tokens.append(token)
            case .publish(let bytes):
                self.forget(bytes)
                lost.publishes += 1
                lost.publishedBytes += bytes
            case .kept(let token, true, let bytes) where sendsAgain:
                lost.again.append((token, self.takeWritten(bytes)))
            case .awaitedPublish(let token, _, let bytes), .kept(let token, _, let bytes):
                self.forget(bytes)
                lost.tokens.append(token)
                lost.publishes += 1
                lost.publishedBytes += bytes
            case .expired(let bytes):
                self.forget(bytes)
            case .question, .probe, .peers: break
            }
        }
        self.expected.removeAll(keepingCapacity: false)
        self.written.removeAll(keepingCapacity: false)
        self.wakeAt = .distantFuture
        return lost
    }
}
