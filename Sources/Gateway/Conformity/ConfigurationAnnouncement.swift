import NIOCore
import OrderedCollections
import SocketIOWire

/// What a node tells all others about the configuration that it goes by.
struct ConfigurationAnnouncement: Sendable, Hashable {
    /// A node's own name for itself, made when it starts.
    var node: UTF8Text
    /// The name that the configuration gives it.
    var name: String?
    /// The digest of its configuration.
    var digest: UTF8Text
    /// The revision of the settings document that it has looked at last; `nil` if it follows none.
    var revision: String?
    /// The version of the document that is in force; `nil` if none is.
    var version: Int?
    /// Why the document is not in force.
    var error: String?
    /// The requests to read everything again that it has done last.
    var reloads: [String] = []
    /// What is private, if it says so.
    var privacy: Privacy?
    /// Whether the others are to say what is private to them.
    var asks = false
    /// Whether the node is leaving.
    var isLeaving = false

    /// The longest message that is read, in bytes.
    static let maximumBytes = 4_194_304

    var message: ByteBuffer {
        var object: JSONObject = ["node": .string(self.node.string), "digest": .string(self.digest.string)]
        object["name"] = self.name.map { .string($0) }
        object["revision"] = self.revision.map { .string($0) }
        object["version"] = self.version.map { .int($0) }
        object["error"] = self.error.map { .string($0) }
        if !self.reloads.isEmpty { object["reloads"] = .array(self.reloads.map { .string($0) }) }
        object["private"] = self.privacy?.value
        if self.asks { object["asks"] = true }
        if self.isLeaving { object["leaves"] = true }
        return Self.bytes(.object(object))
    }

    private static func bytes(_ value: JSONValue) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeJSON(value)
        return bytes
    }

    /// Tells that the store holds another revision of the settings.
    static func change(_ revision: String) -> ByteBuffer { Self.bytes(["changed": .string(revision)]) }

    /// Asks all nodes to read everything again.
    static func reload(_ id: String) -> ByteBuffer { Self.bytes(["reload": .string(id)]) }
}

/// A message about settings, as nodes send them to each other.
enum SettingsMessage: Sendable, Hashable {
    case announcement(ConfigurationAnnouncement)
    /// The store holds something else now.
    case changed
    /// All nodes are to read everything again.
    case reload(String)

    /// Reads a message; `nil` if it is something else.
    init?(_ message: ByteBuffer) {
        guard message.readableBytes <= ConfigurationAnnouncement.maximumBytes,
            let value = try? JSONValue(parsing: message)
        else { return nil }
        if value["changed"] != nil {
            self = .changed
            return
        }
        if let id = value["reload"]?.stringValue {
            guard id.utf8.count <= 64 else { return nil }
            self = .reload(id)
            return
        }
        guard let node = value["node"]?.stringValue, let digest = value["digest"]?.stringValue,
            [node, digest].allSatisfy({ (1...64).contains($0.utf8.count) })
        else { return nil }
        var announcement = ConfigurationAnnouncement(node: UTF8Text(node), digest: UTF8Text(digest))
        announcement.name = value["name"]?.stringValue?.abridged(toBytes: 256)
        announcement.revision = value["revision"]?.stringValue?.abridged(toBytes: 128)
        announcement.version = value["version"]?.intValue
        announcement.error = value["error"]?.stringValue?.abridged(toBytes: 4096)
        announcement.reloads = (value["reloads"]?.arrayValue ?? []).prefix(16).compactMap(\.stringValue)
        announcement.privacy = value["private"].flatMap { Privacy($0) }
        announcement.asks = value["asks"]?.boolValue ?? false
        announcement.isLeaving = value["leaves"]?.boolValue ?? false
        self = .announcement(announcement)
    }
}
