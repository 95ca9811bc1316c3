public import NIOCore
import SocketIOServer
public import SocketIOWire

// MARK: - Histories

extension IO {
    /// The longest time that ``history(of:since:limit:wait:as:)-(Room,_,_,_,_)`` waits for an event.
    public static let longestHistoryWait = TimeAmount.seconds(60)

    /// Reads what was sent to a room.
    ///
    /// - Parameters:
    ///   - room: A room of the main namespace.
    ///   - position: Where to read on. Without it, the last events are read.
    ///   - limit: The most events.
    ///   - wait: How long to wait for an event, if there is none now.
    ///   - principal: Who reads.
    /// - Returns: The events; `nil` if the room has no history.
    /// - Throws: `ClusterError` with the code `unreachable` if the history can't be read now.
    public func history(
        of room: Room,
        since position: HistoryPosition? = nil,
        limit: Int = 100,
        wait: TimeAmount = .zero,
        as principal: Principal
    ) async throws -> HistoryPage? {
        let reader = HistoryReader(principal: principal, seesRaw: true)
        return try await self.histories.page(of: .room(room), since: position, limit: limit, wait: wait, reader)
    }

    /// Reads what has happened to an entity, as somebody may see it now.
    ///
    /// - Parameters:
    ///   - entity: The entity.
    ///   - position: Where to read on. Without it, the last events are read.
    ///   - limit: The most events.
    ///   - wait: How long to wait for an event, if there is none now.
    ///   - principal: Who reads.
    /// - Returns: The events; `nil` if the content type has no history.
    /// - Throws: `ClusterError` with the code `unreachable` if the history can't be read now.
    public func history(
        of entity: EntityRef,
        since position: HistoryPosition? = nil,
        limit: Int = 100,
        wait: TimeAmount = .zero,
        as principal: Principal
    ) async throws -> HistoryPage? {
        guard ContentType.isValidUID(entity.uid), EntityRef.isValidID(entity.id) else { return nil }
        let rules = self.context.rules.value
        guard let type = rules.content.schema.contentType(entity.uid) else { return nil }
        let ability = rules.access.ability(of: principal)
        let follower = rules.access.subscriptionPolicy.follower(
            principal,
            of: type,
            ability: ability,
            owners: self.subscriptions.owners(of: entity, type)
        )
        var seesRaw = ability.hasAnyScope(on: entity.uid)
        switch follower {
        case .undecided, nil: seesRaw = false
        case .anyone, .owner: break
        }
        let reader = HistoryReader(principal: principal, seesRaw: seesRaw)
        return try await self.histories.page(of: .entity(entity), since: position, limit: limit, wait: wait, reader)
    }
}
