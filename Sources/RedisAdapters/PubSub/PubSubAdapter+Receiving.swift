import CoreMetrics
import Logging
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// What arrives on the namespace's channels; on the Redis connection's loop.
extension PubSubAdapter {
    func received(_ message: RESPMessage) {
        do throws(ClusterProtocolError) {
            if message.pattern != nil {
                try self.receivedBroadcast(message)
            } else if message.channel == self.requestChannel {
                try self.receivedRequest(message.payload)
            } else {
                try self.receivedResponse(message.payload)
            }
        } catch {
            self.core.metrics.rejected(error.reason)
            self.core.logger.debug(
                "Ignored a message of the cluster",
                metadata: ["redis.channel": "\(String(buffer: message.channel))", "error": "\(error)"]
            )
        }
    }

    private func receivedBroadcast(_ message: RESPMessage) throws(ClusterProtocolError) {
        guard !message.payload.readableBytesView.starts(with: self.ownBroadcastHeader.readableBytesView) else { return }
        guard let room = self.room(of: message.channel) else {
            throw ClusterProtocolError(.wrongChannel, "a channel that only looks like one of ours")
        }
        guard room.name.utf8.isEmpty || self.isOfInterest(room) else {
            self.core.metrics.filtered.increment()
            return
        }
        let broadcast = try ClassicBroadcast(parsing: message.payload)
        guard broadcast.uid != self.ownUID else { return }
        guard let namespace = broadcast.namespace, namespace == UTF8Text(self.host.name) else {
            throw ClusterProtocolError(.wrongChannel, "a broadcast for another namespace")
        }
        guard let options = broadcast.options else {
            self.core.metrics.filtered.increment()
            return
        }
        let packet = try broadcast.packet(for: self.host.name)
        self.core.metrics.delivered.increment()
        self.host.deliver(packet, options: options)
    }

    /// Whether somebody here is in that room, may come back to it, or is about to join it.
    private func isOfInterest(_ room: Room) -> Bool {
        if self.host.hasLocalMembers(of: room) || self.joins.contains(room) { return true }
        // To official nodes the channel of room `42.0` is that of the number 42, whose room is its text here.
        guard let number = room.numericName, number != room else { return false }
        return self.host.hasLocalMembers(of: number) || self.joins.contains(number)
    }

    /// The room that a channel is for; empty for that of the namespace, `nil` if the channel is none of ours.
    ///
    /// There are emitters that leave the last `#` out.
    private func room(of channel: ByteBuffer) -> Room? {
        let prefix = self.broadcastPrefix.readableBytes
        guard channel.readableBytesView.starts(with: self.broadcastPrefix.readableBytesView) else { return nil }
        guard channel.readableBytes > prefix else { return Room("") }
        let hasEnd = channel.readableBytesView.last == UInt8(ascii: "#")
        let length = channel.readableBytes - prefix - (hasEnd ? 1 : 0)
        return channel.getString(at: channel.readerIndex + prefix, length: length).map { Room($0) }
    }

    private func receivedResponse(_ message: ByteBuffer) throws(ClusterProtocolError) {
        // Most answers are for others.
        if let id = ClusterResponse.peekClassicRequestID(message), !self.isAwaited(id) { return }
        let response = try ClusterResponse(parsingClassic: message)
        if self.acknowledged.isAwaited(response.requestID) {
            try self.acknowledged.received(response, bytes: message.readableBytes)
        } else {
            try self.questions.received(response, bytes: message.readableBytes)
        }
    }

    private func isAwaited(_ id: UTF8Text) -> Bool {
        self.questions.question(id) != nil || self.acknowledged.isAwaited(id)
    }
}

extension Room {
    /// The room of the number that JavaScript takes the name for; `nil` if it is none.
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
