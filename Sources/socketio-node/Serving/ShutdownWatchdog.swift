@preconcurrency import Dispatch
import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import UnixSignals

/// Ends the process when the deadline of a shutdown has passed, whatever else hangs.
///
/// It hears of the signals itself and waits in a thread of its own: neither the event loops nor Swift's tasks, nor a log
/// that nobody reads, can keep it from ending the process.
final class ShutdownWatchdog: Sendable {
    private let deadline: @Sendable () -> TimeAmount
    private let onDeadline: @Sendable () -> Void
    private let isArmed = NIOLockedValueBox(false)
    private let signals = NIOLockedValueBox<[any DispatchSourceSignal]>([])

    /// - Parameters:
    ///   - deadline: How long after a signal the process may live; asked for when it comes.
    ///   - onDeadline: Ends the process; runs in the watchdog's thread.
    init(deadline: @autoclosure @escaping @Sendable () -> TimeAmount, onDeadline: @escaping @Sendable () -> Void) {
        self.deadline = deadline
        self.onDeadline = onDeadline
    }

    /// Starts the clock at the first of these signals.
    func watch(_ signals: [UnixSignal]) {
        let queue = DispatchQueue(label: "shutdown watchdog", qos: .userInteractive)
        let sources = signals.map { signal in
            let source = DispatchSource.makeSignalSource(signal: signal.rawValue, queue: queue)
            source.setEventHandler { self.arm() }
            source.activate()
            return source as any DispatchSourceSignal
        }
        self.signals.withLockedValue { $0 = sources }
    }

    /// Starts the clock, unless it runs already.
    func arm() {
        let isFirst = self.isArmed.withLockedValue { isArmed in
            defer { isArmed = true }
            return !isArmed
        }
        guard isFirst else { return }
        let (end, onDeadline) = (NIODeadline.now() + self.deadline(), self.onDeadline)
        let thread = Thread {
            while NIODeadline.now() < end {
                Thread.sleep(forTimeInterval: Double((end - .now()).nanoseconds) / 1e9)
            }
            onDeadline()
        }
        thread.name = "watchdog"
        thread.start()
    }

    /// Ends the process at once, with a line if it can be written.
    static func end(_ log: NodeLog, _ logger: Logger) -> @Sendable () -> Void {
        {
            logger.error("The deadline for the shutdown has passed; the process ends with work unfinished")
            log.flush(within: .milliseconds(200))
            _exit(1)
        }
    }
}
