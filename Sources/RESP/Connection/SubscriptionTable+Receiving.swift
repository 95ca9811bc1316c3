import DequeModule
import NIOCore

/// What Redis says on a connection that subscribes.
extension SubscriptionTable {
    package mutating func received(_ value: RESPValue) -> Event {
        switch value {
        case .push(let elements): return self.receivedPush(elements)
        case .array(let elements) where self.protocolVersion == 2: return self.receivedPush(elements)
        case .error(let error): return self.receivedError(error)
        default:
            guard case .ping = self.expected.first else {
                return .violation(.violation("Redis replied to a command that was not sent"))
            }
            self.expected.removeFirst()
            return .none
        }
    }

    private mutating func receivedPush(_ elements: [RESPValue]) -> Event {
        guard let word = elements.first?.bytes else { return .unusable(.violation("a push without a kind")) }
        switch SubscriptionPush(word) {
        case .message(let kind):
            return self.message(elements, kind)
        case .subscribed:
            return self.confirmed()
        case .unsubscribed(let kind):
            return self.departed(elements.count > 1 ? elements[1].bytes : nil, kind)
        case .pong:
            if case .ping = self.expected.first { self.expected.removeFirst() }
            return .none
        case nil:
            return .none
        }
    }

    private func message(_ elements: [RESPValue], _ kind: RESPSubscriptionKind) -> Event {
        let count = kind == .pattern ? 4 : 3
        guard elements.count == count, let name = elements[1].bytes, let channel = elements[count - 2].bytes else {
            return .unusable(.violation("a message without a channel"))
        }
        let payload = elements[count - 1]
        if case .error(let error) = payload { return .unusable(error) }
        guard let bytes = payload.bytes else { return .unusable(.violation("a message that is no string")) }
        // There is no owner if the message was on its way when the last one left.
        guard let handlers = self.owners[kind][name]?.handlers else { return .none }
        let message = RESPMessage(
            channel: channel,
            pattern: kind == .pattern ? name : nil,
            payload: bytes,
            isSharded: kind == .shardedChannel
        )
        return .message(handlers: handlers, message)
    }

    private mutating func confirmed() -> Event {
        switch self.expected.first {
        case .confirmations(let missing, let id):
            if missing > 1 {
                self.expected[0] = .confirmations(missing - 1, of: id)
            } else {
                self.expected.removeFirst()
            }
            guard var subscription = self.subscriptions[id], !subscription.isConfirmed else { return .none }
            subscription.missing -= 1
            self.subscriptions[id] = subscription
            guard subscription.isConfirmed else { return .none }
            self.unconfirmed -= 1
            return .confirmed(id)
        case .names(let command):
            return self.confirmed(command)
        case .mending(let kind, let name):
            self.expected.removeFirst()
            return .mended(rosters: self.setHeard(true, name, kind), name)
        case .departures, .ping, nil:
            return .none
        }
    }

    /// Takes note that a name is not subscribed any more.
    ///
    /// Either it was left, or Redis has ended that by itself, as it does when a slot moves to another node.
    private mutating func departed(_ name: ByteBuffer?, _ kind: RESPSubscriptionKind) -> Event {
        if case .departures(let expectedKind, let names, let next) = self.expected.first,
            expectedKind == kind, names[next] == name
        {
            if next + 1 < names.count {
                self.expected[0] = .departures(kind, names, next: next + 1)
            } else {
                self.expected.removeFirst()
            }
            return .none
        }
        guard let name, self.owners[kind][name] != nil else { return .none }
        self.expected.append(.mending(kind, name))
        _ = self.setHeard(false, name, kind)
        var bytes = ByteBuffer()
        bytes.writeCommand(kind.subscribeCommand, [name])
        return .ended(bytes)
    }

    /// A command as a whole was refused: `NOPERM this user has no permissions to access one of the channels…`.
    private mutating func receivedError(_ error: RESPError) -> Event {
        guard let expected = self.expected.popFirst() else {
            // Redis says something of its own. Its words are better than ours.
            return .violation(error)
        }
        switch expected {
        case .confirmations(_, let id): return .refused(id, error)
        case .names(let command): return self.refused(command, error)
        case .mending: return .unserved(error)
        case .departures: return .none
        // The user may not even PING, but an error is a sign of life, too.
        case .ping: return .none
        }
    }
}
