import EngineIO
import NIOCore
import SocketIOWire

/// Clients that were here before and want to go on where they were.
extension ClientConnection {
    /// The claim of a client that says that it was here before.
    struct Return: Sendable {
        let id: SessionID
        /// The last event that it has seen.
        let offset: String?
        let auth: JSONValue
        /// How often its old connection may still be found in the way.
        var attempts = 2
    }

    func recover(_ claim: Return, in namespace: Namespace, _ recovery: NamespaceRecovery) {
        switch recovery.claim(claim.id) {
        case .owned(let socket): return self.replace(socket, claim, in: namespace, recovery)
        case .away(let ticket) where recovery.cluster == nil:
            return self.comeBack(claim, ticket, in: namespace, recovery)
        case .away, .unknown: break
        }
        guard let cluster = recovery.cluster else { return self.lose(claim.auth, in: namespace) }
        let (directory, eventLoop) = (self.server.directory, self.session.eventLoop)
        let connection = self.begins(namespace.name)
        // Ends with the adapter's answer; a connection that has ended by then hears nothing of it.
        Task(executorPreference: self.server.executor(on: eventLoop)) {
            let taken = await recovery.take(claim.id, since: claim.offset, from: cluster)
            eventLoop.execute {
                guard connection.value.ends(namespace.name) else {
                    if let taken { recovery.giveBack(taken.ticket) }
                    return directory.left(namespace)
                }
                guard let taken else { return connection.value.lose(claim.auth, in: namespace) }
                connection.value.comeBack(claim, taken.ticket, older: taken.older, in: namespace, recovery)
            }
        }
    }

    /// Gives a known client its socket.
    private func comeBack(
        _ claim: Return,
        _ ticket: RecoveryTicket,
        older: NamespaceRecovery.OlderEvents? = nil,
        in namespace: Namespace,
        _ recovery: NamespaceRecovery
    ) {
        let socket = Socket(recovering: ticket, in: namespace, client: self, auth: claim.auth)
        guard recovery.adopt(ticket, by: socket) else { return self.lose(claim.auth, in: namespace) }
        self.remember(socket)
        // As in Node, the middlewares find it in its rooms, and may take it out of some.
        for room in ticket.rooms { socket.shard.add(socket, to: room) }
        let finish: @Sendable (Socket) -> Void = { socket in
            socket.client.finishRecovery(of: socket, claim, ticket, older, recovery)
        }
        if recovery.settings.skipMiddlewares {
            finish(socket)
        } else {
            self.runMiddlewares(for: socket, then: finish)
        }
    }

    /// Begins anew with a client that can't go on where it was.
    private func lose(_ auth: JSONValue, in namespace: Namespace) {
        self.server.metrics.recovery(succeeded: false)
        self.beginAnew(in: namespace, auth)
    }

    /// Does the same when the client has its socket already.
    func beginAgain(instead socket: Socket) {
        // The socket ends, and counts no longer; its successor does.
        self.server.directory.enterAgain(socket.namespace)
        socket.close(.serverNamespaceDisconnect)
        self.lose(socket.auth, in: socket.namespace)
    }

    /// Ends the old connection of a client that is back before this node knew that the connection is lost.
    private func replace(_ old: Socket, _ claim: Return, in namespace: Namespace, _ recovery: NamespaceRecovery) {
        guard claim.attempts > 0, old.client !== self else { return self.lose(claim.auth, in: namespace) }
        var claim = claim
        claim.attempts -= 1
        let again = claim
        let (directory, eventLoop) = (self.server.directory, self.session.eventLoop)
        let connection = self.begins(namespace.name)
        old.eventLoop.execute {
            old.client.closeAll(.connectionReplaced)
            old.client.session.close(discardingQueue: true)
            eventLoop.execute {
                guard connection.value.ends(namespace.name) else { return directory.left(namespace) }
                connection.value.recover(again, in: namespace, recovery)
            }
        }
    }

    private func finishRecovery(
        of socket: Socket,
        _ claim: Return,
        _ ticket: RecoveryTicket,
        _ older: NamespaceRecovery.OlderEvents?,
        _ recovery: NamespaceRecovery
    ) {
        guard socket.state == .connecting else { return }
        guard var missed = recovery.missedEvents(of: ticket, since: claim.offset, older: older) else {
            return self.beginAgain(instead: socket)
        }
        for filter in socket.namespace.missedEventFilters {
            missed.removeAll { !filter(socket, MissedEvent($0)) }
        }
        self.server.metrics.recovery(succeeded: true)
        self.server.metrics.replayed(missed.count)
        self.joined()
        self.finish(socket, missedEvents: missed.map(\.packet), goingOn: ticket)
    }
}
