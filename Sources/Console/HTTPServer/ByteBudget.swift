import NIOCore
import Synchronization

/// Limits how many bytes of bodies and answers the API holds at the same time, for all connections together.
final class ByteBudget: Sendable {
    private let limit: Int
    private let used = Atomic<Int>(0)

    init(limit: Int) { self.limit = limit }

    /// The bytes that are held now.
    var bytesInUse: Int { self.used.load(ordering: .relaxed) }

    /// Takes bytes if there are enough left.
    func reserve(_ count: Int) -> Bool {
        let used = self.used.add(count, ordering: .relaxed).newValue
        guard used <= self.limit else {
            self.release(count)
            return false
        }
        return true
    }

    func release(_ count: Int) { self.used.subtract(count, ordering: .relaxed) }
}

/// The bytes of an answer.
///
/// The budget gets them back when nobody needs the answer any more.
///
/// Several requests may share one answer. It counts once.
final class AnswerBody: Sendable {
    let bytes: ByteBuffer
    private let budget: ByteBudget?

    /// An answer of a few bytes, which does not count.
    init(uncounted bytes: ByteBuffer) {
        self.bytes = bytes
        self.budget = nil
    }

    /// An answer that counts; `nil` if there is no room for it.
    init?(_ bytes: ByteBuffer, of budget: ByteBudget) {
        guard budget.reserve(bytes.readableBytes) else { return nil }
        self.bytes = bytes
        self.budget = budget
    }

    deinit { self.budget?.release(self.bytes.readableBytes) }
}
