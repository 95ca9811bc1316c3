import NIOCore
import RESP
import RedisAdapters

// What a simulated client subscribes to, and hears.

extension SimulatedClient {
    /// Tells Redis, if there is a connection.
    func subscribe(_ id: Int, _ channels: Set<BusChannel>, _ patterns: Set<String>) {
        guard let connection = self.subscribing else { return }
        for channel in channels { self.subscriptions[id]?.pending[channel, default: 0] += 1 }
        self.redis.execute(from: connection) { [redis] in
            connection.channels.formUnion(channels)
            connection.patterns.formUnion(patterns)
            redis.answer(connection) { [self] in
                guard self.subscribing === connection else { return }
                self.confirm(id, .success(()))
                self.confirm(id, channels)
            }
        }
    }

    func unsubscribe(_ channels: Set<BusChannel>, _ patterns: Set<String>) {
        guard let connection = self.subscribing, self.redis.mutation != .forgetsToLeave else { return }
        self.redis.execute(from: connection) {
            connection.channels.subtract(channels)
            connection.patterns.subtract(patterns)
        }
    }

    func confirm(_ id: Int, _ result: Result<Void, RESPError>) {
        guard let waiting = self.subscriptions[id]?.waiting else { return }
        if case .success = result { self.subscriptions[id]?.isConfirmed = true }
        self.subscriptions[id]?.waiting = []
        for done in waiting { done(result) }
    }

    func confirm(_ id: Int, _ channels: Set<BusChannel>) {
        for channel in channels.sorted(by: { $0.name < $1.name }) {
            guard let pending = self.subscriptions[id]?.pending[channel] else { continue }
            self.subscriptions[id]?.pending[channel] = pending > 1 ? pending - 1 : nil
            // A channel that was left and wanted again is heard when the last of it is confirmed.
            guard pending == 1, self.subscriptions[id]?.channels.contains(channel) ?? false else { continue }
            self.subscriptions[id]?.confirmed.insert(channel)
            for heard in self.subscriptions[id]?.listeners.removeValue(forKey: channel) ?? [] { heard() }
        }
    }

    func received(_ message: RESPMessage, on connection: SimulatedConnection, lost: () -> Void) {
        guard self.subscribing === connection else { return lost() }
        let channel = BusChannel(name: String(buffer: message.channel), isSharded: message.isSharded)
        let pattern = message.pattern.map { String(buffer: $0) }
        for id in self.subscriptions.keys.sorted() {
            guard let subscription = self.subscriptions[id] else { continue }
            if let event = History.event(in: message.payload), self.history.events.indices.contains(event) {
                self.history.events[event].arrivedAt[self.node] = self.world.now
            }
            let isMeant = pattern.map { subscription.patterns.contains($0) } ?? subscription.channels.contains(channel)
            if isMeant { subscription.handler(message) }
        }
    }
}
