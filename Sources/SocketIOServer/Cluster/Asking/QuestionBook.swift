import NIOCore
import OrderedCollections
import SocketIOWire

/// What this node asks the others, and which callers wait for which answers.
///
/// It is a value, which takes what happens and returns actions. Callers that ask the same while a question is under way
/// share the next question. That one is asked when the first has been answered, or a moment later if a node is slow. A
/// caller never shares a question that was asked before its call: the answers might be older than what the caller has
/// done itself. Searches for single sockets go together in one question, and each ends with the first node that has its
/// socket.
struct QuestionBook {
    typealias Answers = AnswerCollection.Answers

    /// What is to be done.
    enum Action {
        /// The nodes are to be counted, for ``counted(_:_:requestID:at:_:)``.
        case count(Inquiry)
        case send(requestID: String, OutgoingMessage, for: Inquiry)
        /// The nodes are to be counted once more, behind the question, for ``confirmed(_:_:at:_:)``.
        case confirm(UTF8Text)
        case resolve([Int], Result<Answers, ClusterError>)
        /// So many bytes of answers are not kept any more.
        case release(Int)
        /// The time of a caller is up.
        case countTimeout
        /// So many nodes without a name do not answer; `nil`: one of them has answered after all.
        case silent(Int?)
        /// Answers to that question are not wanted any more.
        case forget(UTF8Text)
    }

    /// A caller that waits.
    struct Waiter {
        let inquiry: Inquiry
        /// The socket that is searched for.
        let wanted: UTF8Text?
        /// The question, once it is asked.
        var question: UTF8Text?
        /// Who had not answered when it was decided to ask once more.
        var missing: [ClusterNode]?
    }

    /// The callers whose question will be asked next, and how many equal questions are under way.
    struct Group {
        var waiters: Set<Int> = []
        /// The arguments of an event for the servers.
        var arguments: [JSONValue] = []
        /// Whether the nodes are being counted for the next question.
        var isCounting = false
        /// When the next question is due that waits for one under way.
        var startsAt: NIODeadline?
        var lastStart: NIODeadline?
        var underWay = 0
        /// Whether the next question is one that was asked before.
        var isAskedAgain = false

        var isIdle: Bool { self.waiters.isEmpty && !self.isCounting && self.underWay == 0 }
    }

    /// A question that was asked.
    struct Open {
        let inquiry: Inquiry
        let askedAt: NIODeadline
        var waiters: Set<Int>
        var collection: AnswerCollection
        /// What is counted in the budget.
        var bytes = 0
        /// When the question ends if nodes have answered without a list.
        var endsAt: NIODeadline?
    }

    enum Timer {
        case waiter(Int)
        case start(Inquiry)
        case end(UTF8Text)
    }

    /// The most sockets that one question searches for.
    static let mostSearched = 256
    /// How long a complete answer may take after one without a list.
    static let provisionalGrace = TimeAmount.milliseconds(100)
    /// How long to wait at least before the same is asked once more: others come and go as they like.
    static let repetitionPause = TimeAmount.milliseconds(250)
    /// How many questions are remembered that not everybody has answered.
    private static let mostRemembered = 64

    let namespace: String
    let maximumWaiters: Int
    var isClosed = false
    var waiters: [Int: Waiter] = [:]
    var groups: [Inquiry: Group] = [:]
    var open: [UTF8Text: Open] = [:]
    var timers = DeadlineQueue<Timer>()
    /// Questions that have ended without the answers of so many nodes that have no name.
    var unanswered: OrderedDictionary<UTF8Text, Int> = [:]

    init(namespace: String, maximumWaiters: Int) {
        self.namespace = namespace
        self.maximumWaiters = maximumWaiters
    }

    // MARK: Asking

    /// Takes a caller's question.
    ///
    /// - Parameters:
    ///   - id: A number of its own.
    ///   - inquiry: What is asked.
    ///   - wanted: The socket that is searched for.
    ///   - arguments: The event for the servers.
    ///   - now: The time.
    ///   - deadline: When there is an answer or an error.
    ///   - actions: What is to be done.
    mutating func ask(
        _ id: Int,
        _ inquiry: Inquiry,
        wanted: UTF8Text? = nil,
        arguments: [JSONValue] = [],
        at now: NIODeadline,
        until deadline: NIODeadline,
        _ actions: inout [Action]
    ) {
        guard !self.isClosed else {
            actions.append(.resolve([id], .failure(.closed(self.namespace))))
            return
        }
        guard self.waiters.count < self.maximumWaiters else {
            let message =
                "\(inquiry.name): \(self.waiters.count) questions to the other nodes are waiting for answers, and that"
                + " is as many as may; ask later, or for less"
            actions.append(.resolve([id], .failure(ClusterError(code: .refused, message: message))))
            return
        }
        self.waiters[id] = Waiter(inquiry: inquiry, wanted: wanted)
        self.groups[inquiry, default: Group()].waiters.insert(id)
        if !arguments.isEmpty { self.groups[inquiry]?.arguments = arguments }
        self.timers.add(.waiter(id), at: deadline)
        self.start(inquiry, at: now, &actions)
    }

    /// Begins a group's next question, if it is due.
    mutating func start(_ inquiry: Inquiry, at now: NIODeadline, _ actions: inout [Action]) {
        guard let group = self.groups[inquiry], !group.waiters.isEmpty, !group.isCounting else { return }
        let waits = group.underWay > 0 || inquiry == .search || group.isAskedAgain
        if let startsAt = group.startsAt, startsAt > now, waits { return }
        let pause = group.isAskedAgain ? Self.repetitionPause : inquiry.pause
        if let lastStart = group.lastStart, waits, lastStart + pause > now {
            self.groups[inquiry]?.startsAt = lastStart + pause
            self.timers.add(.start(inquiry), at: lastStart + pause)
            return
        }
        self.groups[inquiry]?.startsAt = nil
        self.groups[inquiry]?.isAskedAgain = false
        self.groups[inquiry]?.isCounting = true
        actions.append(.count(inquiry))
    }

    /// Asks for all callers that wait, because the nodes have been counted.
    ///
    /// - Parameters:
    ///   - inquiry: For what they were counted.
    ///   - roll: The nodes that are there.
    ///   - requestID: An id that no request has had.
    ///   - now: The time.
    ///   - actions: What is to be done.
    mutating func counted(
        _ inquiry: Inquiry,
        _ roll: Result<ClusterRoll, ClusterError>,
        requestID: String,
        at now: NIODeadline,
        _ actions: inout [Action]
    ) {
        guard var group = self.groups[inquiry] else { return }
        group.isCounting = false
        var taken = group.waiters
        if taken.count > Self.mostSearched, inquiry == .search {
            taken = Set(taken.sorted().prefix(Self.mostSearched))
        }
        group.waiters.subtract(taken)
        self.groups[inquiry] = group
        defer {
            self.tidy(inquiry)
            self.start(inquiry, at: now, &actions)
        }
        guard !taken.isEmpty else { return }
        let collection: AnswerCollection
        switch roll {
        case .success(let roll): collection = AnswerCollection(roll)
        case .failure(let error): return self.resolve(taken, .failure(error), &actions)
        }
        // There is no other node.
        if collection.roll.expected == 0 { return self.resolve(taken, .success(Answers()), &actions) }
        let question = UTF8Text(requestID)
        for id in taken { self.waiters[id]?.question = question }
        self.open[question] = Open(inquiry: inquiry, askedAt: now, waiters: taken, collection: collection)
        self.groups[inquiry]?.lastStart = now
        self.groups[inquiry]?.underWay += 1
        let wanted = taken.sorted().compactMap { self.waiters[$0]?.wanted }
        let message = inquiry.message(requestID, wanted: wanted, arguments: group.arguments)
        actions.append(.send(requestID: requestID, message, for: inquiry))
        if !collection.roll.isConfirmed { actions.append(.confirm(question)) }
    }

    /// Does what is due.
    mutating func tick(at now: NIODeadline, _ actions: inout [Action]) {
        while let timer = self.timers.popDue(at: now) {
            switch timer {
            case .waiter(let id): self.timeOut(id, at: now, &actions)
            case .start(let inquiry): self.start(inquiry, at: now, &actions)
            case .end(let question):
                guard let endsAt = self.open[question]?.endsAt, endsAt <= now else { continue }
                self.complete(question, at: now, &actions)
            }
        }
    }

    // MARK: Helpers

    mutating func resolve(_ ids: Set<Int>, _ result: Result<Answers, ClusterError>, _ actions: inout [Action]) {
        let waiting = ids.filter { self.waiters.removeValue(forKey: $0) != nil }
        if !waiting.isEmpty { actions.append(.resolve(waiting.sorted(), result)) }
    }

    /// Forgets an empty group, but not that of searches: the next search has to know when the last one began.
    mutating func tidy(_ inquiry: Inquiry) {
        if inquiry != .search, self.groups[inquiry]?.isIdle ?? false { self.groups[inquiry] = nil }
    }

    /// Remembers that nodes have not answered, to notice when they do.
    mutating func remember(_ question: UTF8Text, missing count: Int, _ actions: inout [Action]) {
        guard count > 0 else { return }
        self.unanswered[question] = count
        guard self.unanswered.count > Self.mostRemembered else { return }
        let oldest = self.unanswered.removeFirst().key
        if self.open[oldest] == nil { actions.append(.forget(oldest)) }
    }
}
