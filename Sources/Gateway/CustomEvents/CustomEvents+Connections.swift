import OrderedCollections
import SocketIOServer
import SocketIOWire

/// Clients that come and go.
extension CustomEvents {
    /// Asks the application whether a client that has proved who it is may come in.
    ///
    /// - Throws: `ConnectError` if it may not.
    func admit(_ socket: Socket, _ principal: Principal) async throws {
        guard let reply = try await self.replyToConnection(of: socket, principal) else { return }
        if let refusal = reply.refusal { throw ConnectError(refusal.message, data: refusal.data) }
        do {
            try await self.replies.prepare(reply, for: socket)
        } catch {
            throw ConnectError(WebhookFailure.malformed.refusal.message)
        }
    }

    /// Does what the application's answer has left for a client that is connected now.
    func connected(_ socket: Socket) { self.replies.performPrepared(for: socket) }

    private func replyToConnection(of socket: Socket, _ principal: Principal) async throws -> EventReply? {
        if let handler = self.context.application.handler(of: CustomEvent.connection) {
            let call = EventCall(name: CustomEvent.connection, arguments: [], socket: socket, principal: principal)
            do {
                return try await handler(call)
            } catch let refusal as ConnectError {
                throw refusal
            } catch {
                self.failed(error, CustomEvent.connection, socket)
                throw ConnectError(ClientRefusal(error).message)
            }
        }
        guard let rule = self.rules(for: socket).connection, rule.handling == .webhook, Self.allows(rule, principal)
        else { return nil }
        let data = self.describe(socket, as: principal)
        let answer = await withCheckedContinuation { continuation in
            self.webhooks.send(rule.webhook, rule.name, .object(data), of: socket, isAwaited: true) {
                continuation.resume(returning: $0)
            }
        }
        switch answer {
        case .reply(let reply): return reply
        case .failure where rule.admitsWhenUnavailable: return nil
        case .failure(let failure):
            let refusal = failure.refusal
            throw ConnectError(
                refusal.message,
                data: refusal.retryAfterMilliseconds.map { ["retryAfter": .int($0)] }
            )
        }
    }

    /// Tells the application that a client that was let in has left.
    func disconnected(_ socket: Socket, _ reason: DisconnectReason) {
        guard let record = PrincipalRecord(socket.data), record.kind != .unauthorized else { return }
        let principal = self.context.principal(of: socket)
        if let handler = self.context.application.handler(of: CustomEvent.disconnect) {
            let call = EventCall(
                name: CustomEvent.disconnect,
                arguments: [.string(reason.rawValue)],
                socket: socket,
                principal: principal
            )
            // Nobody waits for this task. It ends when the application's function does.
            Task {
                do {
                    self.replies.perform(try await handler(call), for: socket) { _ in }
                } catch {
                    self.failed(error, CustomEvent.disconnect, socket)
                }
            }
            return
        }
        guard let rule = self.rules(for: socket).disconnect, rule.handling == .webhook, Self.allows(rule, principal)
        else { return }
        var data = self.describe(socket)
        data["reason"] = .string(reason.rawValue)
        self.webhooks.send(rule.webhook, rule.name, .object(data), of: socket, isAwaited: false) { answer in
            if case .reply(let reply) = answer { self.replies.perform(reply, for: socket) { _ in } }
        }
    }
}
