public import SocketIOServer
import SocketIOWire

/// How a ``ShardedAdapterFactory``'s adapters behave: the options of the official adapter, and a few of our own.
public struct ShardedAdapterConfiguration: Sendable {
    /// Which rooms have a channel of their own.
    ///
    /// It must be the same on every node; otherwise nodes miss each other's broadcasts.
    public enum SubscriptionMode: String, Sendable, Hashable, CaseIterable {
        /// None: a namespace has two channels, and every node hears every broadcast.
        case `static`
        /// The rooms that sockets join, but not the room that each socket has by its id.
        case dynamic
        /// All rooms, also the room that each socket has by its id.
        case dynamicPrivate = "dynamic-private"
    }

    /// The prefix of all channels; the same on every node.
    public var channelPrefix = "socket.io"

    /// Which rooms have a channel of their own; the same on every node.
    public var subscriptionMode = SubscriptionMode.dynamic

    /// Whether rooms named like integers are written as numbers, as Node.js nodes do after `socket.join(42)`.
    ///
    /// Rooms that arrive as numbers are always read as their decimal text.
    public var writesNumericRooms = false

    /// How long a node waits for the others, and how much of their answers it keeps.
    public var cluster = ClusterConfiguration()

    /// Makes the ids of nodes and of requests.
    package var makeID: @Sendable () -> String = { Self.randomID() }

    /// The official adapter's defaults.
    ///
    /// - Parameters:
    ///   - channelPrefix: The prefix of all channels.
    ///   - subscriptionMode: Which rooms have a channel of their own.
    public init(channelPrefix: String = "socket.io", subscriptionMode: SubscriptionMode = .dynamic) {
        self.channelPrefix = channelPrefix
        self.subscriptionMode = subscriptionMode
    }

    var mode: ShardedSubscriptionMode {
        switch self.subscriptionMode {
        case .static: .static
        case .dynamic: .dynamic
        case .dynamicPrivate: .dynamicPrivate
        }
    }

    /// Sixteen hexadecimal digits, as the official adapter makes them.
    static func randomID() -> String {
        let text = String(UInt64.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: 16 - text.utf8.count) + text
    }
}
