/// The names of a namespace's channels, for the sharded adapter and for the streams adapter's requests.
package struct ClusterChannels: Sendable, Hashable {
    /// The channel that every node listens to, and whose subscribers are counted: `socket.io#/#`.
    package let namespace: String

    package init(prefix: String, namespace: String) {
        self.namespace = "\(prefix)#\(namespace)#"
    }

    /// Answers to one node: `socket.io#/#1b1ca3d212556529#`.
    package func responses(to uid: String) -> String { "\(self.namespace)\(uid)#" }

    /// Broadcasts to one room (sharded adapter): `socket.io#/#r1#`.
    package func room(_ room: Room) -> String { "\(self.namespace)\(room.name)#" }
}

/// Which rooms have a channel of their own (sharded adapter).
///
/// All nodes and emitters must have the same mode; otherwise they miss each other's messages.
package enum ShardedSubscriptionMode: String, Sendable, CaseIterable {
    /// None: a namespace has two channels, and every node hears every broadcast.
    case `static`
    /// The rooms that sockets join, but not the room that each socket has by its id.
    case dynamic
    /// All rooms, also those of single sockets.
    case dynamicPrivate = "dynamic-private"

    /// Whether a node with members of a room subscribes to the room's channel.
    ///
    /// - Parameters:
    ///   - room: A room that somebody is in.
    ///   - isPrivate: Whether the room is the one of a local socket's id.
    /// - Returns: Whether it does.
    package func subscribes(to room: Room, isPrivate: Bool) -> Bool {
        switch self {
        case .static: false
        case .dynamic: !isPrivate
        case .dynamicPrivate: true
        }
    }

    /// The room whose channel a message is published to; `nil`: it goes to all nodes.
    ///
    /// In the dynamic mode official nodes recognise a socket's own room by the length of its name.
    package func roomChannel(of message: ClusterMessage) -> Room? {
        guard case .broadcast(_, let options, requestID: nil, _) = message, options.rooms.count == 1 else { return nil }
        let room = options.rooms[0]
        switch self {
        case .static: return nil
        case .dynamic: return room.name.utf16.count == 20 ? nil : room
        case .dynamicPrivate: return room
        }
    }
}
