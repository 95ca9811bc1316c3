import NIOConcurrencyHelpers
package import SocketIOServer
import SocketIOWire

/// Revocations of the gateways of one process.
///
/// They are gone when the process ends. Whoever needs them to last shares a Redis.
public final class InMemoryRevocations: RevocationStore {
    private struct State {
        var version = 0
        var revocations: [UTF8Text: Revocation] = [:]
    }

    private let signals: any ClusterSignals
    private let state = NIOLockedValueBox(State())

    /// Makes a store without revocations that tells of additions by those signals.
    public init(signals: any ClusterSignals) {
        self.signals = signals
    }

    /// Keeps a revocation, and tells the gateways.
    public func add(_ revocation: Revocation) async throws {
        let signal = try self.state.withLockedValue { state -> RevocationSignal in
            let name = revocation.name
            let known = state.revocations[name]
            guard known != nil || state.revocations.count < RevocationList.capacity else {
                throw ClusterError(code: .refused, tooManyRevocations: RevocationList.capacity)
            }
            let merged = known?.merged(with: revocation) ?? revocation
            state.revocations[name] = merged
            state.version += 1
            return RevocationSignal(version: state.version, merged)
        }
        try await self.signals.send(.revocations, signal.bytes)
    }

    /// All revocations, also those that have ended.
    public func all() async -> [Revocation] { self.state.withLockedValue { Array($0.revocations.values) } }

    /// How many additions there were.
    public func version() async -> Int { self.state.withLockedValue { $0.version } }
}

extension ClusterError {
    /// A store of revocations is full.
    package init(code: Code, tooManyRevocations limit: Int) {
        self.init(
            code: code,
            message:
                "There are \(limit) revocations that have not ended, and no more are kept; revoke all tokens that were "
                + "issued before now with issuedBefore instead"
        )
    }
}
