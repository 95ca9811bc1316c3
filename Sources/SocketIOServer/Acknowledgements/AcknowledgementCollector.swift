import NIOConcurrencyHelpers
import SocketIOWire

/// Gathers the acknowledgements of a broadcast from this node and all others.
///
/// Finished when every node has said how many clients it sent the event to and that many have answered or left, or when
/// the time is up; with the first answer if only one client is asked, because then there is nothing to wait for any more,
/// whatever nodes are silent. Finishes once.
final class AcknowledgementCollector: Sendable {
    private struct State {
        var answers: [ClientAnswer<JSONValue>] = []
        var missingClients = 0
        var missingCounts = 1
        /// `nil` until the adapter knows how many other nodes there are.
        var otherNodes: Int?
        var countsFromOthers = 0
        /// Nodes among them whose reports nobody should wait for.
        var silentNodes: [ClusterNode] = []
        var continuation: CheckedContinuation<[ClientAnswer<JSONValue>], any Error>?
        var outcome: Result<[ClientAnswer<JSONValue>], any Error>?
    }

    private let expectsSingleAnswer: Bool
    private let state = NIOLockedValueBox(State())

    init(expectsSingleAnswer: Bool = false) { self.expectsSingleAnswer = expectsSingleAnswer }

    /// Waits for the end; to be called once.
    func answers() async throws -> [ClientAnswer<JSONValue>] {
        try await withCheckedThrowingContinuation { continuation in
            let outcome: Result<[ClientAnswer<JSONValue>], any Error>? = self.state.withLockedValue { state in
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

    /// Those other nodes were sent the event, too.
    func otherNodes(_ audience: ClusterAudience) {
        self.update { state in
            state.otherNodes = audience.nodes
            state.silentNodes = audience.silent
        }
    }

    /// A client answered.
    ///
    /// - Parameters:
    ///   - value: The first argument; `nil`: there was none.
    ///   - socketID: The client's socket; `nil`: on another node.
    func answered(_ value: JSONValue?, by socketID: SocketID? = nil) {
        self.update { state in
            state.answers.append(ClientAnswer(socketID: socketID, value: value ?? .null))
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
            error.answers = state.answers
            return .failure(error)
        }
    }

    private func update(_ change: (inout State) -> Void) {
        let finished = self.state.withLockedValue {
            state -> CheckedContinuation<[ClientAnswer<JSONValue>], any Error>? in
            guard state.outcome == nil else { return nil }
            change(&state)
            guard self.isOver(state) else { return nil }
            state.outcome = self.result(state)
            let continuation = state.continuation
            state.continuation = nil
            return continuation
        }
        if let finished {
            finished.resume(with: self.state.withLockedValue { $0.outcome ?? .success([]) })
        }
    }

    private func isOver(_ state: State) -> Bool {
        if self.expectsSingleAnswer, !state.answers.isEmpty { return true }
        guard state.missingCounts == 0, state.missingClients <= 0, let others = state.otherNodes else { return false }
        return state.countsFromOthers >= others - state.silentNodes.count
    }

    private func result(_ state: State) -> Result<[ClientAnswer<JSONValue>], any Error> {
        let hasSingleAnswer = self.expectsSingleAnswer && !state.answers.isEmpty
        guard !hasSingleAnswer, let others = state.otherNodes, state.countsFromOthers < others else {
            return .success(state.answers)
        }
        let missing = Array(state.silentNodes.prefix(others - state.countsFromOthers))
        var error = AcknowledgementError(
            code: .missingNodes,
            message: "no answer of \(ClusterError.names(missing)), not for some time: its clients may not have answered"
        )
        error.answers = state.answers
        error.missing = missing
        return .failure(error)
    }

    private func finish(_ outcome: (State) -> Result<[ClientAnswer<JSONValue>], any Error>) {
        let (continuation, result) = self.state.withLockedValue { state in
            guard state.outcome == nil else {
                return (nil as CheckedContinuation<[ClientAnswer<JSONValue>], any Error>?, state.outcome)
            }
            state.outcome = outcome(state)
            let continuation = state.continuation
            state.continuation = nil
            return (continuation, state.outcome)
        }
        if let continuation, let result { continuation.resume(with: result) }
    }
}
