import Gateway
import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer

/// Histories in memory that can fail, and that tests can get in between.
final class TestHistory: EventHistory {
    private struct State {
        var fails = false
        var isDeaf = false
        var beforeRead: (@Sendable () -> Void)?
        var afterRead: (@Sendable () -> Void)?
        var handlers: [@Sendable (HistorySignal) -> Void] = []
        var appends = 0
        /// What nodes do not hear yet; `nil` if they hear all at once.
        var held: [(@Sendable (HistorySignal) -> Void, HistorySignal)]?
    }

    let inner = InMemoryHistory()
    private let state = NIOLockedValueBox(State())

    /// Whether Redis is away, so to speak.
    var fails: Bool {
        get { self.state.withLockedValue { $0.fails } }
        set { self.state.withLockedValue { $0.fails = newValue } }
    }

    /// Whether nodes hear nothing of what is added.
    var isDeaf: Bool {
        get { self.state.withLockedValue { $0.isDeaf } }
        set { self.state.withLockedValue { $0.isDeaf = newValue } }
    }

    /// How often something was to be added.
    var appends: Int { self.state.withLockedValue { $0.appends } }

    /// Does something once, before the next history is read.
    func beforeNextRead(_ body: @escaping @Sendable () -> Void) { self.state.withLockedValue { $0.beforeRead = body } }

    /// Does something once, after the next history was read and before anybody knows what it has.
    func afterNextRead(_ body: @escaping @Sendable () -> Void) { self.state.withLockedValue { $0.afterRead = body } }

    /// Lets nodes hear nothing, until ``releaseSignals()``.
    func holdSignals() { self.state.withLockedValue { $0.held = [] } }

    /// Lets nodes hear what they have not heard.
    func releaseSignals() {
        let held = self.state.withLockedValue { state in
            defer { state.held = nil }
            return state.held ?? []
        }
        for (handler, signal) in held { handler(signal) }
    }

    /// Tells all nodes that they may have missed something.
    func tellGap() { for handler in self.state.withLockedValue({ $0.handlers }) { handler(.gap) } }

    func append(
        _ addition: HistoryAddition,
        completion: @escaping @Sendable (Result<Void, ClusterError>) -> Void
    ) {
        let fails = self.state.withLockedValue { state in
            state.appends += 1
            return state.fails
        }
        guard !fails else { return completion(.failure(Self.failure)) }
        self.inner.append(addition, completion: completion)
    }

    private static let failure = ClusterError(code: .unreachable, message: "Redis is away")

    func read(_ question: HistoryQuestion) async throws -> HistoryAnswer {
        let (fails, before, after) = self.state.withLockedValue {
            state -> (Bool, (@Sendable () -> Void)?, (@Sendable () -> Void)?) in
            defer { (state.beforeRead, state.afterRead) = (nil, nil) }
            return (state.fails, state.beforeRead, state.afterRead)
        }
        guard !fails else { throw Self.failure }
        before?()
        let answer = await self.inner.read(question)
        after?()
        return answer
    }

    func receive(_ handler: @escaping @Sendable (HistorySignal) -> Void) -> SignalSubscription {
        self.state.withLockedValue { $0.handlers.append(handler) }
        return self.inner.receive { [weak self] signal in
            guard let self, !self.isDeaf else { return }
            let isHeld = self.state.withLockedValue { state in
                state.held?.append((handler, signal))
                return state.held != nil
            }
            if !isHeld { handler(signal) }
        }
    }
}
