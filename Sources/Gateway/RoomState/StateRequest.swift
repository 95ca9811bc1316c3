import SocketIOServer
import SocketIOWire

/// A change that somebody wants.
struct StateRequest: Sendable {
    enum Wish: Sendable {
        case set(JSONValue, lifetime: Int?)
        case acquire(JSONValue)
        case release
        case remove
    }

    var room: Room
    var key: UTF8Text
    var wish: Wish
    var by: JSONValue
    var limits: StateLimits
    /// The socket that holds the entry from now on, or lets it go; `nil` if the entry is to be nobody's.
    var holder: Socket?
    /// How many changes a second the room takes; `nil` if this one never waits.
    var rate: RateLimit?
    /// The room that the holder has to be in for that.
    ///
    /// `nil` if it only has to be connected.
    var membership: Room?
    /// How many entries of such rooms the holder may hold.
    var most: Int?
    /// Whether it is not to be done at all if the cluster is known to be out of reach.
    var mustNotWait = false
}

/// What became of it.
enum StateAnswer: Sendable, Hashable {
    /// All nodes have it, under that number.
    case changed(version: Int)
    /// Members see no difference.
    case unchanged(version: Int)
    /// A later change of the key took its place before it was done.
    case replaced
    /// The cluster is out of reach; this node's members see it, and it waits.
    case queued
    /// A limit of the room would be broken.
    case refused(StateRefusal)
    /// The cluster is out of reach, and the change must not wait.
    case unreachable
    /// Too much waits.
    case busy
    /// The holder is not in the room any more.
    case notAMember
    /// The holder holds as many as it may.
    case tooMany
}
