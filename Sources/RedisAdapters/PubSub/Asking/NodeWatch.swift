import NIOConcurrencyHelpers
import NIOCore

/// Something that waits for other nodes, one of which may have gone.
protocol NodeWatcher: AnyObject, Sendable {
    /// Whether nothing is waited for.
    var isIdle: Bool { get }

    /// So many other nodes are alive.
    func looked(alive: Int)
}

/// Looks after the other nodes while their answers are awaited: one look for all that is awaited.
final class NodeWatch: Sendable {
    private struct Watcher {
        weak let object: (any NodeWatcher)?
    }

    private struct State {
        var watchers: [Watcher] = []
        var look: Scheduled<Void>?
        var isClosed = false
    }

    private let core: AdapterCore
    private let counter: NodeCounter
    private let state = NIOLockedValueBox(State())

    init(core: AdapterCore, counter: NodeCounter) {
        self.core = core
        self.counter = counter
    }

    /// Tells somebody of the looks, who is not kept.
    func add(_ watcher: any NodeWatcher) { self.state.withLockedValue { $0.watchers.append(Watcher(object: watcher)) } }

    /// Something is awaited: looks again and again until nothing is.
    func begin() {
        let look = self.core.eventLoop.scheduleTask(in: self.core.configuration.livenessInterval) { [weak self] in
            guard let self else { return }
            // Ends with the reply, which has a deadline; closing the adapter waits for it.
            self.core.runTask { [weak self] in await self?.look() }
        }
        let isNeedless = self.state.withLockedValue { state in
            guard !state.isClosed, state.look == nil else { return true }
            state.look = look
            return false
        }
        if isNeedless { look.cancel() }
    }

    private func look() async {
        let watchers = self.state.withLockedValue { $0.watchers }.compactMap(\.object)
        if let count = await self.counter.reliableCount() {
            for watcher in watchers { watcher.looked(alive: max(0, count - 1)) }
        }
        self.state.withLockedValue { $0.look = nil }
        if watchers.contains(where: { !$0.isIdle }) { self.begin() }
    }

    func close() {
        let look = self.state.withLockedValue { state in
            state.isClosed = true
            return state.look
        }
        look?.cancel()
    }
}
