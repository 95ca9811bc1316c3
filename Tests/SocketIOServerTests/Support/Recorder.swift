import Synchronization

/// What happened, in order, for a test that waits for it.
final class Recorder<Value: Sendable>: Sendable {
    private let continuation: AsyncStream<Value>.Continuation
    private let stream: AsyncStream<Value>

    init() { (self.stream, self.continuation) = AsyncStream.makeStream(of: Value.self) }

    func record(_ value: Value) { self.continuation.yield(value) }

    /// The next value; waits until there is one.
    func next() async -> Value? {
        var iterator = self.stream.makeAsyncIterator()
        return await iterator.next()
    }
}

/// Holds tasks back until it is opened.
final class Gate: Sendable {
    private let recorder = Recorder<Void>()
    func open() { self.recorder.record(()) }
    func wait() async { await self.recorder.next() }
}
