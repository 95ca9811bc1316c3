import NIOConcurrencyHelpers
import SocketIOServer
import SocketIOWire

/// Subscribes to the channels of the rooms in which this node has sockets, and to no others.
final class RoomSubscriptions: RoomObserver {
    private let roster: any ClusterBusRoster
    private let isSubscribed: @Sendable (_ room: Room, _ isPrivate: Bool) -> Bool
    private let channel: @Sendable (Room) -> String
    /// The rooms whose channels are in the roster.
    private let rooms = NIOLockedValueBox<Set<Room>>([])

    /// Rooms to subscribe to.
    ///
    /// - Parameters:
    ///   - roster: Where their channels go.
    ///   - isSubscribed: Whether a room has a channel of its own.
    ///   - channel: A room's channel.
    init(
        roster: any ClusterBusRoster,
        isSubscribed: @escaping @Sendable (_ room: Room, _ isPrivate: Bool) -> Bool = { _, _ in true },
        channel: @escaping @Sendable (Room) -> String
    ) {
        self.roster = roster
        self.isSubscribed = isSubscribed
        self.channel = channel
    }

    func roomAppeared(_ room: Room, isPrivate: Bool) {
        guard self.isSubscribed(room, isPrivate) else { return }
        // The lock is held, because otherwise a room that comes and goes could stay subscribed.
        self.rooms.withLockedValue { rooms in
            if rooms.insert(room).inserted { self.roster.insert(self.channel(room), heard: nil) }
        }
    }

    func roomVanished(_ room: Room) {
        self.rooms.withLockedValue { rooms in
            if rooms.remove(room) != nil { self.roster.remove(self.channel(room)) }
        }
    }

    /// Returns when Redis has confirmed the channels of these rooms, or can't now.
    func confirm(_ rooms: [Room]) async {
        for room in rooms {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let isAwaited = self.rooms.withLockedValue { rooms in
                    guard rooms.contains(room) else { return false }
                    self.roster.insert(self.channel(room)) { continuation.resume() }
                    return true
                }
                if !isAwaited { continuation.resume() }
            }
        }
    }

    func cancel() async { await self.roster.cancel() }
}
