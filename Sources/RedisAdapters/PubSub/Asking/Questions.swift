import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOWire

/// What this node asks the others: who waits for which answers.
///
/// Who asks the same while a question is under way shares the next one, which is asked when that has been answered, or a
/// moment later if a node is slow to answer. It never shares one that was asked before: the answers might be older than
/// what the caller has done itself. Searches for single sockets go together in one question, and each ends with the
/// first node that has its socket.
final class Questions: NodeWatcher {
    typealias Answers = AnswerCollection.Answers

    /// Somebody who waits.
    struct Waiter {
        let inquiry: Inquiry
        /// The socket that is searched for.
        let wanted: UTF8Text?
        let continuation: CheckedContinuation<Answers, any Error>
        let timer: Scheduled<Void>
        /// The question, once it is asked.
        var question: UTF8Text?
    }

    /// Those who will be asked for together, and what is under way of the same.
    struct Group {
        var waiters: Set<Int> = []
        /// The arguments of an event for the servers.
        var arguments: [JSONValue] = []
        /// Whether the nodes are being counted for the next question.
        var isStarting = false
        var start: Scheduled<Void>?
        var lastStart: NIODeadline?
        var underWay = 0

        var isIdle: Bool { self.waiters.isEmpty && !self.isStarting && self.underWay == 0 }
    }

    /// A question that was asked.
    struct Open {
        let inquiry: Inquiry
        var waiters: Set<Int>
        var collection: AnswerCollection
        /// What is counted in the budget.
        var bytes = 0
        /// Ends the question when nodes have answered without a list.
        var grace: Scheduled<Void>?
    }

    struct State {
        var isClosed = false
        var nextID = 0
        var waiters: [Int: Waiter] = [:]
        var groups: [Inquiry: Group] = [:]
        var open: [UTF8Text: Open] = [:]

        /// Takes somebody out of everything.
        mutating func remove(_ id: Int) -> (Waiter, AnswerCollection?)? {
            guard let waiter = self.waiters.removeValue(forKey: id) else { return nil }
            guard let question = waiter.question else {
                self.groups[waiter.inquiry]?.waiters.remove(id)
                return (waiter, nil)
            }
            self.open[question]?.waiters.remove(id)
            return (waiter, self.open[question]?.collection)
        }
    }

    /// The most sockets that one question searches for.
    static let mostSearched = 256
    /// How long a complete answer may take after one without a list.
    static let provisionalGrace = TimeAmount.milliseconds(100)

    let core: AdapterCore
    let counter: NodeCounter
    let budget: AnswerBudget
    let watch: NodeWatch
    let state = NIOLockedValueBox(State())

    init(core: AdapterCore, counter: NodeCounter, budget: AnswerBudget, watch: NodeWatch) {
        self.core = core
        self.counter = counter
        self.budget = budget
        self.watch = watch
    }

    /// How many wait.
    var waiting: Int { self.state.withLockedValue { $0.waiters.count } }

    /// Whether nothing is asked.
    var isIdle: Bool { self.state.withLockedValue { $0.open.isEmpty } }

    // MARK: Asking

    /// The matching sockets, the rooms, or the answers of all other nodes.
    ///
    /// - Throws: ``ClusterError``.
    func ask(_ inquiry: Inquiry, timeout: TimeAmount) async throws -> Answers {
        try await self.ask(inquiry, wanted: nil, arguments: [], timeout: timeout)
    }

    /// Sends an event to the other servers, and collects an answer of each.
    func emit(_ arguments: [JSONValue], timeout: TimeAmount) async throws -> [JSONValue?] {
        let number = self.state.withLockedValue { state in
            state.nextID += 1
            return state.nextID
        }
        return try await self.ask(.serverSideEmit(number), wanted: nil, arguments: arguments, timeout: timeout).values
    }

    /// Searches for a socket on the other nodes.
    func search(_ id: String, timeout: TimeAmount) async throws -> SocketDescription? {
        try await self.ask(.search, wanted: UTF8Text(id), arguments: [], timeout: timeout).sockets.first
    }

    private func ask(
        _ inquiry: Inquiry,
        wanted: UTF8Text?,
        arguments: [JSONValue],
        timeout: TimeAmount
    ) async throws -> Answers {
        let id = self.state.withLockedValue { state in
            state.nextID += 1
            return state.nextID
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let timer = self.core.eventLoop.scheduleTask(in: timeout) { [weak self] in self?.timedOut(id) ?? () }
                let waiter = Waiter(inquiry: inquiry, wanted: wanted, continuation: continuation, timer: timer)
                self.enqueue(waiter, id, arguments)
                // Cancelled before it was waiting: nobody would notice until the timeout.
                if Task.isCancelled { self.cancel(id) }
            }
        } onCancel: {
            self.cancel(id)
        }
    }

    enum Start {
        case now
        case later(TimeAmount)
        case withOthers
        case never(ClusterError)
    }

    private func enqueue(_ waiter: Waiter, _ id: Int, _ arguments: [JSONValue]) {
        let inquiry = waiter.inquiry
        let now = self.core.eventLoop.now
        let start = self.state.withLockedValue { state -> Start in
            guard !state.isClosed else { return .never(self.core.closedError) }
            guard state.waiters.count < self.core.configuration.maximumQuestions else {
                return .never(
                    ClusterError(
                        code: .refused,
                        message: "\(inquiry.name): \(state.waiters.count) questions to the other nodes are waiting for"
                            + " answers, and that is as many as may; ask later, or for less"
                    )
                )
            }
            state.waiters[id] = waiter
            state.groups[inquiry, default: Group()].waiters.insert(id)
            if !arguments.isEmpty { state.groups[inquiry]?.arguments = arguments }
            return self.start(inquiry, &state, at: now)
        }
        switch start {
        case .now: self.begin(inquiry)
        case .later(let pause): self.beginLater(inquiry, in: pause)
        case .withOthers: break
        case .never(let error):
            waiter.timer.cancel()
            waiter.continuation.resume(throwing: error)
        }
    }

    /// When a group's question is to be asked; for whoever holds the lock.
    func start(_ inquiry: Inquiry, _ state: inout State, at now: NIODeadline) -> Start {
        guard let group = state.groups[inquiry], !group.waiters.isEmpty, !group.isStarting, group.start == nil else {
            return .withOthers
        }
        if let lastStart = group.lastStart, group.underWay > 0 || inquiry == .search {
            let pause = lastStart + inquiry.pause - now
            if pause > .zero { return .later(pause) }
        }
        state.groups[inquiry]?.isStarting = true
        return .now
    }

    func beginLater(_ inquiry: Inquiry, in pause: TimeAmount) {
        let timer = self.core.eventLoop.scheduleTask(in: pause) { [weak self] in
            guard let self else { return }
            let isDue = self.state.withLockedValue { state in
                state.groups[inquiry]?.start = nil
                guard let group = state.groups[inquiry], !group.waiters.isEmpty, !group.isStarting else { return false }
                state.groups[inquiry]?.isStarting = true
                return true
            }
            if isDue { self.begin(inquiry) }
        }
        let isTooLate = self.state.withLockedValue { state in
            guard let group = state.groups[inquiry], group.start == nil, !group.isStarting else { return true }
            state.groups[inquiry]?.start = timer
            return false
        }
        if isTooLate { timer.cancel() }
    }
}
