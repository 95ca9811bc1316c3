public import NIOCore
public import SocketIOServer

/// How a ``StreamsAdapterFactory``'s adapters behave: the options of the official adapter, and a few of our own.
public struct StreamsAdapterConfiguration: Sendable {
    /// The key of the stream, or the beginning of the keys if there are several streams; the same on every node.
    public var streamName = "socket.io"

    /// How many streams the namespaces are spread over; the same on every node.
    ///
    /// The events of a namespace are always in one stream. Official nodes write the events of some namespaces to
    /// streams that they don't read (`socket.io--1`). A Swift node reads these, too.
    public var streamCount = 1

    /// The prefix of the channels for questions and answers; the same on every node.
    public var channelPrefix = "socket.io"

    /// Whether questions and answers travel on sharded channels (`SPUBLISH`, Redis 7); the same on every node.
    public var usesShardedPubSub = false

    /// About how many entries a stream keeps; clients that have missed more can't go on where they were.
    public var maximumLength = 10_000

    /// How many entries to read of each stream at once.
    public var readCount = 100

    /// How long Redis waits for new entries before it answers; at most the keep-alive interval of the client.
    public var blockTime: TimeAmount = .seconds(5)

    /// The beginning of the keys of sessions, for clients that may come back; the same on every node.
    public var sessionKeyPrefix = "sio:session:"

    /// Whether bytes are written to the stream as JSON, in the form of Node's `Buffer`.
    ///
    /// Then clients get an object instead of bytes.
    public var onlyPlaintext = false

    /// How long a node waits for the others, and how much of their answers it keeps.
    public var cluster = ClusterConfiguration()

    /// How long an own event waits for its place in the stream, before this node's clients get it without an offset.
    ///
    /// This matters only if clients may come back. Otherwise this node's clients never wait.
    public var offsetPatience: TimeAmount = .milliseconds(250)

    /// Whether rooms named like integers are written as numbers, as Node.js nodes do after `socket.join(42)`.
    ///
    /// Rooms that arrive as numbers are always read as their decimal text.
    public var writesNumericRooms = false

    /// Makes the ids of nodes and of requests.
    package var makeID: @Sendable () -> String = { StreamsAdapterConfiguration.randomID() }

    /// Runs what has to wait for others.
    package var startTask: @Sendable (_ body: @escaping @Sendable () async -> Void) -> Void = { body in
        Task { await body() }
    }

    /// The official adapter's defaults.
    ///
    /// - Parameters:
    ///   - streamName: The key of the stream.
    ///   - streamCount: How many streams there are.
    ///   - channelPrefix: The prefix of the channels.
    ///   - requestsTimeout: How long to wait for other nodes' answers.
    public init(
        streamName: String = "socket.io",
        streamCount: Int = 1,
        channelPrefix: String = "socket.io",
        requestsTimeout: TimeAmount = .seconds(5)
    ) {
        self.streamName = streamName
        self.streamCount = streamCount
        self.channelPrefix = channelPrefix
        self.cluster.requestsTimeout = requestsTimeout
    }

    /// Sixteen hexadecimal digits, as the official adapter makes them.
    static func randomID() -> String {
        let digits = Array("0123456789abcdef".utf8)
        var bits = UInt64.random(in: .min ... .max)
        return String(unsafeUninitializedCapacity: 16) { bytes in
            for index in 0..<16 {
                bytes[index] = digits[Int(bits & 15)]
                bits >>= 4
            }
            return 16
        }
    }
}
