public import NIOCore
public import SocketIOServer

/// How a ``PubSubAdapterFactory``'s adapters behave: the options of the official adapter, and a few of our own.
public struct PubSubAdapterConfiguration: Sendable {
    /// The prefix of all channels; the same on every node.
    public var key = "socket.io"

    /// How long a node waits for the others, and how much of their answers it keeps.
    public var cluster = ClusterConfiguration()

    /// Which broadcasts reach this node.
    public enum Subscriptions: String, Sendable, Hashable, CaseIterable {
        /// All broadcasts of the namespace, as with official nodes: one pattern stands for all rooms.
        case pattern
        /// Broadcasts for everybody and for several rooms; and of those for a single room, only the ones for rooms in
        /// which this node has sockets, or clients that may come back.
        ///
        /// The node has one subscription for each such room, also for the room that each socket has by its id. Messages
        /// for other rooms cost it nothing. Nodes of both kinds, official nodes and emitters work together. A socket
        /// that joins hears other nodes one round trip to Redis later: `Socket.joinConfirmed(_:)` waits for
        /// that. The node does not hear emitters that leave out the last `#` of a room's channel, as some in other
        /// languages do.
        case rooms
    }

    /// Which broadcasts reach this node: all of them by default.
    public var subscriptions = Subscriptions.pattern

    /// Whether this node's answers go to the asking node alone instead of to all nodes.
    ///
    /// In a cluster of many nodes this spares the others work. Every node understands both, but for those with an
    /// official adapter before version 7.1.
    public var publishOnSpecificResponseChannel = false

    /// Whether rooms named like integers are written as numbers, as Node.js nodes do after `socket.join(42)`.
    ///
    /// Rooms that arrive as numbers are always read as their decimal text.
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
