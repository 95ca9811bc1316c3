import Gateway
import NIOConcurrencyHelpers

/// What the settings document means for this node, together with its file, its environment and its flags.
final class NodeSettings: SettingsSource {
    typealias Load = @Sendable (SettingsDocument?) throws -> LoadedConfiguration

    private struct State {
        /// What the node was started with.
        var started: Setting
        /// What is in force, but for what needs a restart.
        var inForce: Setting
        var appliers: [@Sendable (NodeConfiguration) -> Void] = []
    }

    private let load: Load
    private let state: NIOLockedValueBox<State>
    /// Adds what no configuration says, such as the token for this run.
    private let complete: @Sendable (inout GatewayConfiguration) -> Void

    /// - Parameters:
    ///   - started: What the node was started with.
    ///   - load: Reads everything again.
    ///   - complete: Adds what no configuration says.
    init(
        started: LoadedConfiguration,
        load: @escaping Load,
        complete: @escaping @Sendable (inout GatewayConfiguration) -> Void = { _ in }
    ) {
        self.load = load
        self.complete = complete
        self.state = NIOLockedValueBox(State(started: started.settings, inForce: started.settings))
    }

    /// Calls the closure with each configuration that is put into force.
    func onChange(_ apply: @escaping @Sendable (NodeConfiguration) -> Void) {
        self.state.withLockedValue { $0.appliers.append(apply) }
    }

    func propose(_ document: SettingsDocument?) async throws -> SettingsProposal {
        let loaded: LoadedConfiguration
        do {
            loaded = try self.load(document)
        } catch let error as ConfigurationError {
            throw SettingsRefusal(problems: error.problems.map(\.description))
        }
        var gateway = loaded.node.gateway
        self.complete(&gateway)
        let (started, inForce) = self.state.withLockedValue { ($0.started, $0.inForce) }
        let changes = SettingDifference.all(from: inForce, to: loaded.settings).map {
            SettingsChange(key: $0.path, needsRestart: $0.change == .restart)
        }
        let pending = SettingDifference.all(from: started, to: loaded.settings).filter { $0.change == .restart }
        return SettingsProposal(
            configuration: gateway,
            changes: changes,
            pending: pending.map(\.path),
            others: Self.shared(loaded.settings),
            apply: {
                let appliers = self.state.withLockedValue { state in
                    state.inForce = loaded.settings
                    return state.appliers
                }
                for apply in appliers { apply(loaded.node) }
            }
        )
    }

    /// The groups that are to be the same on all nodes, besides the gateway's; they hold no secrets.
    private static let sharedGroups = ["cors", "heartbeat", "limits", "recovery"]

    private static func shared(_ settings: Setting) -> String {
        SettingTable.root.filter { self.sharedGroups.contains($0.name) }
            .compactMap { field in settings[field.name].literal(field.kind).map { "\(field.name): \($0.yaml)" } }
            .joined(separator: "\n")
    }
}
