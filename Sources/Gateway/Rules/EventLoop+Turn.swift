import NIOCore

extension EventLoop {
    /// Runs something within one turn of this loop, and within the current one if the caller is on the loop.
    ///
    /// A caller that does not have to wait for a turn keeps the order of what it does: a client that is let in at once is
    /// there before its next packet is read.
    func turn<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        if self.inEventLoop { return try body() }
        return try await self.submit(body).get()
    }
}
