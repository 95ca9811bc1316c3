import NIOCore
import SocketIOWire

/// An event as a history keeps it: not sanitised, for everybody who reads it sees what he may see at that time.
struct HistoryContent: Sendable {
    enum Body: Sendable {
        /// An event about an entry.
        case lifecycle(LifecycleEvent)
        /// An event that everybody gets as it is.
        case raw(event: String, argument: JSONValue)
    }

    /// Tells it from others.
    var id: String
    /// The histories that it belongs to.
    var keys: [HistoryKey]
    /// Sockets in these rooms do not get it while it is new.
    var except: [Room]
    var body: Body

    /// The longest content that is kept.
    static let maximumBytes = 65_536

    /// As an array of MessagePack: `[id, [key], [room], kind, …]`.
    var bytes: ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeMessagePackArrayHeader(count: 4)
        bytes.writeMessagePack(self.id)
        bytes.writeMessagePackArrayHeader(count: self.keys.count)
        for key in self.keys { bytes.writeMessagePack(key.name) }
        bytes.writeMessagePackArrayHeader(count: self.except.count)
        for room in self.except { bytes.writeMessagePack(room.name) }
        switch self.body {
        case .raw(let event, let argument):
            bytes.writeMessagePack(JSONValue.array([.string(event), argument]))
        case .lifecycle(let event):
            let name = event.schema.singularName.map(JSONValue.string) ?? .null
            bytes.writeMessagePack(
                JSONValue.array([.string(event.event), .string(event.schema.uid), name, event.data])
            )
        }
        return bytes
    }

    /// The id and the histories of an event, without the rest.
    ///
    /// - Throws: `MessagePackError` if the bytes are something else.
    static func head(of bytes: ByteBuffer) throws -> (id: String, keys: [HistoryKey]) {
        var reader = MessagePackReader(bytes)
        return try self.readHead(&reader)
    }

    private static func readHead(_ reader: inout MessagePackReader) throws -> (id: String, keys: [HistoryKey]) {
        guard try reader.readArrayHeader() == 4 else { throw MalformedHistory() }
        let id = try reader.readString()
        var keys: [HistoryKey] = []
        for _ in 0..<(try reader.readArrayHeader()) {
            guard let key = HistoryKey(name: try reader.readString()) else { throw MalformedHistory() }
            keys.append(key)
        }
        return (id, keys)
    }

    /// Reads what ``bytes`` wrote.
    ///
    /// - Throws: ``MalformedHistory`` or `MessagePackError` if the bytes are something else.
    init(_ bytes: ByteBuffer) throws {
        var reader = MessagePackReader(bytes)
        (self.id, self.keys) = try Self.readHead(&reader)
        self.except = []
        for _ in 0..<(try reader.readArrayHeader()) { self.except.append(Room(try reader.readString())) }
        guard case .array(let parts) = try reader.readJSONValue(), let event = parts.first?.stringValue else {
            throw MalformedHistory()
        }
        switch parts.count {
        case 2:
            self.body = .raw(event: event, argument: parts[1])
        case 4:
            guard let uid = parts[1].stringValue else { throw MalformedHistory() }
            let schema = SchemaReference(uid: uid, singularName: parts[2].stringValue)
            self.body = .lifecycle(LifecycleEvent(event: event, schema: schema, data: parts[3]))
        default:
            throw MalformedHistory()
        }
    }

    init(id: String, keys: [HistoryKey], except: [Room], body: Body) {
        self.id = id
        self.keys = keys
        self.except = except
        self.body = body
    }
}

/// What lies in a history was not written by a gateway.
struct MalformedHistory: Error {}
