/// A time in which messages of subscriptions may have been missed.
public struct RESPGap: Sendable, Hashable {
    /// Why.
    public var reason: RESPError
    /// Whether everything that is subscribed arrives again; if not, this is told once more when it does.
    public var isOver: Bool
}

/// Whether messages are being missed now.
///
/// A value: takes events and returns what to tell.
struct GapWatch {
    private var reason: RESPError?
    private var isDisconnected = false
    /// Subscriptions that Redis has ended, and not granted again.
    private var ended = 0

    /// The connection that subscribes is lost; it was of use.
    mutating func disconnected(_ reason: RESPError) -> RESPGap {
        self.isDisconnected = true
        // All are restored together.
        self.ended = 0
        return self.began(reason)
    }

    /// Redis has ended a subscription by itself.
    mutating func subscriptionEnded() -> RESPGap {
        self.ended += 1
        return self.began(
            RESPError(code: .disconnected, message: "Redis has ended a subscription: its slot may have moved away")
        )
    }

    /// Everything is restored.
    mutating func restored() -> RESPGap? {
        self.isDisconnected = false
        return self.over()
    }

    /// One that Redis had ended is granted again.
    mutating func subscriptionMended() -> RESPGap? {
        self.ended = max(0, self.ended - 1)
        return self.over()
    }

    private mutating func began(_ reason: RESPError) -> RESPGap {
        self.reason = self.reason ?? reason
        return RESPGap(reason: reason, isOver: false)
    }

    private mutating func over() -> RESPGap? {
        guard !self.isDisconnected, self.ended == 0, let reason = self.reason else { return nil }
        self.reason = nil
        return RESPGap(reason: reason, isOver: true)
    }
}
