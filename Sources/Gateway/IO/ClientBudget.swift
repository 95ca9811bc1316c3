import NIOCore
import SocketIOServer

/// What one client has used up of what it may ask for: a token bucket for each kind.
struct ClientBudget: Sendable {
    enum Kind: Sendable, Hashable, CaseIterable {
        /// Questions to the other nodes.
        case questions
        /// Rooms and subscriptions that change.
        case changes
    }

    private var questions = TokenBucket()
    private var changes = TokenBucket()

    /// Takes from a bucket what a wish costs, if it is there.
    mutating func take(
        _ kind: Kind,
        _ count: Int,
        _ limits: GatewayConfiguration.Limits,
        at now: NIODeadline
    ) -> TokenBucket.Answer {
        switch kind {
        case .questions: self.questions.take(count, of: limits.questions, at: now)
        case .changes: self.changes.take(count, of: limits.changes, at: now)
        }
    }
}
