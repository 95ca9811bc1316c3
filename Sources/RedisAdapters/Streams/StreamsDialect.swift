import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// The names and the formats of the official streams adapter.
struct StreamsDialect: Sendable {
    let namespace: String
    let uid: String
    /// The stream to which the namespace's messages are added.
    let stream: String
    /// The streams from which they may be read: official nodes may add them to another one.
    let streams: [String]
    let channels: ClusterChannels
    let encoder: ClusterEncoder
    let configuration: StreamsAdapterConfiguration
    /// `XADD` up to the entry's fields.
    private let appending: [RESPCommand.Argument]

    init(namespace: String, configuration: StreamsAdapterConfiguration) {
        let names = StreamName(configuration.streamName, count: configuration.streamCount)
        self.namespace = namespace
        self.uid = configuration.makeID()
        self.stream = names.stream(of: namespace)
        self.streams = names.allStreams
        self.channels = ClusterChannels(prefix: configuration.channelPrefix, namespace: namespace)
        self.encoder = ClusterEncoder(
            uid: self.uid,
            namespace: namespace,
            writesNumericRooms: configuration.writesNumericRooms
        )
        self.configuration = configuration
        self.appending = [
            "XADD", .string(self.stream), "MAXLEN", "~", .string(String(max(0, configuration.maximumLength))), "*",
        ]
    }

    /// The channel on which this node gets its answers.
    var responseChannel: String { self.channels.responses(to: self.uid) }

    /// A channel of the kind on which questions and answers travel.
    func bus(_ name: String) -> BusChannel {
        BusChannel(name: name, isSharded: self.configuration.usesShardedPubSub)
    }

    /// The channel that every node hears, and whose subscribers are the nodes.
    var namespaceChannel: BusChannel { self.bus(self.channels.namespace) }
    /// The channel on which this node sends messages to itself; no other node listens, and the user has the right.
    var probeChannel: String { self.channels.responses(to: "probe-\(self.uid)") }

    // MARK: Messages

    /// The way on which a message travels.
    enum Way: Sendable {
        /// In the stream, as an entry of these fields and values.
        case stream([ByteBuffer])
        /// Over the channel that every node hears.
        case channel(ByteBuffer)
    }

    func encode(_ message: OutgoingMessage) -> Way {
        switch message {
        case .broadcast, .join, .leave, .disconnect: .stream(self.entry(ClusterMessage(message)))
        case .fetchSockets, .allRooms, .serverSideEmit, .acknowledgedBroadcast:
            .channel(self.encoder.published(ClusterMessage(message)))
        }
    }

    /// The fields and values of a message's entry.
    func entry(_ message: ClusterMessage) -> [ByteBuffer] {
        self.encoder.entry(message, onlyPlaintext: self.configuration.onlyPlaintext)
    }

    /// The command that adds an entry.
    func append(_ entry: [ByteBuffer]) -> RESPCommand {
        var command = RESPCommand(words: [])
        command.words.reserveCapacity(self.appending.count + entry.count)
        command.words += self.appending
        for field in entry { command.words.append(.bytes(field)) }
        return command
    }

    // MARK: Replies

    /// A reply, to which the id of a request is added.
    func encode(_ reply: ClusterReply) -> EncodedReply {
        let reply = self.encoder.publishedReply(ClusterMessage(reply, to: nil))
        return EncodedReply(byteCount: reply.byteCount) { reply.message(requestID: $0.requestID) }
    }
}
