import Synchronization

/// How many bytes of other nodes' answers are kept while more are awaited, for all namespaces together.
package final class AnswerBudget: Sendable {
    package let limit: Int
    private let used = Atomic<Int>(0)

    package init(limit: Int) { self.limit = limit }

    /// How many bytes are kept.
    var bytes: Int { self.used.load(ordering: .relaxed) }

    /// Takes bytes, if there are as many left.
    func take(_ bytes: Int) -> Bool {
        let used = self.used.wrappingAdd(bytes, ordering: .relaxed).newValue
        guard used <= self.limit else {
            self.give(bytes)
            return false
        }
        return true
    }

    /// Gives bytes back.
    func give(_ bytes: Int) { self.used.wrappingSubtract(bytes, ordering: .relaxed) }
}
