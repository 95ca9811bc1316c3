import NIOCore
public import OrderedCollections
public import SocketIOWire

/// Which settings a node goes by.
public struct SettingsNode: Sendable, Hashable {
    /// The node's own name for itself, made when it starts.
    public var id: String
    /// The name that its configuration gives it.
    public var name: String?
    /// The digest of its configuration; the same on nodes with the same configuration.
    public var digest: String
    /// The version of the document that it goes by; `nil` if it goes by none.
    public var version: Int?
    /// Whether it has done what was asked.
    public var isInForce: Bool
    /// Why it does not go by the newest document.
    public var error: String?

    /// `{id, name?, digest, version, inForce, error?}`.
    public var value: JSONValue {
        var object: JSONObject = [
            "id": .string(self.id), "digest": .string(self.digest),
            "version": self.version.map { .int($0) } ?? .null, "inForce": .bool(self.isInForce),
        ]
        object["name"] = self.name.map { .string($0) }
        object["error"] = self.error.map { .string($0) }
        return .object(object)
    }
}

/// What has come of a change of settings.
public struct SettingsReport: Sendable, Hashable {
    /// The version of the document in force; `nil` if there is none.
    public var version: Int?
    /// What stands for the document that is there now, to be given back as `If-Match`.
    public var entityTag: String
    /// The keys whose values have changed.
    public var changes: [SettingsChange]
    /// The keys whose values are not in force until this node starts anew.
    public var pending: [String]
    /// What became of this node's clients.
    public var clients: ReloadReport
    /// This node and all other live nodes.
    public var nodes: [SettingsNode]

    /// `{version, changed, restart, clients, nodes, digests}`.
    public var value: JSONValue {
        [
            "version": self.version.map { .int($0) } ?? .null,
            "changed": .array(self.changes.map { .string($0.key) }),
            "restart": .array(self.pending.map { .string($0) }),
            "clients": [
                "judged": .int(self.clients.sockets), "changed": .int(self.clients.changed),
                "disconnected": .int(self.clients.disconnected),
            ],
            "nodes": .array(self.nodes.map(\.value)),
        ]
    }
}

/// The settings document, and which settings nodes go by.
public struct SettingsStatus: Sendable {
    /// The document that is there; `nil` if there is none, or if what is there is none.
    public var document: SettingsDocument?
    /// What stands for the document, to be given back as `If-Match`.
    public var entityTag: String
    /// The version that is in force on this node; `nil` if it goes by none.
    public var versionInForce: Int?
    /// Why the document is not in force.
    public var error: String?
    /// The keys whose values are not in force until this node starts anew.
    public var pending: [String]
    /// This node and all other live nodes.
    public var nodes: [SettingsNode]

    /// `{version, settings, by, at, note?, inForce, restart, nodes, error?}`.
    public var value: JSONValue {
        var object: JSONObject = self.document?.value(withSettings: true) ?? ["version": .null, "settings": .null]
        object["inForce"] = self.versionInForce.map { .int($0) } ?? .null
        object["restart"] = .array(self.pending.map { .string($0) })
        object["nodes"] = .array(self.nodes.map(\.value))
        object["error"] = self.error.map { .string($0) }
        return .object(object)
    }
}

extension SettingsDocument {
    /// `{version, settings?, by, at, note?}`; settings that are no JSON are a text.
    public func value(withSettings: Bool) -> JSONObject {
        var object: JSONObject = ["version": .int(self.version)]
        if withSettings {
            object["settings"] =
                (try? JSONValue(parsing: self.settings))
                ?? .string(String(buffer: self.settings).abridged(toBytes: 4096))
        }
        object["by"] = .string(self.author)
        object["at"] = .int(self.time)
        object["note"] = self.note.map { .string($0) }
        return object
    }
}
