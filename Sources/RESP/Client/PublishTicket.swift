import NIOConcurrencyHelpers

/// What became of messages that somebody awaits.
package enum RESPPublishOutcome: Sendable, Hashable {
    /// Redis took them all: its replies have arrived.
    case published
    /// Redis is away, silent, or executes nothing now: they wait.
    case queued
    /// Not all of them were sent, or Redis said no.
    case refused(RESPError)
    /// The connection was lost before the replies came, and they are not sent again: nobody knows.
    case unconfirmed(RESPError)

    private var severity: Int {
        switch self {
        case .published: 0
        case .queued: 1
        case .refused: 2
        case .unconfirmed: 3
        }
    }

    func combined(with other: RESPPublishOutcome) -> RESPPublishOutcome {
        self.severity >= other.severity ? self : other
    }
}

/// Stands for the messages of one call of ``RESPClient/publish(_:keeps:timeout:)`` until each is settled.
///
/// Settled on the client's loop, or by the caller's thread before it waits.
final class PublishTicket: Sendable {
    private struct State {
        var missing: Int
        var outcome = RESPPublishOutcome.published
        var completion: (@Sendable (RESPPublishOutcome) -> Void)?
    }

    /// Whether the messages may wait for a Redis that is away.
    let keeps: Bool
    private let state: NIOLockedValueBox<State>

    init(count: Int, keeps: Bool, completion: @escaping @Sendable (RESPPublishOutcome) -> Void) {
        self.keeps = keeps
        self.state = NIOLockedValueBox(State(missing: count, completion: completion))
    }

    /// That is what became of one message, or of so many.
    func settle(_ outcome: RESPPublishOutcome, count: Int = 1) {
        let completion = self.state.withLockedValue { state -> (@Sendable (RESPPublishOutcome) -> Void)? in
            state.missing -= count
            state.outcome = state.outcome.combined(with: outcome)
            guard state.missing <= 0 else { return nil }
            defer { state.completion = nil }
            return state.completion
        }
        guard let completion else { return }
        completion(self.state.withLockedValue { $0.outcome })
    }
}
