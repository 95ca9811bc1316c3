import Foundation
import Logging
import NIOCore
import ServiceLifecycle
import UnixSignals

/// The first to hear of a shutdown: tells load balancers, waits for them, and sees to it that it ends in time.
struct ShutdownService: Service {
    let configuration: NodeConfiguration.Shutdown
    let readiness: Readiness
    let watchdog: ShutdownWatchdog
    let logger: Logger

    func run() async throws {
        try? await gracefulShutdown()
        self.watchdog.arm()
        self.readiness.shuttingDown()
        self.logger.notice(
            "Shutting down",
            metadata: ["deadline": "\(self.configuration.deadline.nanoseconds / 1_000_000) ms"]
        )
        if self.configuration.delay > .zero { await self.waitForBalancers() }
    }

    /// Ends with the delay, or with another signal: somebody is in a hurry.
    private func waitForBalancers() async {
        let delay = self.configuration.delay.nanoseconds
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await Task.sleep(for: .nanoseconds(delay)) }
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: Self.signals) { return }
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// The signals that end the node.
    ///
    /// SIGHUP is one unless whoever started the node had it ignored, as `nohup` does.
    static let signals: [UnixSignal] = Self.ignoresHangup ? [.sigterm, .sigint] : [.sigterm, .sigint, .sighup]

    private static var ignoresHangup: Bool {
        var action = sigaction()
        guard sigaction(SIGHUP, nil, &action) == 0 else { return false }
        #if canImport(Darwin)
        let handler = action.__sigaction_u.__sa_handler
        #else
        let handler = action.__sigaction_handler.sa_handler
        #endif
        // `SIG_IGN` is the address 1; functions can't be compared otherwise.
        return unsafeBitCast(handler, to: Int.self) == 1
    }
}
