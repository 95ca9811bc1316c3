import SocketIOServer
import SocketIOWire

/// Who is online.
extension ClientRequests {
    private func checkOnline(_ socket: Socket) throws(ClientRefusal) {
        guard self.context.rules(for: socket).configuration.presence.onlineUsers else { throw .onlineUsersDisabled }
        guard self.context.principal(of: socket).user != nil else { throw .presenceNeedsUser }
    }

    /// Handles `{userIds: [id]}`: the client hears `online:changed` for these users, and for no others.
    func watchOnline(_ socket: Socket, _ payload: JSONValue?) async throws -> JSONValue {
        guard let payload, payload.objectValue != nil else { throw ClientRefusal.invalidPayload }
        try self.checkOnline(socket)
        let most = self.context.rules(for: socket).configuration.presence.maximumWatchedUsers
        guard let values = payload["userIds"]?.arrayValue else { throw ClientRefusal.invalidUserIDs }
        guard values.count <= most else { throw ClientRefusal.maximumWatchedUsers(most) }
        var users: [EntityID] = []
        var seen: Set<UTF8Text> = []
        for value in values {
            guard let user = EntityID(value), (1...256).contains(user.text.utf8.count) else {
                throw ClientRefusal.invalidUserIDs
            }
            if seen.insert(UTF8Text(user.text)).inserted { users.append(user) }
        }
        try self.countChange(of: socket)
        let online = try await self.collaboration.online.watch(socket, users)
        return ["success": true, "online": .array(online.map(\.value))]
    }

    func unwatchOnline(_ socket: Socket) throws -> JSONValue {
        try self.countChange(of: socket)
        self.collaboration.online.disconnected(socket)
        return ["success": true]
    }
}

extension ClientRefusal {
    static let onlineUsersDisabled = ClientRefusal("Online users are disabled")
    static let invalidUserIDs = ClientRefusal("Invalid userIds: it is a list of ids")
    static func maximumWatchedUsers(_ count: Int) -> ClientRefusal {
        ClientRefusal("Maximum watched users (\(count)) reached")
    }
}
