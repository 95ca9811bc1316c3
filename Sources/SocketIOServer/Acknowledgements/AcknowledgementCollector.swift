import NIOConcurrencyHelpers
import SocketIOWire

/// Gathers the acknowledgements of a broadcast from this node and all others.
///
/// Finished when every node has said how many clients it sent the event to and that many have answered or left, or when
/// the time is up. Finishes once.
final class AcknowledgementCollector: Sendable {
    private struct State {
        var responses: [JSONValue] = []
        var missingClients = 0
        var missingCounts = 1
        /// `nil` until the adapter knows how many other nodes there are.
        var otherNodes: Int?
        var countsFromOthers = 0
        var continuation: CheckedContinuation<[JSONValue], any Error>?
        var outcome: Result<[JSONValue], any Error>?
    }

    private let state = NIOLockedValueBox(State())

    /// Waits for the end; to be called once.
    func responses() async throws -> [JSONValue] {
        try await withCheckedThrowingContinuation { continuation in
            let outcome: Result<[JSONValue], any Error>? = self.state.withLockedValue { state in
                if state.outcome == nil { state.continuation = continuation }
                return state.outcome
            }
            if let outcome { continuation.resume(with: outcome) }
        }
    }

    /// This node sent the event to that many clients.
    func localClients(_ count: Int) {
        self.update { state in
            state.missingCounts -= 1
            state.missingClients += count
        }
    }

    /// More clients than any node has; the counts come from outside, and their sum must not overflow.
    private static let mostClients = 1 << 32

    /// Another node sent the event to that many clients.
    func remoteClients(_ count: Int) {
        self.update { state in
            state.countsFromOthers += 1
            state.missingClients += min(max(count, 0), Self.mostClients)
        }
    }

    /// That many other nodes will report their count of clients.
    func otherNodes(_ count: Int) {
        self.update { $0.otherNodes = count }
    }

    /// A client answered; `nil`: with no argument.
    func answered(_ value: JSONValue?) {
        self.update { state in
            state.responses.append(value ?? .null)
            state.missingClients -= 1
        }
    }

    /// A client left before it answered.
    func left() {
        self.update { $0.missingClients -= 1 }
    }

    /// The time is up.
    func timeOut() {
        self.finish { state in
            var error = AcknowledgementError.timeout
            error.responses = state.responses
            return .failure(error)
        }
    }

    private func update(_ change: (inout State) -> Void) {
        let finished = self.state.withLockedValue { state -> CheckedContinuation<[JSONValue], any Error>? in
            guard state.outcome == nil else { return nil }
            change(&state)
            guard state.missingCounts == 0, state.missingClients <= 0, let others = state.otherNodes,
                state.countsFromOthers >= others
            else { return nil }
            state.outcome = .success(state.responses)
            let continuation = state.continuation
            state.continuation = nil
            return continuation
        }
        if let finished {
            finished.resume(with: self.state.withLockedValue { $0.outcome ?? .success([]) })
        }
    }

    private func finish(_ outcome: (State) -> Result<[JSONValue], any Error>) {
        let (continuation, result) = self.state.withLockedValue { state in
            guard state.outcome == nil else {
                return (nil as CheckedContinuation<[JSONValue], any Error>?, state.outcome)
            }
            state.outcome = outcome(state)
            let continuation = state.continuation
            state.continuation = nil
            return (continuation, state.outcome)
        }
        if let continuation, let result { continuation.resume(with: result) }
    }
}
