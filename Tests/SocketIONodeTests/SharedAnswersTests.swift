import NIOConcurrencyHelpers
import Testing

@testable import Console

@Suite(.timeLimit(.minutes(1)))
struct SharedAnswersTests {
    private struct TooMany: Error {}

    /// Equal questions that come while one is under way get its answer; others are bounded.
    @Test func equalQuestionsShareOneAnswer() async throws {
        let answers = SharedAnswers<Int>(limit: 2)
        let asked = NIOLockedValueBox(0)
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let (starts, started) = AsyncStream.makeStream(of: Void.self)
        try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask {
                try await answers.answer(to: [1], tooMany: TooMany()) {
                    asked.withLockedValue { $0 += 1 }
                    started.yield()
                    for await _ in gate { break }
                    return 7
                }
            }
            for await _ in starts { break }
            for _ in 0..<50 {
                group.addTask {
                    try await answers.answer(to: [1], tooMany: TooMany()) {
                        asked.withLockedValue { $0 += 1 }
                        return 7
                    }
                }
            }
            // A second question has a place beside it, a third has none.
            _ = try await answers.answer(to: [2], tooMany: TooMany()) {
                await #expect(throws: TooMany.self) { try await answers.answer(to: [3], tooMany: TooMany()) { 0 } }
                return 1
            }
            while answers.waiterCount < 50 { await Task.yield() }
            open.yield()
            for try await answer in group { #expect(answer == 7) }
        }
        #expect(asked.withLockedValue { $0 } == 1)
        #expect(try await answers.answer(to: [1], tooMany: TooMany()) { 8 } == 8)
    }

    /// Whoever waits hears of a failure, too, and the next one asks again.
    @Test func failuresAreShared() async throws {
        struct Failure: Error {}
        let answers = SharedAnswers<Int>(limit: 1)
        for _ in 0..<2 {
            await #expect(throws: Failure.self) {
                try await answers.answer(to: [1], tooMany: TooMany()) { throw Failure() }
            }
        }
        #expect(try await answers.answer(to: [1], tooMany: TooMany()) { 1 } == 1)
    }
}
