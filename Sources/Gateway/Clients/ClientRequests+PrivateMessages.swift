import Logging
import SocketIOServer
import SocketIOWire

/// Messages of one client to another.
extension ClientRequests {
    /// The longest private message, in UTF-16 code units as JavaScript counts them.
    private static let maximumMessageLength = 10_000

    func privateMessage(_ socket: Socket, _ payload: JSONValue?) async throws -> JSONValue {
        guard let payload, payload.objectValue != nil else { throw ClientRefusal.invalidPayload }
        let settings = self.context.rules(for: socket).configuration.rooms
        guard settings.enablePrivateRooms else { throw ClientRefusal.privateMessagesDisabled }
        guard let target = payload["to"]?.stringValue, !target.isEmpty, let message = payload["message"],
            !message.isNull
        else { throw ClientRefusal.invalidParameters }
        guard let text = message.stringValue, (1...Self.maximumMessageLength).contains(text.utf16.count) else {
            throw ClientRefusal.invalidMessageLength
        }
        // It looks for nobody to whom it could not write anyway.
        guard settings.messagePolicy != .nobody else { throw ClientRefusal.joinDenied }
        try self.budgets.shared.spend(.privateMessages, of: socket)
        guard let receiver = try await self.sockets.find(target, for: socket, self.budgets) else {
            throw ClientRefusal.targetNotFound
        }
        let principal = self.context.principal(of: socket)
        // The search may have taken time, in which the rules may have been replaced.
        let current = self.context.rules(for: socket).configuration.rooms
        guard current.enablePrivateRooms else { throw ClientRefusal.privateMessagesDisabled }
        let isAllowed = current.messagePolicy.allows(
            from: socket.rooms,
            audience: principal.audienceRoom,
            to: receiver.rooms,
            defaultRooms: current.defaultRooms
        )
        guard isAllowed else { throw ClientRefusal.joinDenied }
        self.events.send(
            Publication(
                "private-message",
                [
                    "from": .string(socket.id.description),
                    "fromUser": .string(principal.user?.username ?? "anonymous"), "message": .string(text),
                    "timestamp": .int(Int(self.context.now() * 1000)),
                ],
                to: self.context.main.to(receiver.room),
                in: self.context.main
            )
        )
        self.context.logger.debug(
            "A client has written to another",
            metadata: [
                "sio.socket.id": "\(socket.id)", "user": "\(principal.user.map { "\($0.id)" } ?? "none")",
                "to": "\(receiver.id)",
            ]
        )
        return ["success": true]
    }
}
