import NIOCore

/// Rules for the messages of all adapters.
package enum ClusterProtocol {
    /// The uid under which emitters publish.
    package static let emitterUID = "emitter"

    /// Whether an event between servers has a name that servers keep for their own events.
    ///
    /// Listeners would misread its arguments.
    package static func isReservedAmongServers(_ event: String) -> Bool {
        isReservedEventName(event) || self.serverNames.contains(UTF8Text(event))
    }

    private static let serverNames: Set<UTF8Text> = ["connection", "new_namespace", "error"]

    /// The longest time for which any message may ask this node to wait: a day, in milliseconds.
    package static let longestTimeout = 86_400_000

    /// The limits for JSON text of other nodes: it is nested deeper than the client's packet that it carries.
    static let jsonLimits: JSONLimits = {
        var limits = JSONLimits()
        limits.maximumDepth = 256
        return limits
    }()

    /// Whether a packet of that type is an event, with bytes or without.
    ///
    /// Some emitters write the number as a text, or the code of its character.
    static func isEvent(_ type: JSONValue?) -> Bool {
        switch type {
        case .string(let text)?: UTF8Text(text) == "2" || UTF8Text(text) == "5"
        case let type?: [2, 5, 50, 53].contains(type.intValue)
        case nil: false
        }
    }
}

extension ClusterProtocol {
    /// JSON if it starts with `{`, otherwise MessagePack.
    static func value(parsing message: ByteBuffer) throws(ClusterProtocolError) -> JSONValue {
        if message.getInteger(at: message.readerIndex, as: UInt8.self) == UInt8(ascii: "{") {
            if let value = try? JSONValue(parsing: message) { return value }
            do throws(JSONError) {
                // Bytes that are no UTF-8 are repaired as JavaScript repairs them.
                return try JSONValue(parsing: ByteBuffer(string: String(buffer: message)))
            } catch {
                throw ClusterProtocolError(.undecodable, error.description)
            }
        } else {
            do throws(MessagePackError) {
                return try JSONValue(parsingMessagePack: message)
            } catch {
                throw ClusterProtocolError(error)
            }
        }
    }
}
