import NIOCore

import struct SocketIOServer.RateLimit
import struct SocketIOServer.TokenBucket

/// How much a client may still ask for: a token bucket for each kind of wish.
struct ClientBudget: Sendable {
    enum Kind: Sendable, Hashable, CaseIterable {
        /// Questions to the other nodes.
        case questions
        /// Changes of rooms and subscriptions.
        case changes
    }

    private var questions = TokenBucket()
    private var changes = TokenBucket()

    /// Takes the cost of a wish from its bucket, if the bucket holds enough.
    mutating func take(
        _ kind: Kind,
        _ count: Int,
        of rate: RateLimit,
        at now: NIODeadline
    ) -> TokenBucket.Answer {
        switch kind {
        case .questions: self.questions.take(count, of: rate, at: now)
        case .changes: self.changes.take(count, of: rate, at: now)
        }
    }
}
