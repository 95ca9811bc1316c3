import NIOConcurrencyHelpers

/// The ids of the latest requests, so that a repeated one is carried out once.
///
/// Bounded: the oldest id is forgotten first. It belongs to one node; a back end that repeats a request to another node
/// publishes twice.
final class EventMemory: Sendable {
    private struct State {
        /// A ring of the ids in the order of their arrival.
        var ring: [String] = []
        var next = 0
        /// The position of each known id in the ring.
        var positions: [String: Int] = [:]
    }

    /// Ids longer than this are refused by the caller, and so are long paths; with the capacity that bounds the memory.
    static let maximumLength = 256

    private let capacity: Int
    private let state = NIOLockedValueBox(State())

    init(capacity: Int) { self.capacity = capacity }

    /// Notes an id.
    ///
    /// - Returns: Whether it is new.
    func insert(_ id: String) -> Bool {
        guard self.capacity > 0 else { return true }
        return self.state.withLockedValue { state in
            guard state.positions[id] == nil else { return false }
            if state.ring.count < self.capacity {
                state.positions[id] = state.ring.count
                state.ring.append(id)
                return true
            }
            let position = state.next
            let forgotten = state.ring[position]
            if state.positions[forgotten] == position { state.positions[forgotten] = nil }
            state.ring[position] = id
            state.positions[id] = position
            state.next = (position + 1) % self.capacity
            return true
        }
    }

    /// Forgets an id whose request failed, so that it can be tried again.
    func remove(_ id: String) {
        self.state.withLockedValue { $0.positions[id] = nil }
    }
}
