package import NIOCore

/// A value that belongs to one event loop: any thread may hold the box, and only the loop looks into it.
///
/// Debug builds assert that it does. Release builds read and write memory, without a check, a lock or a reference count.
package struct LoopBound<Value>: ~Copyable, @unchecked Sendable {
    // Invariant behind `@unchecked`: `storage` is dereferenced on `eventLoop` only, which is asserted.

    @usableFromInline
    let eventLoop: any EventLoop
    @usableFromInline
    let storage: UnsafeMutablePointer<Value>

    /// Puts a value, which nobody else has, into the box; on any thread.
    @inlinable
    package init(_ value: sending Value, eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.storage = .allocate(capacity: 1)
        self.storage.initialize(to: value)
    }

    deinit {
        self.storage.deinitialize(count: 1)
        self.storage.deallocate()
    }

    /// The value, on its loop.
    @inlinable
    package var value: Value {
        @inline(__always)
        _read {
            assert(self.eventLoop.inEventLoop, "a value that belongs to an event loop was read elsewhere")
            yield self.storage.pointee
        }
        @inline(__always)
        nonmutating _modify {
            assert(self.eventLoop.inEventLoop, "a value that belongs to an event loop was changed elsewhere")
            yield &self.storage.pointee
        }
    }
}
