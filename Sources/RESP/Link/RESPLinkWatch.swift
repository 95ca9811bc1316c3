import NIOCore

/// A wish for continuous proof that a ``RESPClient``'s messages arrive.
///
/// ``cancel()`` ends it.
package final class RESPLinkWatch: Sendable {
    let proof: EventLoopFuture<Void>
    private let onCancel: @Sendable () -> Void

    init(proof: EventLoopFuture<Void>, onCancel: @escaping @Sendable () -> Void) {
        self.proof = proof
        self.onCancel = onCancel
    }

    /// Waits until a message has come back for the first time.
    ///
    /// - Throws: ``RESPError`` that says what happened instead.
    package func proven() async throws { try await self.proof.get() }

    /// Ends the watch.
    ///
    /// Only the first call has an effect.
    package func cancel() { self.onCancel() }
}
