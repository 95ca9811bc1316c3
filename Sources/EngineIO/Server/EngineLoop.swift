package import NIOCore

/// What one event loop's sessions share: timers, the sessions with something to send, buffers used again and again.
///
/// `@unchecked Sendable` because servers hand it to its loop; apart from its constants it is touched on that loop only,
/// which is asserted.
package final class EngineLoop: @unchecked Sendable {
    package let eventLoop: any EventLoop
    package let timers: TimingWheel

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.timers = TimingWheel(eventLoop: eventLoop)
    }
}
