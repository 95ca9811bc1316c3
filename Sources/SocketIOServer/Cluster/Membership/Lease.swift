package import NIOCore
import OrderedCollections
package import SocketIOWire

/// What a node tells the others from time to time: that it lives, and what it calls itself.
///
/// JSON text on a channel of its own, which Node.js nodes don't listen to.
package struct Lease: Sendable, Hashable {
    /// The node, whatever namespaces it serves.
    package var node: UTF8Text
    /// Where it listens, if it says so.
    package var address: String?
    /// Changes with the namespaces.
    package var version: Int
    /// What it calls itself in each namespace; `nil` if that has not changed.
    package var namespaces: [UTF8Text: UTF8Text]?
    /// Whether it asks the others to say at once who they are.
    package var isHello = false
    /// Whether it leaves.
    package var isGoodbye = false

    /// A lease with a longer name or id is ignored.
    private static let longestName = 256
    /// A node names no more namespaces than that; in the others it is only counted.
    static let mostNamespaces = 1_000
    /// A message that is longer is no lease.
    private static let longestMessage = 1024 * 1024

    package init(node: UTF8Text, address: String?, version: Int, namespaces: [UTF8Text: UTF8Text]?) {
        self.node = node
        self.address = address
        self.version = version
        self.namespaces = namespaces
    }

    /// Reads a lease; `nil` if it is none.
    package init?(parsing message: ByteBuffer) {
        var limits = JSONLimits()
        limits.maximumDepth = 4
        guard message.readableBytes <= Self.longestMessage,
            let value = try? JSONValue(parsing: message, limits: limits),
            value["lease"] == 1, let node = value["node"]?.stringValue, node.utf8.count <= Self.longestName,
            let version = value["version"]?.intValue
        else { return nil }
        self.node = UTF8Text(node)
        self.version = version
        self.address = value["address"]?.stringValue.flatMap { $0.utf8.count <= Self.longestName ? $0 : nil }
        self.isHello = value["hello"]?.boolValue ?? false
        self.isGoodbye = value["bye"]?.boolValue ?? false
        guard let members = value["namespaces"]?.objectValue else { return }
        guard members.count <= Self.mostNamespaces else { return nil }
        var namespaces: [UTF8Text: UTF8Text] = [:]
        for (name, id) in members {
            guard let id = id.stringValue, id.utf8.count <= Self.longestName, name.utf8.count <= Self.longestName
            else { return nil }
            namespaces[name] = UTF8Text(id)
        }
        self.namespaces = namespaces
    }

    /// The lease as it is published.
    package var message: ByteBuffer {
        var members: JSONObject = ["lease": 1, "node": .string(self.node.string), "version": .int(self.version)]
        if let address = self.address { members["address"] = .string(address) }
        if self.isHello { members["hello"] = true }
        if self.isGoodbye { members["bye"] = true }
        if let namespaces = self.namespaces {
            var ids: JSONObject = [:]
            let named = namespaces.filter { $0.key.utf8.count <= Self.longestName }.sorted { $0.key < $1.key }
            for (name, id) in named.prefix(Self.mostNamespaces) { ids[name] = .string(id.string) }
            members["namespaces"] = .object(ids)
        }
        var message = ByteBuffer()
        message.writeJSON(.object(members))
        return message
    }
}
