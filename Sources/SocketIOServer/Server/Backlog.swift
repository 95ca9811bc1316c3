/// What asynchronous handlers of one connection have still to do, in all namespaces together.
struct Backlog {
    /// The bytes of the events that are kept for them: of those that wait, and of those that are worked at.
    var bytes = 0
    /// How many sockets have ``SocketLimits/waitingEvents`` in their mailboxes.
    var fullMailboxes: Int32 = 0
    /// Whether there were more bytes than may be, and are still more than half of it.
    private var hasTooManyBytes = false
    /// Whether the client is not read from because of this.
    var pausesReading = false

    /// How many times as much as others a client may send that owes an answer.
    private static let patience = 8

    /// Whether no more should be read from the client.
    mutating func isAboveMark(_ limits: SocketLimits) -> Bool {
        if self.bytes >= limits.waitingBytes {
            self.hasTooManyBytes = true
        } else if self.bytes <= limits.waitingBytes / 2 {
            self.hasTooManyBytes = false
        }
        return self.hasTooManyBytes || self.fullMailboxes > 0
    }

    /// Whether there are more bytes than even a client may send that owes an answer.
    func isFarAbove(_ limits: SocketLimits) -> Bool { Self.isFarAbove(self.bytes, limits.waitingBytes) }

    /// Whether a count is that far above its limit.
    static func isFarAbove(_ count: Int, _ limit: Int) -> Bool { count / self.patience >= max(limit, 1) }
}
