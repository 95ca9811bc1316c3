import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// Reads what arrives on a namespace's channels; on the Redis connection's loop.
struct ShardedInbox: Sendable {
    private let receiver: ClusterReceiver
    private let recent: RecentRooms
    private let namespace: String
    private let text: UTF8Text
    private let uid: UTF8Text
    private let signature: ClusterSignature
    /// What the channels of all rooms begin with; the namespace's own is nothing but that.
    private let prefix: ByteBuffer

    init(_ dialect: ShardedDialect, receiver: ClusterReceiver, recent: RecentRooms) {
        self.receiver = receiver
        self.recent = recent
        self.namespace = dialect.namespace
        self.text = UTF8Text(dialect.namespace)
        self.uid = UTF8Text(dialect.uid)
        self.signature = dialect.signature
        self.prefix = ByteBuffer(string: dialect.channels.namespace)
    }

    func received(_ message: RESPMessage) {
        // Our own come back: what they say was done here before they were sent.
        guard !self.signature.isOn(message.payload) else { return }
        do throws(ClusterProtocolError) {
            try self.read(message.payload)
        } catch {
            self.receiver.rejected(error.reason.rawValue, error, from: String(buffer: message.channel))
        }
    }

    private func read(_ message: ByteBuffer) throws(ClusterProtocolError) {
        let envelope = try ClusterEnvelope(parsing: message)
        guard envelope.uid != self.uid else { return }
        if let namespace = envelope.namespace, namespace != self.text {
            throw ClusterProtocolError(.wrongChannel, "a message for another namespace")
        }
        switch envelope.content {
        case .broadcast(let broadcast):
            guard let options = broadcast.options, self.isOfInterest(options) else { return self.receiver.filtered() }
            self.receiver.deliver(try broadcast.payload.packet(for: self.namespace), options: options)
        case .request(let request):
            if case .join(_, let rooms) = request.body { self.recent.insert(rooms) }
            self.receiver.received(request, byteCount: message.readableBytes)
        case .response(let response):
            guard let question = self.receiver.question(of: response.requestID) else { return }
            self.receiver.received(
                try response.coreAnswer(to: question),
                to: response.requestID,
                from: response.uid,
                byteCount: message.readableBytes
            )
        case .heartbeat(let type):
            throw ClusterProtocolError(.unknownType, "a message of type \(type.rawValue)")
        }
    }

    /// Whether it can be that somebody here is addressed: a broadcast to a single room says to which.
    private func isOfInterest(_ options: BroadcastOptions) -> Bool {
        options.rooms.count != 1 || self.receiver.isOfInterest(options.rooms[0])
    }
}
