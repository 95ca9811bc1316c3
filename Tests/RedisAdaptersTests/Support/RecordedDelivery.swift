import NIOCore
import SocketIOWire
import Testing

/// What clients get, in the words in which records tell it.
enum RecordedDelivery {
    /// The payload of an Engine.IO text packet with its attachments.
    static func payload(_ text: String, _ attachments: [[UInt8]], namespace: String) throws -> JSONValue {
        var decoder = PacketDecoder()
        var limits = PacketLimits()
        limits.maximumAttachments = 100
        var packet = try decoder.decode(text: ByteBuffer(string: String(text.dropFirst())), limits: limits)
        for attachment in attachments {
            packet = try decoder.decode(binary: ByteBuffer(bytes: attachment), limits: limits)
        }
        let complete = try #require(packet)
        #expect(complete.namespace == namespace)
        return try #require(try complete.payload?.value())
    }

    /// Recorded deliveries as `name event arguments`.
    ///
    /// - Parameters:
    ///   - deliveries: The deliveries of a record.
    ///   - prefixes: What the names of a node's clients begin with.
    /// - Returns: Those to the node's clients.
    static func texts(_ deliveries: [JSONValue], toClients prefixes: [String]) -> [String] {
        deliveries.compactMap { delivery in
            guard let client = delivery["client"]?.stringValue, prefixes.contains(where: { client.hasPrefix($0) }),
                let event = delivery["event"]
            else { return nil }
            let arguments = (delivery["args"]?.arrayValue ?? []).map(\.unwrapped)
            return "\(client) \(JSONValue.array([event] + arguments))"
        }
    }
}
