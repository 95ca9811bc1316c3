import NIOConcurrencyHelpers
public import NIOCore

/// Commands that leave together.
extension RESPClient {
    /// Sends commands in one piece, with none of others between them, and waits for all replies.
    ///
    /// Other clients' commands may be executed between them: see ``transaction(_:timeout:)``.
    ///
    /// - Parameters:
    ///   - commands: In order.
    ///   - timeout: How long to wait; ``RESPConfiguration/commandTimeout`` unless given.
    /// - Returns: The replies, in order; ``RESPValue/error(_:)`` where Redis said no.
    /// - Throws: ``RESPError`` if not all were answered.
    public func send(_ commands: [RESPCommand], timeout: TimeAmount? = nil) async throws -> [RESPValue] {
        try await withCheckedThrowingContinuation { continuation in
            self.send(commands, timeout: timeout) { continuation.resume(with: $0) }
        }
    }

    /// Sends commands in one piece, and calls back, exactly once: on the event loop with the replies, or at once if they
    /// can't be sent.
    public func send(
        _ commands: [RESPCommand],
        timeout: TimeAmount? = nil,
        completion: @escaping @Sendable (Result<[RESPValue], RESPError>) -> Void
    ) {
        guard !commands.isEmpty else { return completion(.success([])) }
        let collector = ReplyCollector(count: commands.count, completion: completion)
        do throws(RESPError) {
            let timeout = timeout ?? self.configuration.commandTimeout
            let schedule = try self.withQueue { queue throws(RESPError) in
                try queue.send(commands, timeout: timeout) { index in { collector.add($0, at: index) } }
            }
            if schedule { self.drainSoon() }
        } catch {
            completion(.failure(error))
        }
    }

    /// Executes commands between `MULTI` and `EXEC`: all of them, and none of others between them.
    ///
    /// - Parameters:
    ///   - commands: In order.
    ///   - timeout: How long to wait; ``RESPConfiguration/commandTimeout`` unless given.
    /// - Returns: The replies, in order; ``RESPValue/error(_:)`` where one of them failed while it was executed.
    /// - Throws: ``RESPError``: Redis's if it refused one of them, and nothing is executed then.
    public func transaction(_ commands: [RESPCommand], timeout: TimeAmount? = nil) async throws -> [RESPValue] {
        try await withCheckedThrowingContinuation { continuation in
            self.transaction(commands, timeout: timeout) { continuation.resume(with: $0) }
        }
    }

    /// Executes commands between `MULTI` and `EXEC`, and calls back, exactly once: on the event loop with the replies, or
    /// at once if they can't be sent.
    public func transaction(
        _ commands: [RESPCommand],
        timeout: TimeAmount? = nil,
        completion: @escaping @Sendable (Result<[RESPValue], RESPError>) -> Void
    ) {
        guard !commands.isEmpty else { return completion(.success([])) }
        self.send([RESPCommand("MULTI")] + commands + [RESPCommand("EXEC")], timeout: timeout) { result in
            completion(result.flatMap(Self.executed))
        }
    }

    private static func executed(_ replies: [RESPValue]) -> Result<[RESPValue], RESPError> {
        for reply in replies {
            // The first one says more than EXECABORT at the end.
            if case .error(let error) = reply { return .failure(error) }
        }
        guard let values = replies.last?.arrayValue, values.count == replies.count - 2 else {
            return .failure(RESPError(code: .server, message: "Redis has not executed a transaction"))
        }
        return .success(values)
    }
}

/// The replies of commands that were sent together.
private final class ReplyCollector: Sendable {
    private struct State {
        var replies: [RESPValue]
        var missing: Int
        var completion: (@Sendable (Result<[RESPValue], RESPError>) -> Void)?
    }

    private let state: NIOLockedValueBox<State>

    init(count: Int, completion: @escaping @Sendable (Result<[RESPValue], RESPError>) -> Void) {
        let replies = [RESPValue](repeating: .null, count: count)
        self.state = NIOLockedValueBox(State(replies: replies, missing: count, completion: completion))
    }

    func add(_ result: Result<RESPValue, RESPError>, at index: Int) {
        let finished = self.state.withLockedValue { state -> (() -> Void)? in
            let outcome: Result<[RESPValue], RESPError>
            switch result {
            case .failure(let error) where error.code != .server:
                outcome = .failure(error)
            case .success(let value):
                state.replies[index] = value
                state.missing -= 1
                outcome = .success(state.replies)
            case .failure(let error):
                state.replies[index] = .error(error)
                state.missing -= 1
                outcome = .success(state.replies)
            }
            if case .success = outcome, state.missing > 0 { return nil }
            defer { state.completion = nil }
            return state.completion.map { completion in { completion(outcome) } }
        }
        finished?()
    }
}
