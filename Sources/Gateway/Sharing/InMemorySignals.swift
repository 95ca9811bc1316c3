import NIOConcurrencyHelpers
public import NIOCore

/// Signals within one process.
public final class InMemorySignals: ClusterSignals {
    private typealias Handler = @Sendable (Signal) -> Void

    private struct State {
        var nextID = 0
        var handlers: [SignalTopic: [(id: Int, handle: Handler)]] = [:]
        /// What was sent and not handed out yet; a handler may send.
        var waiting: [(SignalTopic, ByteBuffer)] = []
        var isHandingOut = false
    }

    private let state = NIOLockedValueBox(State())

    /// Makes signals that whoever has this object sends and receives.
    public init() {}

    /// Hands the signal to every handler of the topic.
    public func send(_ topic: SignalTopic, _ message: ByteBuffer) async {
        self.post(topic, message)
    }

    /// Hands the signal to every handler of the topic, and does not wait for those that another thread is handing out.
    public func post(_ topic: SignalTopic, _ message: ByteBuffer) {
        let mine = self.state.withLockedValue { state in
            state.waiting.append((topic, message))
            defer { state.isHandingOut = true }
            return !state.isHandingOut
        }
        guard mine else { return }
        while let (handlers, message) = self.next() {
            for handler in handlers { handler(.message(message)) }
        }
    }

    private func next() -> ([Handler], ByteBuffer)? {
        self.state.withLockedValue { state in
            guard !state.waiting.isEmpty else {
                state.isHandingOut = false
                return nil
            }
            let (topic, message) = state.waiting.removeFirst()
            return ((state.handlers[topic] ?? []).map(\.handle), message)
        }
    }

    /// Calls the handler with a gap at once, and then for each signal.
    public func receive(_ topic: SignalTopic, _ handler: @escaping @Sendable (Signal) -> Void) -> SignalSubscription {
        handler(.gap)
        let id = self.state.withLockedValue { state in
            state.nextID += 1
            state.handlers[topic, default: []].append((state.nextID, handler))
            return state.nextID
        }
        return SignalSubscription { [state] in
            state.withLockedValue { $0.handlers[topic]?.removeAll { $0.id == id } }
        }
    }
}
