package import NIOCore
import OrderedCollections

/// A message of the official ClusterAdapter as it was published: `{type, data, uid, nsp}`.
///
/// The sharded adapter publishes all its messages in this form, the streams adapter its requests and answers.
///
/// Nodes and emitters of several versions write these. Odd forms are accepted if it is clear what the sender meant. A
/// message that could reach clients whom the sender did not mean is an error.
package struct ClusterEnvelope: Sendable {
    /// What a message is about.
    package enum Content: Sendable {
        /// An event for clients, who need not acknowledge it.
        case broadcast(ClusterBroadcast)
        case request(ClusterRequest)
        case response(ClusterResponse)
        /// A message between nodes that count each other by heartbeats; the sharded and streams adapters ignore it.
        case heartbeat(ClusterMessageType)
    }

    /// The sender's uid, if it is a text; that of an emitter is `emitter`.
    package let uid: UTF8Text?
    /// The namespace that it is for; `nil` if only the channel tells.
    package let namespace: UTF8Text?
    package let content: Content

    /// Reads a message: JSON text if it starts with `{`, otherwise MessagePack.
    ///
    /// Keys may come in any order, and unknown ones are ignored.
    package init(parsing message: ByteBuffer) throws(ClusterProtocolError) {
        let parts = try Self.parts(of: message)
        self.uid = parts.uid
        switch parts.namespace {
        case .missing: self.namespace = nil
        case .text(let namespace): self.namespace = namespace
        case .other: throw ClusterProtocolError(.wrongChannel, "a message for a namespace whose name is no text")
        }
        guard let number = parts.type else {
            throw ClusterProtocolError(.unexpectedShape, "a message without a type")
        }
        let type = try ClusterMessageType(number)
        if type == .broadcast, let broadcast = parts.broadcast {
            self.content = try broadcast.content(uid: parts.uid)
        } else {
            self.content = try Content(type, uid: parts.uid, data: parts.data)
        }
    }

    private static func parts(of message: ByteBuffer) throws(ClusterProtocolError) -> ClusterParts {
        guard message.getInteger(at: message.readerIndex, as: UInt8.self) == UInt8(ascii: "{") else {
            do throws(MessagePackError) {
                return try ClusterParts(messagePack: message)
            } catch {
                throw ClusterProtocolError(error)
            }
        }
        return try ClusterData.reading(json: message) { text throws(JSONError) in try ClusterParts(json: text) }
    }
}

extension ClusterMessageType {
    init(_ number: Int) throws(ClusterProtocolError) {
        guard let type = ClusterMessageType(rawValue: number) else {
            throw ClusterProtocolError(.unknownType, "a message of type \(number)")
        }
        self = type
    }
}

/// The `data` of a message, still in the bytes in which it came.
enum ClusterData {
    case json(ByteBuffer)
    case messagePack(ByteBuffer)

    /// The data as values.
    func members() throws(ClusterProtocolError) -> JSONObject {
        let value: JSONValue
        switch self {
        case .json(let text):
            value = try Self.reading(json: text) { text throws(JSONError) in
                var reader = JSONReader(text, limits: ClusterProtocol.jsonLimits)
                let value = try reader.readValue()
                try reader.expectEnd()
                return value
            }
        case .messagePack(let bytes):
            do throws(MessagePackError) {
                value = try JSONValue(parsingMessagePack: bytes)
            } catch {
                throw ClusterProtocolError(error)
            }
        }
        guard case .object(let members) = value else {
            throw ClusterProtocolError(.unexpectedShape, "a message whose data is no object")
        }
        return members
    }

    /// The data of a broadcast, read as far as that is needed.
    func broadcast() throws(ClusterProtocolError) -> BroadcastParts {
        switch self {
        case .json(let text):
            guard text.getInteger(at: text.readerIndex, as: UInt8.self) == UInt8(ascii: "{") else {
                throw ClusterProtocolError(.unexpectedShape, "a broadcast whose data is no object")
            }
            return try Self.reading(json: text) { text throws(JSONError) in try BroadcastParts(json: text) }
        case .messagePack(let bytes):
            do throws(MessagePackError) {
                var reader = MessagePackReader(bytes)
                let parts = try BroadcastParts(&reader)
                try reader.expectEnd()
                return parts
            } catch {
                throw ClusterProtocolError(error)
            }
        }
    }

    /// Reads JSON text; bytes in it that are no UTF-8 are repaired as JavaScript repairs them.
    static func reading<T>(
        json text: ByteBuffer,
        _ body: (ByteBuffer) throws(JSONError) -> T
    ) throws(ClusterProtocolError) -> T {
        do throws(JSONError) {
            return try body(text)
        } catch {
            guard error.reason == .invalidUTF8 else { throw ClusterProtocolError(.undecodable, error.description) }
        }
        do throws(JSONError) {
            return try body(ByteBuffer(string: String(buffer: text)))
        } catch {
            throw ClusterProtocolError(.undecodable, error.description)
        }
    }
}

/// The parts of a message.
struct ClusterParts {
    enum Namespace {
        case missing
        case text(UTF8Text)
        case other
    }

    var type: Int?
    var uid: UTF8Text?
    var namespace = Namespace.missing
    var data: ClusterData?
    /// The data of a broadcast, if it was read together with the rest.
    var broadcast: BroadcastParts?

    init() {}
}
