public import NIOCore

/// How a ``PubSubAdapterFactory``'s adapters behave: the options of the official adapter, and a few of our own.
public struct PubSubAdapterConfiguration: Sendable {
    /// The prefix of all channels; the same on every node.
    public var key = "socket.io"

    /// How long to wait for the other nodes' answers, unless a call says otherwise.
    public var requestsTimeout: TimeAmount = .seconds(5)

    /// Whether this node's answers go to the asking node alone instead of to all nodes.
    ///
    /// Every node understands both; it spares the others' work in a cluster of many nodes. Nodes with adapters from before
    /// version 7.1 don't.
    public var publishOnSpecificResponseChannel = false

    /// Whether rooms named like integers are written as numbers: those of Node.js nodes that `socket.join(42)`.
    ///
    /// Either way rooms are received as their decimal text.
    public var writesNumericRooms = false

    /// For how long after a loss of Redis the count of nodes is doubted.
    ///
    /// Other nodes come back to Redis a moment sooner or later. Until as many are back as there were, or this time has
    /// passed, a question waits before it is asked, so that it doesn't overlook them.
    public var reconnectGrace: TimeAmount = .seconds(3)

    /// How often it is looked after nodes that have died while their answers are awaited.
    public var livenessInterval: TimeAmount = .seconds(1)

    /// How many bytes an answer to another node's question may have.
    ///
    /// A node that would have to tell more refuses with a reason: it is an error to a Swift node that asks, and an empty
    /// answer to a Node.js node. Redis cuts a subscriber off that is behind by 32 MiB, unless it is told otherwise.
    public var maximumAnswerBytes = 8 * 1024 * 1024

    /// How many bytes of other nodes' answers this server keeps while it waits for the rest of them, of all namespaces.
    ///
    /// A question that would take more fails.
    public var maximumCollectedBytes = 64 * 1024 * 1024

    /// How many may wait for other nodes' answers at a time, in one namespace.
    public var maximumQuestions = 10_000

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
        self.requestsTimeout = requestsTimeout
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
