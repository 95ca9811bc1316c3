import NIOConcurrencyHelpers

/// How many requests of each API token are under way.
///
/// Only a request with a good token takes a place. Silent connections and strangers take none.
final class Places: Sendable {
    private let limit: Int
    private let taken = NIOLockedValueBox<[String: Int]>([:])

    init(limit: Int) { self.limit = limit }

    /// Takes one of a token's places; `false` if none is left.
    func take(_ tokenID: String) -> Bool {
        self.taken.withLockedValue { taken in
            guard taken[tokenID, default: 0] < self.limit else { return false }
            taken[tokenID, default: 0] += 1
            return true
        }
    }

    func leave(_ tokenID: String) {
        self.taken.withLockedValue { taken in
            guard let count = taken[tokenID] else { return }
            taken[tokenID] = count > 1 ? count - 1 : nil
        }
    }
}
