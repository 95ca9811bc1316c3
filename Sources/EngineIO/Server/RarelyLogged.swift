import Logging
import NIOConcurrencyHelpers
import NIOCore

/// Logs at most once a minute that clients were given up, and how many.
final class RarelyLogged: Sendable {
    private struct State {
        var count = 0
        var last: NIODeadline?
    }

    private static let pause = TimeAmount.minutes(1)

    private let logger: Logger
    private let state = NIOLockedValueBox(State())

    init(_ logger: Logger) { self.logger = logger }

    func log(_ kind: ByteBudget.Kind, count: Int, maximum: Int, at now: NIODeadline = .now()) {
        let total = self.state.withLockedValue { state -> Int? in
            state.count += count
            if let last = state.last, now < last + Self.pause { return nil }
            defer { state.count = 0 }
            state.last = now
            return state.count
        }
        guard let total else { return }
        let metadata: Logger.Metadata = ["clients": "\(total)", "limit": "\(maximum)"]
        switch kind {
        case .queued:
            self.logger.warning(
                "All clients together have too many unsent bytes; those with most were disconnected",
                metadata: metadata
            )
        case .request:
            self.logger.warning(
                "All requests together have too many bytes; the longest were refused",
                metadata: metadata
            )
        }
    }
}
