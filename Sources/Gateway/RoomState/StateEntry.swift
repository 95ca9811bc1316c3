import NIOCore
package import SocketIOWire

/// What a room's state has under one key.
package struct StateEntry: Sendable, Hashable {
    package var value: JSONValue
    /// Who wrote the value: the id of a user or a socket, or the name of an API token.
    package var by: JSONValue
    /// How many sockets of each node hold the entry, by the node's id.
    ///
    /// An entry that has had holders is gone with the last of them. One without holders stays.
    package var holders: [UTF8Text: Int]
    /// When the entry ends by itself, in milliseconds since 1970; `nil` if it does not.
    package var expiresAt: Int?

    package init(value: JSONValue, by: JSONValue, holders: [UTF8Text: Int] = [:], expiresAt: Int? = nil) {
        self.value = value
        self.by = by
        self.holders = holders
        self.expiresAt = expiresAt
    }

    /// How many sockets of the cluster hold it.
    ///
    /// The counts come from other nodes, so they are added with care.
    package var connections: Int { self.holders.values.reduce(0) { $0.addingReportingOverflow($1).partialValue } }
}

/// What every member of a room sees: the whole state, and the number of the change that made it so.
package struct StateSnapshot: Sendable, Hashable {
    package var entries: [UTF8Text: StateEntry]
    package var version: Int

    package static let empty = StateSnapshot(entries: [:], version: 0)

    package init(entries: [UTF8Text: StateEntry], version: Int) {
        self.entries = entries
        self.version = version
    }
}

/// The sizes that one room's state may have.
package struct StateLimits: Sendable, Hashable {
    /// The most keys.
    package var keys: Int
    /// The most bytes of all keys and values together.
    package var bytes: Int

    package init(keys: Int, bytes: Int) {
        self.keys = keys
        self.bytes = bytes
    }
}

extension JSONValue {
    /// How many bytes the value has as JSON.
    var jsonByteCount: Int {
        var buffer = ByteBuffer()
        buffer.writeJSON(self)
        return buffer.readableBytes
    }
}
