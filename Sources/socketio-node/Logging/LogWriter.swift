import Dispatch
import Foundation
import NIOConcurrencyHelpers
import NIOCore

/// Writes lines to a file from a thread of its own: who logs never waits for who reads.
///
/// The lines that wait are bounded. While nobody reads, further lines are dropped and counted, and the count is written as
/// a line of its own as soon as the reader goes on.
final class LogWriter: Sendable {
    private struct State: Sendable {
        /// What waits for the thread.
        var waiting = ByteBuffer()
        /// The lines that were dropped since the last one in ``waiting``.
        var dropped = 0
        /// Who wants to know when everything before them has been written.
        var flushers: [DispatchSemaphore] = []
        var isClosed = false

        var isEmpty: Bool { self.waiting.readableBytes == 0 && self.dropped == 0 && self.flushers.isEmpty }
    }

    private let descriptor: CInt
    private let limit: Int
    private let droppedLine: @Sendable (Int) -> ByteBuffer
    private let state = NIOLockedValueBox(State())
    private let work = DispatchSemaphore(value: 0)

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - descriptor: The file to write to; it may block.
    ///   - limit: How many bytes may wait. As many again may be in the thread's hands.
    ///   - droppedLine: Makes the line that says how many lines were dropped.
    init(descriptor: CInt, limit: Int = 1_048_576, droppedLine: @escaping @Sendable (Int) -> ByteBuffer) {
        self.descriptor = descriptor
        self.limit = limit
        self.droppedLine = droppedLine
        let thread = Thread { self.run() }
        thread.name = "log"
        thread.start()
    }

    /// Takes a line, or counts it as dropped; never waits for the file.
    func write(_ line: ByteBuffer) {
        self.add { state in
            guard state.dropped == 0, state.waiting.readableBytes + line.readableBytes <= self.limit else {
                state.dropped += 1
                return
            }
            state.waiting.writeImmutableBuffer(line)
        }
    }

    /// Waits until what was written before is in the file, but not longer than this.
    ///
    /// - Returns: Whether it is there.
    @discardableResult
    func flush(within time: DispatchTimeInterval) -> Bool {
        let done = DispatchSemaphore(value: 0)
        self.add { $0.flushers.append(done) }
        return done.wait(timeout: .now() + time) == .success
    }

    /// Ends the thread when it has written what waits.
    func close() { self.add { $0.isClosed = true } }

    private func add(_ change: (inout State) -> Void) {
        let wasIdle = self.state.withLockedValue { state in
            let wasIdle = state.isEmpty
            change(&state)
            return wasIdle
        }
        if wasIdle { self.work.signal() }
    }

    // MARK: The thread

    private func run() {
        while true {
            self.work.wait()
            let batch = self.state.withLockedValue { state in
                let batch = state
                state = State(isClosed: state.isClosed)
                return batch
            }
            var bytes = batch.waiting
            // Dropped lines came after those that waited.
            if batch.dropped > 0 { bytes.writeImmutableBuffer(self.droppedLine(batch.dropped)) }
            self.writeAll(bytes)
            for flusher in batch.flushers { flusher.signal() }
            if batch.isClosed { return }
        }
    }

    /// Writes everything, however long it takes; gives up if the file can't be written to.
    private func writeAll(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Foundation.write(
                    self.descriptor,
                    UnsafeRawBufferPointer(rebasing: rest).baseAddress,
                    rest.count
                )
                if count > 0 {
                    rest = rest.dropFirst(count)
                    continue
                }
                switch errno {
                case EINTR: continue
                case EAGAIN:
                    // Somebody who shares the file has made it non-blocking.
                    var poll = pollfd(fd: self.descriptor, events: Int16(POLLOUT), revents: 0)
                    _ = Foundation.poll(&poll, 1, 1000)
                default: return
                }
            }
        }
    }
}
