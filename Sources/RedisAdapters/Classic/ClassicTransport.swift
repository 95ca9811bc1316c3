import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// Carries a namespace's messages as the official adapter for publish/subscribe does.
///
/// What other nodes publish arrives on the Redis connection's loop. A namespace sends from any thread.
final class ClassicTransport: ClusterTransport {
    let dialect: ClassicDialect
    let attachment: BusAttachment
    private let recent: RecentRooms
    private let makeID: @Sendable () -> String
    let subscribesToRooms: Bool
    let nodeID: UTF8Text
    private let leases: LeaseService?

    init(
        namespace: String,
        configuration: PubSubAdapterConfiguration,
        bus: any ClusterBus,
        leases: LeaseService? = nil
    ) {
        self.leases = leases
        self.recent = RecentRooms(eventLoop: bus.eventLoop)
        let dialect = ClassicDialect(namespace: namespace, configuration: configuration)
        self.dialect = dialect
        self.nodeID = UTF8Text(dialect.uid)
        self.makeID = configuration.makeID
        let counted = BusChannel.plain(dialect.channels.request)
        let link = ClusterLink(
            bus: bus,
            namespace: namespace,
            rights: dialect.rights,
            advice: dialect.advice,
            // The channel has the form of one for a node's answers, so that the user has the right. No other node
            // listens.
            probeChannel: dialect.channels.response(to: "probe-\(dialect.uid)"),
            peerChannel: counted
        )
        self.attachment = BusAttachment(
            bus: bus,
            namespace: namespace,
            link: link,
            countedChannel: counted,
            nodeID: self.nodeID,
            channelOfNode: { .plain(dialect.channels.response(to: $0.string)) }
        )
        self.subscribesToRooms = configuration.subscriptions == .rooms
    }

    func makeRequestID() -> String { self.makeID() }

    var honoursFlagsOfAcknowledged: Bool { false }

    // MARK: Life

    func start(_ receiver: ClusterReceiver) async throws {
        try await self.attach(receiver)
        await self.leases?.join(UTF8Text(self.dialect.namespace), as: self.nodeID, receiver)
    }

    private func attach(_ receiver: ClusterReceiver) async throws {
        let (bus, channels) = (self.attachment.bus, self.dialect.channels)
        let inbox = ClassicInbox(self.dialect, receiver: receiver, recent: self.recent)
        let names = [channels.request, channels.response, channels.response(to: self.dialect.uid)]
        guard self.subscribesToRooms else {
            return try await self.attachment.start(receiver) {
                bus.addSubscription(
                    patterns: [channels.broadcastPattern],
                    channels: names.map { .plain($0) },
                    handler: inbox.received
                )
            }
        }
        let roster = bus.addRoster(isSharded: false, handler: inbox.received)
        let rooms = RoomSubscriptions(roster: roster) { channels.broadcast(to: [$0]) }
        try await self.attachment.start(receiver, rooms: rooms) {
            bus.addSubscription(
                patterns: [],
                channels: ([channels.broadcast] + names).map { .plain($0) },
                handler: inbox.received
            )
        }
    }

    func close() async {
        await self.leases?.leave(UTF8Text(self.dialect.namespace))
        await self.attachment.close()
    }

    func confirmSubscriptions(to rooms: [Room]) async { await self.attachment.confirm(rooms) }

    var peers: [ClusterPeer] { self.leases?.peers(of: UTF8Text(self.dialect.namespace)) ?? [] }

    // MARK: Sending

    func send(_ message: OutgoingMessage) throws(ClusterError) {
        if case .join(_, let rooms) = message { self.recent.insert(rooms) }
        let (channel, bytes) = self.dialect.encode(message, self.recent)
        try self.attachment.publish(bytes, to: .plain(channel))
    }

    func send(
        _ messages: [OutgoingMessage],
        whileUnreachable policy: UnreachablePolicy,
        timeout: TimeAmount
    ) async -> PublishOutcome {
        let messages = messages.map { message in
            if case .join(_, let rooms) = message { self.recent.insert(rooms) }
            let (channel, bytes) = self.dialect.encode(message, self.recent)
            return (channel: BusChannel.plain(channel), message: bytes)
        }
        return await self.attachment.publish(messages, whileUnreachable: policy, timeout: timeout)
    }

    func encode(_ reply: ClusterReply) -> EncodedReply { self.dialect.encode(reply) }

    func send(_ reply: EncodedReply, to asker: ClusterAsker) throws(ClusterError) {
        try self.attachment.publish(self.message(reply, to: asker), to: self.channel(of: reply, to: asker))
    }

    func sendLong(_ reply: EncodedReply, to asker: ClusterAsker, timeout: TimeAmount) -> EventLoopFuture<Void> {
        let channel = self.channel(of: reply, to: asker)
        return self.attachment.publishLong(self.message(reply, to: asker), to: channel, timeout: timeout)
    }

    /// Names this node in an answer, unless an official node asks: these don't name themselves, either.
    private func message(_ reply: EncodedReply, to asker: ClusterAsker) -> ByteBuffer {
        let message = reply.message(asker)
        guard let uid = asker.nodeID, self.peers.contains(where: { $0.nodeID == uid }) else { return message }
        return self.dialect.signed(message)
    }

    private func channel(of reply: EncodedReply, to asker: ClusterAsker) -> BusChannel {
        .plain(self.dialect.responseChannel(of: reply, to: asker))
    }

    func countNodes(_ named: [UTF8Text], isConfirmation: Bool) -> EventLoopFuture<ClusterCount> {
        self.attachment.countNodes(named, isConfirmation: isConfirmation)
    }
}
