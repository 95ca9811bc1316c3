import CoreMetrics
import NIOCore
import SocketIOWire

/// Carries out what the books of one namespace's questions and answers say; on the namespace's loop.
final class ClusterCore {
    typealias Answers = QuestionBook.Answers

    /// The callers that wait for acknowledgements of other nodes' clients.
    struct Listener {
        let onClientCount: @Sendable (Int) -> Void
        let onAcknowledgement: @Sendable (JSONValue?) -> Void
    }

    let context: ClusterContext
    let counter: NodeCounter
    let desk: AnswerDesk
    private(set) var questions: QuestionBook
    private(set) var acknowledgements = AcknowledgementBook()
    private var waiters: [Int: EventLoopPromise<Answers>] = [:]
    private var listeners: [UTF8Text: Listener] = [:]
    private var nextEmission = 0
    /// The timer for what is to happen next.
    private var wake: (at: NIODeadline, timer: Scheduled<Void>)?
    /// The timer for the next look after the nodes, and how long the pause before the one behind it is.
    var nextLook: (at: NIODeadline, timer: Scheduled<Void>)?
    var lookPause = TimeAmount.zero
    private(set) var isClosed = false

    init(context: ClusterContext) {
        self.context = context
        self.counter = NodeCounter(
            transport: context.transport,
            eventLoop: context.eventLoop,
            grace: context.configuration.reconnectGrace
        )
        self.desk = AnswerDesk(context: context)
        self.questions = QuestionBook(
            namespace: context.host.name,
            maximumWaiters: context.configuration.maximumQuestions
        )
    }

    // MARK: Asking

    /// Asks the other nodes; the promise is kept by the deadline.
    func ask(
        _ id: Int,
        _ inquiry: Inquiry,
        wanted: UTF8Text? = nil,
        until deadline: NIODeadline,
        _ promise: EventLoopPromise<Answers>
    ) {
        self.waiters[id] = promise
        self.change { $0.ask(id, inquiry, wanted: wanted, at: $1, until: deadline, &$2) }
    }

    /// Sends an event to the other servers, and collects an answer of each.
    func emit(_ id: Int, _ arguments: [JSONValue], until deadline: NIODeadline, _ promise: EventLoopPromise<Answers>) {
        self.waiters[id] = promise
        self.nextEmission += 1
        let inquiry = Inquiry.serverSideEmit(self.nextEmission)
        self.change { $0.ask(id, inquiry, arguments: arguments, at: $1, until: deadline, &$2) }
    }

    /// Ends the wait of a caller that does not want the answer any more.
    func cancel(_ id: Int) {
        self.change { $0.cancel(id, at: $1, &$2) }
        self.waiters.removeValue(forKey: id)?.fail(CancellationError())
    }

    /// Has the book of questions changed, and does what it says.
    func change(_ body: (inout QuestionBook, NIODeadline, inout [QuestionBook.Action]) -> Void) {
        var actions: [QuestionBook.Action] = []
        body(&self.questions, self.context.now, &actions)
        for action in actions { self.perform(action) }
        self.wakeUp(at: self.questions.timers.next)
    }

    private func perform(_ action: QuestionBook.Action) {
        switch action {
        case .count(let inquiry):
            let deadline = self.context.now + self.context.configuration.requestsTimeout
            self.counter.count(until: deadline) { [self] result in
                let roll = result.map { self.counter.roll(of: $0) }
                let id = self.context.transport.makeRequestID()
                self.change { $0.counted(inquiry, roll, requestID: id, at: $1, &$2) }
            }
        case .send(let requestID, let message, let inquiry):
            let id = UTF8Text(requestID)
            self.context.awaited[id] = inquiry.question
            do throws(ClusterError) {
                try self.context.transport.send(message)
            } catch {
                var failure = error
                failure.message = "\(inquiry.name): the request was not published: \(error.message)"
                return self.change { [failure] in $0.failed(id, failure, at: $1, &$2) }
            }
            self.lookSoon()
        case .confirm(let id):
            self.counter.confirm { [self] result in
                let roll = result.map { self.counter.roll(of: $0) }
                self.change { $0.confirmed(id, roll, at: $1, &$2) }
            }
        case .resolve(let ids, let result):
            for id in ids { self.waiters.removeValue(forKey: id)?.completeWith(result.mapError { $0 as any Error }) }
        case .release(let bytes): self.context.budget.give(bytes)
        case .countTimeout: self.context.metrics.timeouts.increment()
        case .silent(let count): self.counter.silent(count)
        case .forget(let id): self.context.awaited[id] = nil
        }
    }

    // MARK: Broadcasts that are acknowledged

    /// Sends a broadcast whose clients acknowledge it; the promise is kept when the other nodes are counted.
    func publish(
        _ broadcast: Broadcast,
        until deadline: NIODeadline,
        _ listener: Listener,
        _ promise: EventLoopPromise<ClusterRoll>
    ) {
        guard !self.isClosed else { return promise.fail(ClusterError.closed(self.context.host.name)) }
        let requestID = self.context.transport.makeRequestID()
        let id = UTF8Text(requestID)
        self.listeners[id] = listener
        self.context.awaited[id] = .acknowledgements
        self.changeAcknowledgements { book, _ in book.sent(id, until: deadline) }
        do throws(ClusterError) {
            try self.context.transport.send(.acknowledgedBroadcast(requestID: requestID, broadcast))
        } catch {
            self.changeAcknowledgements { $0.forget(id, &$1) }
            var failure = error
            failure.message = "the broadcast was not published: \(error.message)"
            return promise.fail(failure)
        }
        // The nodes are counted after that, as official nodes do it. If that fails, acknowledgements still count.
        self.counter.count(until: deadline) { [self] result in
            switch result {
            case .success(let count):
                let roll = self.counter.roll(of: count)
                self.changeAcknowledgements { $0.counted(id, roll, &$1) }
                self.lookSoon()
                promise.succeed(roll)
            case .failure(let error): promise.fail(error)
            }
        }
    }

    func changeAcknowledgements(
        _ body: (inout AcknowledgementBook, inout [AcknowledgementBook.Action]) -> Void
    ) {
        var actions: [AcknowledgementBook.Action] = []
        body(&self.acknowledgements, &actions)
        for action in actions {
            switch action {
            case .report(let id, let count): self.listeners[id]?.onClientCount(count)
            case .acknowledge(let id, let value): self.listeners[id]?.onAcknowledgement(value)
            case .release(let bytes): self.context.budget.give(bytes)
            case .forget(let id):
                self.listeners[id] = nil
                self.context.awaited[id] = nil
            }
        }
        self.wakeUp(at: self.acknowledgements.next)
    }

    // MARK: What comes

    /// A node answers.
    func answered(_ answer: ClusterResponse.Answer, to id: UTF8Text, from node: UTF8Text?, byteCount: Int) {
        switch answer {
        case .clientCount(let count): self.changeAcknowledgements { $0.reported(id, count, from: node, &$1) }
        case .acknowledgement(let value):
            guard self.context.budget.take(byteCount) else {
                return self.context.metrics.answerDropped(limit: self.context.budget.limit)
            }
            self.changeAcknowledgements { $0.acknowledged(id, value, bytes: byteCount, &$1) }
        case .sockets, .rooms, .serverSide, .nothing, .refusal:
            guard self.context.budget.take(byteCount) else {
                let limit = self.context.budget.limit
                self.context.metrics.answerDropped(limit: limit)
                return self.change { $0.refuse(id, limit: limit, at: $1, &$2) }
            }
            self.change { $0.answered(answer, to: id, from: node, bytes: byteCount, at: $1, &$2) }
        }
    }

    /// The broker was lost, or everything is subscribed again.
    func availabilityChanged(_ isAvailable: Bool) { self.counter.availabilityChanged(isAvailable) }

    // MARK: Time

    private func wakeUp(at deadline: NIODeadline?) {
        guard let deadline, !self.isClosed else { return }
        if let wake = self.wake, wake.at <= deadline { return }
        self.wake?.timer.cancel()
        let timer = self.context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.wokeUp() }
        self.wake = (deadline, timer)
    }

    private func wokeUp() {
        self.wake = nil
        let now = self.context.now
        self.changeAcknowledgements { $0.tick(at: now, &$1) }
        self.change { $0.tick(at: $1, &$2) }
    }

    // MARK: The end

    /// Asks nothing more, and answers the nodes that wait.
    ///
    /// - Returns: When these have their answers.
    func close() -> EventLoopFuture<Void> {
        self.isClosed = true
        self.wake?.timer.cancel()
        self.nextLook?.timer.cancel()
        self.changeAcknowledgements { $0.close(&$1) }
        self.change { book, _, actions in book.close(&actions) }
        return self.desk.close()
    }
}
