import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// The names and the formats of the official adapter for publish/subscribe.
struct ClassicDialect: Sendable {
    let namespace: String
    let uid: String
    let channels: ClassicChannels
    let encoder: ClassicEncoder
    private let publishesOnSpecificResponseChannel: Bool
    private let subscriptions: PubSubAdapterConfiguration.Subscriptions

    init(namespace: String, configuration: PubSubAdapterConfiguration) {
        self.namespace = namespace
        self.uid = configuration.makeID()
        self.channels = ClassicChannels(key: configuration.key, namespace: namespace)
        self.encoder = ClassicEncoder(namespace: namespace, writesNumericRooms: configuration.writesNumericRooms)
        self.publishesOnSpecificResponseChannel = configuration.publishOnSpecificResponseChannel
        self.subscriptions = configuration.subscriptions
    }

    /// Where a message goes, and its bytes.
    ///
    /// - Parameters:
    ///   - message: What to send.
    ///   - recent: Rooms whose messages go to all nodes, because not every node hears them one by one yet.
    /// - Returns: The channel, and the message.
    func encode(_ message: OutgoingMessage, _ recent: RecentRooms) -> (channel: String, message: ByteBuffer) {
        let encoder = self.encoder
        switch message {
        case .broadcast(let broadcast):
            let (arguments, options) = (broadcast.arguments, broadcast.options)
            let bytes = encoder.broadcast(uid: self.uid, arguments: arguments, options: options)
            let isForAll = options.rooms.count == 1 && recent.contains(options.rooms[0])
            return (self.channels.broadcast(to: isForAll ? [] : options.rooms), bytes)
        case .join(let options, let rooms):
            return self.request(encoder.join(uid: self.uid, options: options, rooms: rooms))
        case .leave(let options, let rooms):
            return self.request(encoder.leave(uid: self.uid, options: options, rooms: rooms))
        case .disconnect(let options, let closing):
            return self.request(encoder.disconnect(uid: self.uid, options: options, closingConnection: closing))
        case .fetchSockets(let id, let options):
            return self.request(encoder.fetchSockets(uid: self.uid, requestID: id, options: options))
        case .allRooms(let id):
            return self.request(encoder.allRooms(uid: self.uid, requestID: id))
        case .serverSideEmit(let id, let arguments):
            return self.request(encoder.serverSideEmit(uid: self.uid, requestID: id, arguments: arguments))
        case .acknowledgedBroadcast(let id, let broadcast):
            return self.request(
                encoder.broadcastRequest(
                    uid: self.uid,
                    requestID: id,
                    arguments: broadcast.arguments,
                    options: broadcast.options
                )
            )
        }
    }

    private func request(_ message: ByteBuffer) -> (channel: String, message: ByteBuffer) {
        (self.channels.request, message)
    }

    /// A reply, to which the id of a request is added.
    func encode(_ reply: ClusterReply) -> EncodedReply {
        let encoder = self.encoder
        switch reply {
        case .sockets(let sockets):
            var list = ByteBuffer()
            for socket in sockets { encoder.append(socket, to: &list) }
            let bytes = list
            return EncodedReply(byteCount: bytes.readableBytes) {
                encoder.sockets(requestID: $0.requestID, sockets: bytes)
            }
        case .socketIDs(let ids):
            return Self.reply { encoder.socketIDs(requestID: $0.requestID, ids: ids) }
        case .rooms(let rooms):
            return Self.reply { encoder.allRooms(requestID: $0.requestID, rooms: rooms) }
        case .serverSide(let value):
            // Official nodes answer these on the common channel, whatever their options are.
            return EncodedReply(byteCount: 0, isForAll: true) {
                encoder.serverSideAnswer(requestID: $0.requestID, value: value)
            }
        case .clientCount(let count):
            return EncodedReply(byteCount: 0) { encoder.clientCount(requestID: $0.requestID, count: count) }
        case .acknowledgement(let value):
            return EncodedReply(byteCount: 0) { encoder.acknowledgement(requestID: $0.requestID, value: value) }
        case .done:
            return EncodedReply(byteCount: 0) { encoder.done(requestID: $0.requestID) }
        case .refusal(let question, let reason):
            return EncodedReply(byteCount: 0) {
                encoder.refusal(requestID: $0.requestID, of: question, reason: reason)
            }
        }
    }

    /// A reply whose length is found out by writing it.
    private static func reply(_ message: @escaping @Sendable (ClusterAsker) -> ByteBuffer) -> EncodedReply {
        let byteCount = message(ClusterAsker(nodeID: nil, requestID: nil)).readableBytes
        return EncodedReply(byteCount: byteCount, message: message)
    }

    /// Adds this node's uid to an answer in JSON; an answer in MessagePack is a client's, and stays as it is.
    func signed(_ message: ByteBuffer) -> ByteBuffer {
        guard message.readableBytesView.last == UInt8(ascii: "}"),
            message.readableBytesView.first == UInt8(ascii: "{")
        else { return message }
        var message = message
        message.moveWriterIndex(to: message.writerIndex - 1)
        message.writeStaticString(message.readableBytes > 1 ? ",\"uid\":" : "\"uid\":")
        message.writeJSONString(self.uid)
        message.writeStaticString("}")
        return message
    }

    /// Where a reply goes.
    func responseChannel(of reply: EncodedReply, to asker: ClusterAsker) -> String {
        guard self.publishesOnSpecificResponseChannel, !reply.isForAll, let uid = asker.nodeID else {
            return self.channels.response
        }
        return self.channels.response(to: uid.string)
    }

    // MARK: Rights

    /// What the Redis user must be allowed.
    var rights: [ClusterRight] {
        // Only a bug could make this room, and the answer is to no question, so every node ignores both.
        let nobody = BroadcastOptions(rooms: [Room("\u{0}")])
        let toNobody = self.encoder.leave(uid: self.uid, options: nobody, rooms: [])
        let answer = ByteBuffer(string: #"{"requestId":"\#(self.uid)"}"#)
        return [
            ClusterRight(.publish(ByteBuffer()), self.channels.broadcast(to: nobody.rooms)),
            ClusterRight(.publish(toNobody), self.channels.request),
            ClusterRight(.publish(answer), self.channels.response),
            self.subscriptions == .pattern
                ? ClusterRight(.subscribePattern, self.channels.broadcastPattern)
                : ClusterRight(.subscribe, self.channels.broadcast(to: nobody.rooms)),
            ClusterRight(.subscribe, self.channels.request),
            ClusterRight(.subscribe, self.channels.response),
            ClusterRight(.subscribe, self.channels.response(to: self.uid)),
            ClusterRight(.count, self.channels.request),
        ]
    }

    /// The same in a sentence.
    var advice: String {
        switch self.subscriptions {
        case .pattern:
            "The Redis user needs PUBLISH, SUBSCRIBE, PSUBSCRIBE and PUBSUB, and the channels "
                + "\(self.channels.broadcastPattern), \(self.channels.request) and \(self.channels.response)*, "
                + "the first one granted in exactly these characters"
        case .rooms:
            "The Redis user needs PUBLISH, SUBSCRIBE and PUBSUB, and the channels "
                + "\(self.channels.broadcastPattern), \(self.channels.request) and \(self.channels.response)*"
        }
    }
}
