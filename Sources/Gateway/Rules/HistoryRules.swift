import SocketIOServer
import SocketIOWire

/// What has a history.
struct HistoryRules: Sendable {
    private struct Rooms: Sendable {
        var pattern: Glob
        var retention: HistoryRetention
    }

    private let rooms: [Rooms]
    private let hasTypes: Bool
    /// The most events of one answer to a client.
    let maximumMissed: Int

    /// The longest name of a room with a history, in bytes.
    private static let maximumNameBytes = 512

    init(_ configuration: GatewayConfiguration) {
        self.rooms = configuration.history.rooms.map { Rooms(pattern: Glob($0.pattern), retention: $0.retention) }
        self.hasTypes = configuration.contentTypes.contains { $0.history.isOn }
        self.maximumMissed = configuration.history.maximumMissed
    }

    /// Whether any room has a history.
    var hasRooms: Bool { !self.rooms.isEmpty }
    /// Whether anything has a history.
    var isOn: Bool { self.hasRooms || self.hasTypes }

    /// What is kept of a room.
    func retention(of room: Room) -> HistoryRetention {
        // Rooms of the gateway and of single sockets have none, whatever the patterns say.
        guard self.hasRooms, room.name.utf8.count <= Self.maximumNameBytes, !RoomName.isReserved(room.name),
            SocketID(room.name) == nil
        else { return .off }
        return self.rooms.first { $0.pattern.matches(room.name) }?.retention ?? .off
    }
}

extension Rules {
    /// What is kept of a room or an entity.
    func retention(of key: HistoryKey) -> HistoryRetention {
        switch key {
        case .room(let room): self.histories.retention(of: room)
        case .entity(let entity): self.content.schema.contentType(entity.uid)?.history ?? .off
        }
    }

    /// The history of a room or an entity; `nil` if it has none.
    func stream(of key: HistoryKey) -> HistoryAddition.Stream? {
        let retention = self.retention(of: key)
        guard retention.isOn else { return nil }
        return HistoryAddition.Stream(name: key.name, retention: retention, mark: key.mark)
    }

    /// What somebody may see now of an event that a history has kept.
    ///
    /// It is worked out as for a new event, for an audience of one.
    ///
    /// - Returns: The event's name and argument; `nil` if it is not for him.
    func reading(
        _ event: LifecycleEvent,
        by principal: Principal,
        now: Double,
        completing complete: (EntityIdentity) -> EntityIdentity
    ) -> (event: String, argument: JSONValue)? {
        let audience = principal.audienceRoom
        func receivers(_ name: String, _ type: ContentType) -> [AudienceGroup] {
            for group in self.receivers(of: name, type, now: now) {
                if group.rooms.contains(audience) {
                    return [AudienceGroup(projection: group.projection, rooms: [audience])]
                }
                if group.ownerRooms.contains(audience) {
                    return [AudienceGroup(projection: group.projection, ownerRooms: [audience])]
                }
            }
            return []
        }
        let plan = try? self.content.plan(event, receivers: receivers, completing: complete)
        let own = principal.user.map { RoomName.owner($0.id, audience: audience) }
        for variant in plan?.variants ?? [] {
            let isForOthers = variant.deliveries.contains { delivery in
                delivery.rooms.contains { !$0.name.utf8.starts(with: "io-owner-".utf8) }
            }
            let isForOwner = own.map { own in variant.deliveries.contains { $0.rooms.contains(own) } } ?? false
            if isForOthers || isForOwner { return (variant.event, variant.argument) }
        }
        return nil
    }
}
