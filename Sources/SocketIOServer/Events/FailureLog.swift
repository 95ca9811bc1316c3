import Logging
import NIOCore
import Synchronization

/// Tells the log what an application's handlers and middlewares get wrong: each failure is a warning.
///
/// Clients can cause failures at will, by arguments that fit no handler. So twenty at once are warnings, and one a second
/// after that; the rest is told at debug, and the next warning says how many there were.
final class FailureLog: Sendable {
    private struct State {
        var bucket = TokenBucket()
        /// How many failures were told at debug since the last warning.
        var quiet = 0
    }

    private static let rate = RateLimit(perSecond: 1, burst: 20)

    private let logger: Logger
    private let now: @Sendable () -> NIODeadline
    private let state = Mutex(State())

    init(logger: Logger, now: @escaping @Sendable () -> NIODeadline = { .now() }) {
        self.logger = logger
        self.now = now
    }

    /// Tells of a failure.
    ///
    /// - Parameters:
    ///   - message: What failed.
    ///   - isHandled: Whether the application has heard of it otherwise: then it is told at debug.
    ///   - metadata: Where and why.
    func report(_ message: Logger.Message, isHandled: Bool = false, metadata: () -> Logger.Metadata) {
        guard !isHandled else { return self.logger.debug(message, metadata: metadata()) }
        guard self.logger.logLevel <= .warning else { return }
        let quiet: Int? = self.state.withLock { state in
            guard case .taken = state.bucket.take(1, of: Self.rate, at: self.now()) else {
                state.quiet += 1
                return nil
            }
            defer { state.quiet = 0 }
            return state.quiet
        }
        guard let quiet else { return self.logger.debug(message, metadata: metadata()) }
        var told = metadata()
        if quiet > 0 { told["sio.failures.untold"] = "\(quiet)" }
        self.logger.warning(message, metadata: told)
    }
}
