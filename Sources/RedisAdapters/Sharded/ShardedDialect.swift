import NIOCore
import SocketIOServer
import SocketIOWire

/// The names and the formats of the official sharded adapter.
struct ShardedDialect: Sendable {
    let namespace: String
    let uid: String
    let channels: ClusterChannels
    let mode: ShardedSubscriptionMode
    private let encoder: ClusterEncoder

    init(namespace: String, configuration: ShardedAdapterConfiguration) {
        self.namespace = namespace
        self.uid = configuration.makeID()
        self.channels = ClusterChannels(prefix: configuration.channelPrefix, namespace: namespace)
        self.mode = configuration.mode
        self.encoder = ClusterEncoder(
            uid: self.uid,
            namespace: namespace,
            writesNumericRooms: configuration.writesNumericRooms
        )
    }

    /// Recognises this node's own messages without reading them.
    var signature: ClusterSignature { self.encoder.signature }

    /// Where a message goes, and its bytes.
    ///
    /// - Parameters:
    ///   - message: What to send.
    ///   - recent: Rooms whose messages go to all nodes, because not every node hears them one by one yet.
    /// - Returns: The channel, and the message.
    func encode(_ message: OutgoingMessage, _ recent: RecentRooms) -> (channel: BusChannel, message: ByteBuffer) {
        let message = ClusterMessage(message)
        let room = self.mode.roomChannel(of: message).flatMap { recent.contains($0) ? nil : $0 }
        let channel = room.map { self.channels.room($0) } ?? self.channels.namespace
        return (.sharded(channel), self.encoder.sharded(message))
    }

    /// A reply, to which the id of a request is added.
    func encode(_ reply: ClusterReply) -> EncodedReply { self.encoder.encode(reply) }

    /// Where a reply goes: if the asking node does not say who it is, to the channel that all nodes hear.
    func responseChannel(to asker: ClusterAsker) -> BusChannel {
        .sharded(asker.nodeID.map { self.channels.responses(to: $0.string) } ?? self.channels.namespace)
    }

    // MARK: Rights

    /// What the Redis user must be allowed.
    var rights: [ClusterRight] {
        // Only a bug could make this room, so every node ignores it.
        let nobody = BroadcastOptions(rooms: [Room("\u{0}")])
        let toNobody = self.encoder.sharded(.leave(nobody, rooms: []))
        return [
            ClusterRight(.publishSharded(toNobody), self.channels.namespace),
            ClusterRight(.subscribeSharded, self.channels.namespace),
            ClusterRight(.subscribeSharded, self.channels.responses(to: self.uid)),
            ClusterRight(.countSharded, self.channels.namespace),
            ClusterRight(.publish(ByteBuffer()), self.probeChannel),
            ClusterRight(.subscribe, self.probeChannel),
        ]
    }

    /// The same in a sentence.
    var advice: String {
        "The Redis user needs SPUBLISH, SSUBSCRIBE, PUBLISH, SUBSCRIBE and PUBSUB, and the channels "
            + "\(self.channels.namespace)*"
    }

    /// Where this node sends messages to itself.
    var probeChannel: String { self.channels.responses(to: "probe-\(self.uid)") }
}
