import NIOCore
import SocketIOWire

extension EncodedPacket {
    /// The event that was encoded: for listeners which see every outgoing packet.
    var decodedEvent: (name: String, arguments: Arguments)? {
        var decoder = PacketDecoder()
        var limits = PacketLimits()
        limits.maximumAttachments = max(limits.maximumAttachments, self.attachments.count)
        limits.maximumAttachmentBytes = .max
        var text = self.text
        // Past the Engine.IO type digit.
        text.moveReaderIndex(forwardBy: 1)
        var packet = try? decoder.decode(text: text, limits: limits)
        for attachment in self.attachments { packet = try? decoder.decode(binary: attachment, limits: limits) }
        return packet?.event()
    }
}
