import NIOCore

/// That somebody wants proof of a ``RESPClient``'s link, until ``cancel()``.
package final class RESPLinkWatch: Sendable {
    let proof: EventLoopFuture<Void>
    private let onCancel: @Sendable () -> Void

    init(proof: EventLoopFuture<Void>, onCancel: @escaping @Sendable () -> Void) {
        self.proof = proof
        self.onCancel = onCancel
    }

    /// Waits until a message has come back for the first time.
    ///
    /// - Throws: ``RESPError`` that says what came instead.
    package func proven() async throws { try await self.proof.get() }

    /// Ends it; once.
    package func cancel() { self.onCancel() }
}
