package import NIOCore
import OrderedCollections
import SocketIOWire

/// How nodes tell each other of changes: `{"room", "changes": [{"k", "v"?, "by", "value"?, "h"?, "e"?, "s"?}]}`.
///
/// `k` is the key, `v` the version, `h` the holders by node, `e` the end in milliseconds since 1970; `s` is 1 if the
/// entry went with the node of its last holder. The script in Redis writes the same.
extension RoomChanges {
    package var signal: ByteBuffer {
        let changes = self.changes.map { change -> JSONValue in
            var object: JSONObject = ["k": .string(change.key.string)]
            object["v"] = change.version.map { .int($0) }
            object["by"] = change.by
            if change.isSwept { object["s"] = 1 }
            if let entry = change.entry {
                object["value"] = entry.value
                object["e"] = entry.expiresAt.map { .int($0) }
                var holders = JSONObject()
                for (node, count) in entry.holders { holders[node] = .int(count) }
                object["h"] = .object(holders)
            }
            return .object(object)
        }
        var buffer = ByteBuffer()
        buffer.writeJSON(["room": .string(self.room.name), "changes": .array(changes)])
        return buffer
    }

    /// Reads a signal; `nil` if it is something else.
    package init?(signal: ByteBuffer) {
        guard let value = try? JSONValue(parsing: signal), let room = value["room"]?.stringValue,
            let changes = value["changes"]?.arrayValue
        else { return nil }
        var read: [StateChange] = []
        for change in changes {
            guard let key = change["k"]?.stringValue else { return nil }
            let by = change["by"] ?? .null
            var entry: StateEntry?
            if let value = change["value"] {
                var holders: [UTF8Text: Int] = [:]
                for (node, count) in change["h"]?.objectValue ?? [:] {
                    guard let count = count.intValue, count > 0 else { return nil }
                    holders[node] = count
                }
                entry = StateEntry(value: value, by: by, holders: holders, expiresAt: change["e"]?.intValue)
            }
            let version = change["v"]?.intValue
            // Without a number it only tells of holders.
            guard version != nil || entry != nil else { return nil }
            let isSwept = change["s"] != nil
            read.append(StateChange(key: UTF8Text(key), entry: entry, version: version, by: by, isSwept: isSwept))
        }
        self.init(room: Room(room), changes: read)
    }
}
