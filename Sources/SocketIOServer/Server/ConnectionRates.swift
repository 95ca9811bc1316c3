import NIOCore

/// What one connection has used of its rates.
struct ConnectionRates {
    private var packets = TokenBucket()
    private var bytes = TokenBucket()
    /// Packets that were refused; they come at a limited rate, too.
    private var refusals = TokenBucket()
    /// Whether the client knows that it is beyond a rate.
    private var isTold = false

    enum Answer {
        case within
        /// `isNews` for the first packet that is refused since one was accepted.
        case beyond(LimitExceeded, isNews: Bool)
        /// The client goes on although it is refused.
        case flood(LimitExceeded)
    }

    /// A message has come.
    mutating func spend(bytes count: Int, of rate: RateLimit, _ now: NIODeadline) {
        self.bytes.spend(count, of: rate, at: now)
    }

    /// How long it takes until as many bytes have come as the rate allows; `nil` if there were no more.
    func byteDebt(of rate: RateLimit, _ now: NIODeadline) -> TimeAmount? { self.bytes.debt(of: rate, at: now) }

    /// A packet is complete.
    mutating func take(_ limits: SocketLimits, _ now: NIODeadline) -> Answer {
        if let rate = limits.packetRate, case .refused(let pause) = self.packets.take(1, of: rate, at: now) {
            return self.refuse(LimitExceeded(.packetRate, rate, pause), rate: rate, now)
        }
        self.isTold = false
        return .within
    }

    private mutating func refuse(_ limit: LimitExceeded, rate: RateLimit, _ now: NIODeadline) -> Answer {
        guard self.refusals.take(1, of: rate, at: now) == .taken else { return .flood(limit) }
        defer { self.isTold = true }
        return .beyond(limit, isNews: !self.isTold)
    }
}

extension LimitExceeded {
    fileprivate init(_ code: Code, _ rate: RateLimit, _ pause: Int) {
        self.init(code: code, limit: rate.perSecond, retryAfterMilliseconds: pause)
    }
}
