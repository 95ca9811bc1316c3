package import NIOCore
package import RESP

/// Carries the messages of the streams adapter: Redis, or in tests an object that can be watched.
package protocol StreamsBus: ClusterBus {
    /// Reads streams from now on; the handler is called on ``ClusterBus/eventLoop``, and never before this has
    /// returned.
    func readStreams(
        _ keys: [String],
        from start: RESPStreamStart,
        count: Int,
        block: TimeAmount,
        handler: @escaping @Sendable (RESPStreamEvent) -> Void
    ) -> any StreamsBusReader

    /// Sends a command that may wait for Redis; commands are sent in the order of the calls.
    ///
    /// - Parameters:
    ///   - command: Executed at most once.
    ///   - completion: Called once with the outcome, on the loop, and never before this has returned.
    /// - Returns: Whether it is on its way, or kept for later.
    /// - Throws: ``RESPError`` if it was not taken. Then the completion is not called.
    func keep(
        _ command: RESPCommand,
        completion: @escaping @Sendable (RESPKeptOutcome) -> Void
    ) throws(RESPError) -> RESPClient.PublishStatus

    /// Sends commands that do not wait for Redis; the completion is called once, maybe before this has returned.
    ///
    /// - Parameters:
    ///   - commands: In order.
    ///   - isTransaction: Whether all are executed in one step, or none.
    ///   - timeout: How long to wait for the replies.
    ///   - completion: The replies, among them errors.
    func execute(
        _ commands: [RESPCommand],
        isTransaction: Bool,
        timeout: TimeAmount,
        completion: @escaping @Sendable (Result<[RESPValue], RESPError>) -> Void
    )
}

/// A reader of streams.
package protocol StreamsBusReader: Sendable {
    /// Ends it; returns when the handler will not be called any more.
    func cancel() async
}

extension RESPStreamReader: StreamsBusReader {}

extension StreamsBus {
    /// Sends commands, and waits for the replies.
    func execute(
        _ commands: [RESPCommand],
        isTransaction: Bool = false,
        timeout: TimeAmount
    ) async throws -> [RESPValue] {
        try await withCheckedThrowingContinuation { continuation in
            self.execute(commands, isTransaction: isTransaction, timeout: timeout) { continuation.resume(with: $0) }
        }
    }
}

extension RedisBus: StreamsBus {
    func readStreams(
        _ keys: [String],
        from start: RESPStreamStart,
        count: Int,
        block: TimeAmount,
        handler: @escaping @Sendable (RESPStreamEvent) -> Void
    ) -> any StreamsBusReader {
        self.client.readStreams(keys, from: start, count: count, block: block, handler: handler)
    }

    func keep(
        _ command: RESPCommand,
        completion: @escaping @Sendable (RESPKeptOutcome) -> Void
    ) throws(RESPError) -> RESPClient.PublishStatus {
        try self.client.keep(command, completion: completion)
    }

    func execute(
        _ commands: [RESPCommand],
        isTransaction: Bool,
        timeout: TimeAmount,
        completion: @escaping @Sendable (Result<[RESPValue], RESPError>) -> Void
    ) {
        if isTransaction {
            self.client.transaction(commands, timeout: timeout, completion: completion)
        } else {
            self.client.send(commands, timeout: timeout, completion: completion)
        }
    }
}
