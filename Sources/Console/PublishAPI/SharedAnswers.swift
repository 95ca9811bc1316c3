import NIOConcurrencyHelpers

/// Lets equal questions that are under way at the same time share one answer, and limits how many different ones may be
/// under way.
final class SharedAnswers<Answer: Sendable>: Sendable {
    private typealias Waiter = CheckedContinuation<Answer?, any Error>

    private let limit: Int
    /// For each question that is under way: those who wait for its answer.
    private let underWay = NIOLockedValueBox<[[UInt8]: [Waiter]]>([:])

    init(limit: Int) { self.limit = limit }

    /// How many callers wait for the answer to a question that somebody else has asked.
    var waiterCount: Int { self.underWay.withLockedValue { $0.values.reduce(0) { $0 + $1.count } } }

    /// The answer to a question.
    ///
    /// If somebody asks the same just now, it is their answer; if not, `ask` gets it.
    ///
    /// - Parameters:
    ///   - question: Its bytes.
    ///   - tooMany: The error if too many different questions are under way.
    ///   - ask: Asks the question.
    /// - Returns: The answer.
    /// - Throws: What `ask` threw, or `tooMany`.
    func answer(
        to question: [UInt8],
        tooMany: @autoclosure () -> any Error,
        _ ask: () async throws -> Answer
    ) async throws -> Answer {
        while true {
            switch self.join(question) {
            case .none: throw tooMany()
            case .first: return try await self.lead(question, ask)
            case .later:
                if let answer = try await self.wait(for: question) { return answer }
            }
        }
    }

    private enum Part { case first, later, none }

    private func join(_ question: [UInt8]) -> Part {
        self.underWay.withLockedValue { underWay in
            if underWay[question] != nil { return .later }
            guard underWay.count < self.limit else { return .none }
            underWay[question] = []
            return .first
        }
    }

    private func lead(_ question: [UInt8], _ ask: () async throws -> Answer) async throws -> Answer {
        let result: Result<Answer, any Error>
        do {
            result = .success(try await ask())
        } catch {
            result = .failure(error)
        }
        for waiter in self.underWay.withLockedValue({ $0.removeValue(forKey: question) }) ?? [] {
            waiter.resume(with: result.map { $0 })
        }
        return try result.get()
    }

    /// The answer that somebody else gets.
    ///
    /// It is `nil` if they have got it just before, so that the caller has to ask again.
    private func wait(for question: [UInt8]) async throws -> Answer? {
        try await withCheckedThrowingContinuation { waiter in
            let isLate = self.underWay.withLockedValue { underWay in
                guard underWay[question] != nil else { return true }
                underWay[question]?.append(waiter)
                return false
            }
            if isLate { waiter.resume(returning: nil) }
        }
    }
}
