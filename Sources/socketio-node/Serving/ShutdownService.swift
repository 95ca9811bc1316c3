import Foundation
import Logging
import NIOCore
import ServiceLifecycle
import UnixSignals

/// The first to hear of a shutdown: tells load balancers, waits for them, and sees to it that it ends in time.
struct ShutdownService: Service {
    private let current: @Sendable () -> NodeConfiguration.Shutdown
    let readiness: Readiness
    let watchdog: ShutdownWatchdog
    let logger: Logger

    /// - Parameters:
    ///   - configuration: How to leave; asked for when the time has come.
    ///   - readiness: Tells load balancers.
    ///   - watchdog: Sees to it that it ends in time.
    ///   - logger: Where it is said.
    init(
        configuration: @autoclosure @escaping @Sendable () -> NodeConfiguration.Shutdown,
        readiness: Readiness,
        watchdog: ShutdownWatchdog,
        logger: Logger
    ) {
        self.current = configuration
        self.readiness = readiness
        self.watchdog = watchdog
        self.logger = logger
    }

    private var configuration: NodeConfiguration.Shutdown { self.current() }

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
    /// SIGHUP is none: a node reads its settings again.
    static let signals: [UnixSignal] = [.sigterm, .sigint]
}
