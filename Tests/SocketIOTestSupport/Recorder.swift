/// What happened, in order, for a test that waits for it.
package final class Recorder<Value: Sendable>: Sendable {
    private let continuation: AsyncStream<Value>.Continuation
    private let stream: AsyncStream<Value>

    package init() { (self.stream, self.continuation) = AsyncStream.makeStream(of: Value.self) }

    package func record(_ value: Value) { self.continuation.yield(value) }

    /// The next value; waits until there is one.
    package func next() async -> Value? {
        var iterator = self.stream.makeAsyncIterator()
        return await iterator.next()
    }
}

/// Holds tasks back until it is opened.
package final class Gate: Sendable {
    private let recorder = Recorder<Void>()

    package init() {}

    package func open() { self.recorder.record(()) }
    package func wait() async { await self.recorder.next() }
}
