package import NIOCore
package import SocketIOWire

/// The state of rooms that the gateways of a cluster share, and the leases of those that hold some of it.
package protocol SharedState: Sendable {
    /// Calls a handler for each ``RoomChanges/signal``, in the order of the changes.
    ///
    /// As with ``ClusterSignals``, the first call is a gap.
    func receive(_ handler: @escaping @Sendable (Signal) -> Void) -> SignalSubscription

    /// Does what a node asks for, in this order, each operation in one step.
    ///
    /// - Returns: What became of each.
    /// - Throws: `ClusterError` if it is not known whether anything was done.
    func apply(_ operations: [StateOperation], of node: UTF8Text) async throws -> [StateOutcome]

    /// The state of a room.
    func snapshot(of room: Room) async throws -> StateSnapshot

    /// Some entries of several rooms; `nil` where there is none.
    func entries(_ keys: [StateKey]) async throws -> [StateEntry?]

    /// How many entries these rooms have together.
    func count(of rooms: [Room]) async throws -> Int

    /// Prolongs a node's lease, and clears away what is over; see ``StateTable/renew(_:lease:isKnown:at:limit:)``.
    func renew(_ node: UTF8Text, lease: TimeAmount, isKnown: Bool) async throws -> StateRenewal
}

/// How many entries one step clears away at most, or a few more, so that it does not keep others waiting.
package let stateEntriesClearedAtOnce = 500
