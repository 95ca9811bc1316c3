package import SocketIOWire

/// A change of a room's state that a node asks for.
///
/// All of it is absolute, so an operation may be done twice: what was lost on its way is sent again.
package struct StateOperation: Sendable, Hashable {
    package enum Action: Sendable, Hashable {
        /// Gives the key a value.
        ///
        /// Without holders the entry is nobody's, and stays. With some, those of other nodes stay as well.
        case set(JSONValue, lifetime: Int?)
        /// Holds the entry as it is, and makes it with that value only if there is none.
        case acquire(JSONValue)
        /// Holds the entry no more, or with fewer sockets; the entry goes with its last holder.
        case release
        /// Removes the entry, whoever holds it.
        case remove
        /// The node holds nothing in the room any more.
        case detach
    }

    package var room: Room
    package var key: UTF8Text
    package var action: Action
    /// Who asks.
    package var by: JSONValue
    /// How many sockets of the node hold the entry from now on.
    package var holders: Int
    package var limits: StateLimits

    package init(
        room: Room,
        key: UTF8Text,
        action: Action,
        by: JSONValue,
        holders: Int,
        limits: StateLimits
    ) {
        self.room = room
        self.key = key
        self.action = action
        self.by = by
        self.holders = holders
        self.limits = limits
    }
}

/// What became of an operation.
package enum StateOutcome: Sendable, Hashable {
    /// Everybody sees the change; it has that number.
    case changed(version: Int)
    /// Members see no difference.
    case unchanged(version: Int)
    case refused(StateRefusal)
    /// The node's lease has ended, so it may hold nothing under its present id.
    case leaseLost
}

/// Which limit an operation would break.
package enum StateRefusal: Sendable, Hashable {
    case tooManyKeys
    case tooLarge
}

/// One change of a room's state, as all nodes hear of it.
package struct StateChange: Sendable, Hashable {
    package var key: UTF8Text
    /// The entry from now on; `nil` if it is gone.
    package var entry: StateEntry?
    /// The number of the change; `nil` if only the holders are others, which members are not told.
    package var version: Int?
    /// Who caused it.
    package var by: JSONValue
    /// Whether the entry is gone because the node of its last holder is.
    package var isSwept: Bool

    package init(key: UTF8Text, entry: StateEntry?, version: Int?, by: JSONValue, isSwept: Bool = false) {
        self.key = key
        self.entry = entry
        self.version = version
        self.by = by
        self.isSwept = isSwept
    }
}

/// Changes of one room that were made in one step.
package struct RoomChanges: Sendable, Hashable {
    package var room: Room
    package var changes: [StateChange]

    package init(room: Room, changes: [StateChange]) {
        self.room = room
        self.changes = changes
    }
}

/// What a node hears when it renews its lease.
package struct StateRenewal: Sendable, Hashable {
    /// Whether the lease had ended before.
    package var isLost: Bool
    /// Whether something that is over is left to be cleared away.
    package var hasMore: Bool
    /// The milliseconds until the next lease or entry ends; `nil` if none will.
    package var nextEnd: Int?

    package init(isLost: Bool, hasMore: Bool, nextEnd: Int?) {
        self.isLost = isLost
        self.hasMore = hasMore
        self.nextEnd = nextEnd
    }
}
