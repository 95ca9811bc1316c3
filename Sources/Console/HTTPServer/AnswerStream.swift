import NIOCore

/// An answer that goes on until the client leaves.
///
/// The connection asks for the next bytes when the client has taken those before. So nothing queues up for a client that
/// reads slowly.
struct AnswerStream: Sendable {
    /// The next bytes; `nil` when it is over.
    ///
    /// The task that asks is cancelled when the connection is closed.
    var next: @Sendable () async -> ByteBuffer?
}
