import Gateway
import Logging
import ServiceLifecycle
import UnixSignals

/// Follows the settings that may change while the node runs.
struct SettingsService: Service {
    let settings: LiveSettings
    let logger: Logger

    /// Ends with the node.
    func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.settings.run() }
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: .sighup) {
                    self.logger.notice("SIGHUP: everything is read again")
                    self.settings.requestReload()
                }
            }
            try? await gracefulShutdown()
            group.cancelAll()
        }
    }
}
