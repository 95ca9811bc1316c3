public import NIOCore

/// Commands with replies.
extension RESPClient {
    /// Sends a command and waits for its reply.
    ///
    /// - Parameters:
    ///   - command: Its name and arguments.
    ///   - timeout: How long to wait. By default it is ``RESPConfiguration/commandTimeout``.
    /// - Returns: The reply. It is never ``RESPValue/error(_:)``.
    /// - Throws: ``RESPError``. An error of Redis itself has the code `server`. While there is no connection, the code
    ///   is `disconnected`, at once.
    public func send(_ command: RESPCommand, timeout: TimeAmount? = nil) async throws -> RESPValue {
        try await withCheckedThrowingContinuation { continuation in
            self.send(command, timeout: timeout) { continuation.resume(with: $0) }
        }
    }

    /// Sends a command: `try await redis.send("GET", "greeting")`.
    public func send(_ name: String, _ arguments: RESPCommand.Argument...) async throws -> RESPValue {
        var command = RESPCommand(name)
        command.words += arguments
        return try await self.send(command)
    }

    /// Sends a command and calls back exactly once: on the event loop with the reply, or at once if it cannot send.
    public func send(
        _ command: RESPCommand,
        timeout: TimeAmount? = nil,
        completion: @escaping @Sendable (Result<RESPValue, RESPError>) -> Void
    ) {
        do throws(RESPError) {
            let timeout = timeout ?? self.configuration.commandTimeout
            let schedule = try self.withQueue { queue throws(RESPError) in
                try queue.send(command, timeout: timeout, completion)
            }
            if schedule { self.drainSoon() }
        } catch {
            completion(.failure(error))
        }
    }
}
