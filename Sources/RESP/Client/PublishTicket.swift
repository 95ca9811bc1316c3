import NIOConcurrencyHelpers

/// What has happened to messages that somebody waits for.
package enum RESPPublishOutcome: Sendable, Hashable {
    /// Redis has taken them all. Its replies have arrived.
    case published
    /// Redis is away, is silent, or executes nothing now. The messages wait.
    case queued
    /// Not all of them were sent, or Redis has refused them.
    case refused(RESPError)
    /// Nobody knows. The connection was lost before the replies came, and the messages are not sent again.
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

/// Stands for the messages of one call of ``RESPClient/publish(_:keeps:timeout:)`` until it is known what happened to
/// each.
///
/// It is completed on the client's event loop, or on the caller's thread before the caller waits.
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

    /// Notes what has happened to one message, or to so many.
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
