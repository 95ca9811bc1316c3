import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// Carries a namespace's messages as the official sharded adapter does.
///
/// What other nodes publish arrives on the Redis connection's loop. A namespace sends from any thread.
final class ShardedTransport: ClusterTransport {
    let dialect: ShardedDialect
    let attachment: BusAttachment
    private let recent: RecentRooms
    let nodeID: UTF8Text
    private let makeID: @Sendable () -> String
    private let leases: LeaseService?

    init(
        namespace: String,
        configuration: ShardedAdapterConfiguration,
        bus: any ClusterBus,
        leases: LeaseService? = nil
    ) {
        self.leases = leases
        self.recent = RecentRooms(eventLoop: bus.eventLoop)
        let dialect = ShardedDialect(namespace: namespace, configuration: configuration)
        self.dialect = dialect
        self.nodeID = UTF8Text(dialect.uid)
        self.makeID = configuration.makeID
        let counted = BusChannel.sharded(dialect.channels.namespace)
        let link = ClusterLink(
            bus: bus,
            namespace: namespace,
            rights: dialect.rights,
            advice: dialect.advice,
            probeChannel: dialect.probeChannel,
            peerChannel: counted
        )
        self.attachment = BusAttachment(
            bus: bus,
            namespace: namespace,
            link: link,
            countedChannel: counted,
            nodeID: self.nodeID,
            channelOfNode: { .sharded(dialect.channels.responses(to: $0.string)) }
        )
    }

    func makeRequestID() -> String { self.makeID() }

    // MARK: Life

    func start(_ receiver: ClusterReceiver) async throws {
        try await self.attach(receiver)
        await self.leases?.join(UTF8Text(self.dialect.namespace), as: self.nodeID, receiver)
    }

    private func attach(_ receiver: ClusterReceiver) async throws {
        let (bus, channels, mode) = (self.attachment.bus, self.dialect.channels, self.dialect.mode)
        let reader = ClusterEnvelopeReader(
            receiver: receiver,
            uid: self.nodeID,
            signature: self.dialect.signature,
            onJoin: self.recent.insert
        )
        let received: @Sendable (RESPMessage) -> Void = { message in
            reader.received(message.payload, from: String(buffer: message.channel))
        }
        var rooms: RoomSubscriptions?
        if self.subscribesToRooms {
            rooms = RoomSubscriptions(
                roster: bus.addRoster(isSharded: true, handler: received),
                isSubscribed: { mode.subscribes(to: $0, isPrivate: $1) },
                channel: { channels.room($0) }
            )
        }
        try await self.attachment.start(receiver, rooms: rooms) {
            bus.addSubscription(
                patterns: [],
                channels: [channels.namespace, channels.responses(to: self.dialect.uid)].map { .sharded($0) },
                handler: received
            )
        }
    }

    func close() async {
        await self.leases?.leave(UTF8Text(self.dialect.namespace))
        await self.attachment.close()
    }

    var subscribesToRooms: Bool { self.dialect.mode != .static }

    func confirmSubscriptions(to rooms: [Room]) async { await self.attachment.confirm(rooms) }

    var peers: [ClusterPeer] { self.leases?.peers(of: UTF8Text(self.dialect.namespace)) ?? [] }

    // MARK: Sending

    func send(_ message: OutgoingMessage) throws(ClusterError) {
        if case .join(_, let rooms) = message { self.recent.insert(rooms) }
        let (channel, bytes) = self.dialect.encode(message, self.recent)
        try self.attachment.publish(bytes, to: channel)
    }

    func send(
        _ messages: [OutgoingMessage],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount
    ) async -> PublishOutcome {
        let messages = messages.map { message in
            if case .join(_, let rooms) = message { self.recent.insert(rooms) }
            return self.dialect.encode(message, self.recent)
        }
        return await self.attachment.publish(messages, whileUnreachable: policy, timeout: timeout)
    }

    func encode(_ reply: ClusterReply) -> EncodedReply { self.dialect.encode(reply) }

    func send(_ reply: EncodedReply, to asker: ClusterAsker) throws(ClusterError) {
        try self.attachment.publish(reply.message(asker), to: self.dialect.responseChannel(to: asker))
    }

    func sendLong(_ reply: EncodedReply, to asker: ClusterAsker, timeout: TimeAmount) -> EventLoopFuture<Void> {
        let channel = self.dialect.responseChannel(to: asker)
        return self.attachment.publishLong(reply.message(asker), to: channel, timeout: timeout)
    }

    func countNodes(_ named: [UTF8Text], isConfirmation: Bool) -> EventLoopFuture<ClusterCount> {
        self.attachment.countNodes(named, isConfirmation: isConfirmation)
    }
}
