import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// Reads what arrives on a namespace's channels; on the Redis connection's loop.
struct ClassicInbox: Sendable {
    private let receiver: ClusterReceiver
    private let recent: RecentRooms
    private let namespace: String
    private let uid: UTF8Text
    /// The bytes of the channels and of our own uid as they stand in messages: compared without making strings.
    private let requestChannel: ByteBuffer
    private let broadcastPrefix: ByteBuffer
    private let ownBroadcastHeader: ByteBuffer

    init(_ dialect: ClassicDialect, receiver: ClusterReceiver, recent: RecentRooms) {
        self.receiver = receiver
        self.recent = recent
        self.namespace = dialect.namespace
        self.uid = UTF8Text(dialect.uid)
        self.requestChannel = ByteBuffer(string: dialect.channels.request)
        self.broadcastPrefix = ByteBuffer(string: dialect.channels.broadcast)
        var header = ByteBuffer()
        header.writeMessagePackArrayHeader(count: 3)
        header.writeMessagePack(dialect.uid)
        self.ownBroadcastHeader = header
    }

    func received(_ message: RESPMessage) {
        let receiver = self.receiver
        do throws(ClusterProtocolError) {
            if message.pattern != nil || self.isBroadcastChannel(message.channel) {
                try self.receivedBroadcast(message, receiver)
            } else if message.channel == self.requestChannel {
                try self.receivedRequest(message.payload, receiver)
            } else {
                try self.receivedResponse(message.payload, receiver)
            }
        } catch {
            receiver.rejected(error.reason.rawValue, error, from: String(buffer: message.channel))
        }
    }

    private func isBroadcastChannel(_ channel: ByteBuffer) -> Bool {
        channel.readableBytesView.starts(with: self.broadcastPrefix.readableBytesView)
    }

    private func receivedBroadcast(
        _ message: RESPMessage,
        _ receiver: ClusterReceiver
    ) throws(ClusterProtocolError) {
        guard !message.payload.readableBytesView.starts(with: self.ownBroadcastHeader.readableBytesView) else { return }
        guard let room = self.room(of: message.channel) else {
            throw ClusterProtocolError(.wrongChannel, "a channel that only looks like one of ours")
        }
        guard room.name.utf8.isEmpty || self.isOfInterest(room, receiver) else { return receiver.filtered() }
        let broadcast = try ClassicBroadcast(parsing: message.payload)
        guard broadcast.uid != self.uid else { return }
        guard let namespace = broadcast.namespace, namespace == UTF8Text(self.namespace) else {
            throw ClusterProtocolError(.wrongChannel, "a broadcast for another namespace")
        }
        guard let options = broadcast.options else { return receiver.filtered() }
        receiver.deliver(try broadcast.packet(for: self.namespace), options: options)
    }

    private func isOfInterest(_ room: Room, _ receiver: ClusterReceiver) -> Bool {
        if receiver.isOfInterest(room) { return true }
        // For official nodes the channel of room `42.0` belongs to the number 42, whose room is its text here.
        guard let number = room.numericName, number != room else { return false }
        return receiver.isOfInterest(number)
    }

    /// The room that a channel is for; empty for the namespace's channel, `nil` for a channel of another kind.
    ///
    /// Some emitters leave the last `#` out.
    private func room(of channel: ByteBuffer) -> Room? {
        let prefix = self.broadcastPrefix.readableBytes
        guard channel.readableBytesView.starts(with: self.broadcastPrefix.readableBytesView) else { return nil }
        guard channel.readableBytes > prefix else { return Room("") }
        let hasEnd = channel.readableBytesView.last == UInt8(ascii: "#")
        let length = channel.readableBytes - prefix - (hasEnd ? 1 : 0)
        return channel.getString(at: channel.readerIndex + prefix, length: length).map { Room($0) }
    }

    private func receivedRequest(
        _ message: ByteBuffer,
        _ receiver: ClusterReceiver
    ) throws(ClusterProtocolError) {
        let request = try ClusterRequest(parsingClassic: message, namespace: self.namespace)
        // This node's own messages come back. It has done what they say before it sent them.
        guard request.uid != self.uid else { return }
        if case .join(_, let rooms) = request.body { self.recent.insert(rooms) }
        receiver.received(request, byteCount: message.readableBytes)
    }

    private func receivedResponse(
        _ message: ByteBuffer,
        _ receiver: ClusterReceiver
    ) throws(ClusterProtocolError) {
        // Most answers are for others.
        if let id = ClusterResponse.peekClassicRequestID(message), receiver.question(of: id) == nil { return }
        let response = try ClusterResponse(parsingClassic: message)
        guard let question = receiver.question(of: response.requestID) else { return }
        let answer = try response.answer(to: question)
        receiver.received(answer, to: response.requestID, from: response.uid, byteCount: message.readableBytes)
    }
}

extension Room {
    /// The room of the number as which JavaScript reads the name; `nil` if the name is no number.
    fileprivate var numericName: Room? {
        let bytes = self.name.utf8.drop { $0 == UInt8(ascii: " ") }
        // A sign, a point or a digit.
        guard let first = bytes.first, bytes.count < 32, [0x2B, 0x2D, 0x2E].contains(first) || 0x30...0x39 ~= first,
            let number = Double(String(decoding: bytes, as: UTF8.self)), number.isFinite
        else { return nil }
        if let integer = Int(exactly: number) { return Room(String(integer)) }
        return Room("\(number)")
    }
}
