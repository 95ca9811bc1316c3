public import NIOCore
public import SocketIOServer

/// How a ``PubSubAdapterFactory``'s adapters behave: the options of the official adapter, and a few of our own.
public struct PubSubAdapterConfiguration: Sendable {
    /// The prefix of all channels; the same on every node.
    public var key = "socket.io"

    /// How patient a node is with the others, and how much of what they say it keeps.
    public var cluster = ClusterConfiguration()

    /// Which broadcasts reach this node.
    public enum Subscriptions: String, Sendable, Hashable, CaseIterable {
        /// All of the namespace's, as with official nodes: one pattern stands for all rooms.
        case pattern
        /// Those for everybody and for several rooms, and those for a single room that somebody of this node is in, or may
        /// come back to: one subscription a room, the rooms of sockets' ids among them.
        ///
        /// Nodes with either kind, official ones and their emitters go together. A message for a room that this node does
        /// not have costs it nothing then. A socket that joins hears other nodes a round trip to Redis later:
        /// ``Socket/joinConfirmed(_:)-([Room])`` waits for that. Emitters that leave out the last `#` of a room's
        /// channel, as some in other languages do, are not heard.
        case rooms
    }

    /// Which broadcasts reach this node: all of them by default.
    public var subscriptions = Subscriptions.pattern

    /// Whether this node's answers go to the asking node alone instead of to all nodes.
    ///
    /// Every node understands both; it spares the others' work in a cluster of many nodes. Nodes with adapters from before
    /// version 7.1 don't.
    public var publishOnSpecificResponseChannel = false

    /// Whether rooms named like integers are written as numbers: those of Node.js nodes that `socket.join(42)`.
    ///
    /// Either way rooms are received as their decimal text.
    public var writesNumericRooms = false

    /// Makes the ids of nodes and of requests.
    package var makeID: @Sendable () -> String = { PubSubAdapterConfiguration.randomID() }

    /// The official adapter's defaults.
    ///
    /// - Parameters:
    ///   - key: The prefix of all channels.
    ///   - requestsTimeout: How long to wait for other nodes' answers.
    ///   - publishOnSpecificResponseChannel: Whether answers go to the asking node alone.
    public init(
        key: String = "socket.io",
        requestsTimeout: TimeAmount = .seconds(5),
        publishOnSpecificResponseChannel: Bool = false
    ) {
        self.key = key
        self.cluster.requestsTimeout = requestsTimeout
        self.publishOnSpecificResponseChannel = publishOnSpecificResponseChannel
    }

    /// Six characters of `A-Z a-z 0-9 - _`, as the official adapter makes them.
    static func randomID() -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var bits = UInt64.random(in: .min ... .max)
        return String(unsafeUninitializedCapacity: 6) { bytes in
            for index in 0..<6 {
                bytes[index] = digits[Int(bits & 63)]
                bits >>= 6
            }
            return 6
        }
    }
}
