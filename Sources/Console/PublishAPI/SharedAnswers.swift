import NIOConcurrencyHelpers

/// Lets equal questions that are under way at the same time share one answer, and bounds how many different ones are.
final class SharedAnswers<Answer: Sendable>: Sendable {
    private typealias Waiter = CheckedContinuation<Answer?, any Error>

    private let limit: Int
    /// Who waits for the answer to a question that somebody asks just now.
    private let underWay = NIOLockedValueBox<[[UInt8]: [Waiter]]>([:])

    init(limit: Int) { self.limit = limit }

    /// How many wait for the answer to what somebody else has asked.
    var waiterCount: Int { self.underWay.withLockedValue { $0.values.reduce(0) { $0 + $1.count } } }

    /// The answer to a question: of whoever asks the same just now, else of `ask`.
    ///
    /// - Parameters:
    ///   - question: Its bytes.
    ///   - tooMany: What to throw if too many different questions are under way.
    ///   - ask: Asks.
    /// - Returns: The answer.
    /// - Throws: What asking threw, or `tooMany`.
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

    /// The answer that somebody else gets; `nil` if that was in this moment, and the question has to be asked again.
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
