import Incidents
import Logging
import NIOConcurrencyHelpers
import NIOCore

/// Names that come and go, and those who wait for them.
extension ClientCore {
    func addRoster(_ id: Int, kind: RESPSubscriptionKind, handler: @escaping Handler) {
        guard !self.isClosed else { return }
        self.table.addRoster(id, kind: kind, handler: .application(handler))
        self.nameWaiters[id] = [:]
    }

    func change(_ changes: [RosterChanges.Change], ofRoster id: Int) {
        // Nobody asks for what has been cancelled.
        guard self.nameWaiters[id] != nil else {
            for change in changes { for heard in change.waiting + change.overtaken { heard(.failure(Self.removed)) } }
            return
        }
        let unreachable = self.unreachable
        var answers: [(RESPRoster.Heard, Result<Void, RESPError>)] = []
        for change in changes {
            for heard in change.overtaken { answers.append((heard, .failure(Self.removed))) }
            guard change.isInsertion else {
                self.table.remove(change.name, fromRoster: id)
                for heard in self.nameWaiters[id]?.removeValue(forKey: change.name) ?? [] {
                    answers.append((heard, .failure(Self.removed)))
                }
                continue
            }
            if self.table.insert(change.name, intoRoster: id) {
                for heard in change.waiting { answers.append((heard, .success(()))) }
            } else if let unreachable {
                for heard in change.waiting { answers.append((heard, .failure(unreachable))) }
            } else if !change.waiting.isEmpty {
                self.nameWaiters[id]?[change.name, default: []] += change.waiting
            }
        }
        if case .idle = self.shared.withLockedValue({ $0.state }) {} else { self.startSubscriber() }
        self.writeToSubscriber(self.table.commands(ofRoster: id, isConnected: self.subscriber.isConnected))
        // Told last: who hears of it finds everything done.
        for (heard, result) in answers { heard(result) }
    }

    func removeRoster(_ id: Int) {
        let waiters = self.nameWaiters.removeValue(forKey: id)
        self.writeToSubscriber(self.table.removeRoster(id, isConnected: self.subscriber.isConnected))
        for heard in waiters?.values.joined() ?? [:].values.joined() { heard(.failure(Self.removed)) }
    }

    func heard(_ name: ByteBuffer, ofRoster id: Int) {
        guard let waiters = self.nameWaiters[id]?.removeValue(forKey: name) else { return }
        for heard in waiters { heard(.success(())) }
    }

    func refused(_ name: ByteBuffer, ofRoster id: Int, _ error: RESPError) {
        self.incidents.record(
            "Redis refused to subscribe channels",
            reason: error.serverCode ?? error.code.description,
            details: ["error": "\(error.brief)"]
        )
        for heard in self.nameWaiters[id]?.removeValue(forKey: name) ?? [] { heard(.failure(error)) }
    }

    /// Nobody waits for a connection that is gone.
    ///
    /// - Returns: Those who did.
    func takeNameWaiters() -> [RESPRoster.Heard] {
        let waiters = self.nameWaiters.values.flatMap { $0.values.joined() }
        for id in self.nameWaiters.keys { self.nameWaiters[id] = [:] }
        return waiters
    }

    func writeToSubscriber(_ bytes: ByteBuffer) {
        if bytes.readableBytes > 0 { self.subscriber.write(bytes) }
    }

    /// Why a subscription is not confirmed soon.
    private var unreachable: RESPError? {
        guard !self.subscriber.isConnected else { return nil }
        switch self.shared.withLockedValue({ $0.state }) {
        case .disconnected(let error): return error
        case .idle: return RESPError(code: .disconnected, message: "the Redis client was not connected yet")
        case .closed: return CommandQueue.closedError
        case .connecting, .ready: return nil
        }
    }

    private static let removed = RESPError(code: .closed, message: "the channel was left before Redis had confirmed it")
}
