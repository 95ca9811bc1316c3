/// The messages of the official Redis adapter for publish/subscribe (`createAdapter` of `@socket.io/redis-adapter` 8),
/// and of `@socket.io/redis-emitter` 5: channels here, messages in ``ClassicEncoder`` and ``ClassicBroadcast``,
/// ``ClusterRequest`` and ``ClusterResponse``.
///
/// An official node that can't decode a broadcast throws inside its Redis listener, and its process ends. So this code
/// writes every message exactly as official nodes write it.
package enum ClassicProtocol {
    /// The kinds of requests and responses, with their numbers.
    package enum MessageType: Int, Sendable {
        case socketIDs = 0
        case allRooms = 1
        case join = 2
        case leave = 3
        case disconnect = 4
        case fetchSockets = 5
        case serverSideEmit = 6
        case broadcast = 7
        case broadcastClientCount = 8
        case broadcastAcknowledgement = 9
    }
}

/// The names of a namespace's channels.
package struct ClassicChannels: Sendable, Hashable {
    /// Broadcasts to no room or to several: `socket.io#/#`; with a room and `#` behind it, broadcasts to that room.
    package let broadcast: String
    /// The pattern for `PSUBSCRIBE`: `socket.io#/#*`; characters that mean something in patterns are escaped.
    package let broadcastPattern: String
    /// Requests, and the channel whose subscribers are counted: `socket.io-request#/#`.
    package let request: String
    /// Responses, whichever node has asked: `socket.io-response#/#`.
    package let response: String

    package init(key: String, namespace: String) {
        self.broadcast = "\(key)#\(namespace)#"
        self.broadcastPattern = Self.pattern(matching: self.broadcast) + "*"
        self.request = "\(key)-request#\(namespace)#"
        self.response = "\(key)-response#\(namespace)#"
    }

    /// A Redis pattern that matches only this text.
    package static func pattern(matching text: String) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            if self.patternCharacters.contains(byte) { bytes.append(UInt8(ascii: "\\")) }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let patternCharacters = Array(#"*?[]\"#.utf8)

    /// Responses to one node: `socket.io-response#/#V2Kb52#`.
    package func response(to uid: String) -> String { "\(self.response)\(uid)#" }

    /// Where to publish a broadcast to these rooms.
    package func broadcast(to rooms: [Room]) -> String {
        rooms.count == 1 ? "\(self.broadcast)\(rooms[0].name)#" : self.broadcast
    }
}
