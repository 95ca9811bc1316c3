import NIOConcurrencyHelpers
package import NIOCore
package import SocketIOWire

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Room state within one process.
package final class InMemoryState: SharedState {
    private static let topic = SignalTopic("state")

    private let table = NIOLockedValueBox(StateTable())
    private let signals = InMemorySignals()
    /// The time in microseconds since 1970.
    private let now: @Sendable () -> Int

    package init(now: (@Sendable () -> Int)? = nil) {
        self.now = now ?? { Int(Date().timeIntervalSince1970 * 1_000_000) }
    }

    package func receive(_ handler: @escaping @Sendable (Signal) -> Void) -> SignalSubscription {
        self.signals.receive(Self.topic, handler)
    }

    package func apply(_ operations: [StateOperation], of node: UTF8Text) async throws -> [StateOutcome] {
        self.change { $0.apply(operations, of: node, at: self.now()) }
    }

    package func snapshot(of room: Room) async throws -> StateSnapshot {
        self.table.withLockedValue { $0.snapshot(of: room) }
    }

    package func entries(_ keys: [StateKey]) async throws -> [StateEntry?] {
        self.table.withLockedValue { table in keys.map { table.snapshot(of: $0.room).entries[$0.key] } }
    }

    package func count(of rooms: [Room]) async throws -> Int {
        self.table.withLockedValue { table in rooms.reduce(0) { $0 + table.snapshot(of: $1).entries.count } }
    }

    package func renew(_ node: UTF8Text, lease: TimeAmount, isKnown: Bool) async throws -> StateRenewal {
        self.change {
            $0.renew(
                node,
                lease: Int(lease.nanoseconds / 1_000_000),
                isKnown: isKnown,
                at: self.now(),
                limit: stateEntriesClearedAtOnce
            )
        }
    }

    /// Signals leave in the order of the changes, because they are handed over before anybody makes the next one.
    private func change<Result: Sendable>(
        _ body: (inout StateTable) -> (Result, [RoomChanges])
    ) -> Result {
        self.table.withLockedValue { table in
            let (result, told) = body(&table)
            for changes in told { self.signals.post(Self.topic, changes.signal) }
            return result
        }
    }
}
