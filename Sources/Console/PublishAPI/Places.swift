import NIOConcurrencyHelpers

/// How many requests of each API token are under way.
///
/// Only a request with a good token takes a place. Silent connections and strangers take none.
final class Places: Sendable {
    private struct State {
        var limit: Int
        var taken: [String: Int] = [:]
    }

    private let state: NIOLockedValueBox<State>

    init(limit: Int) { self.state = NIOLockedValueBox(State(limit: limit)) }

    /// Allows each token so many from now on.
    func allow(_ limit: Int) { self.state.withLockedValue { $0.limit = limit } }

    /// Takes one of a token's places; `false` if none is left.
    func take(_ tokenID: String) -> Bool {
        self.state.withLockedValue { state in
            guard state.taken[tokenID, default: 0] < state.limit else { return false }
            state.taken[tokenID, default: 0] += 1
            return true
        }
    }

    func leave(_ tokenID: String) {
        self.state.withLockedValue { state in
            guard let count = state.taken[tokenID] else { return }
            state.taken[tokenID] = count > 1 ? count - 1 : nil
        }
    }
}
