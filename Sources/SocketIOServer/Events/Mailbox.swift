import DequeModule
import NIOCore

/// What a socket's events wait in for one kind of asynchronous work, done one after the other.
///
/// Touched on the socket's loop only.
final class Mailbox {
    /// One event's share of the work.
    struct Work {
        /// The length of the event that is kept for it.
        let bytes: Int
        let body: @Sendable @concurrent () async -> Void
    }

    var work = Deque<Work>()
    /// Whether a task works it off.
    var isWorking = false
    /// How long it was worked off since the loop last served its other connections meanwhile.
    var worked = TimeAmount.zero

    var isTurnOver: Bool { self.worked >= LoopTaskExecutor.longestTurn }
}
