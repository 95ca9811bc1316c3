import NIOCore
import OrderedCollections
import SocketIOWire

/// How questions and the waits of callers end.
extension QuestionBook {
    /// Whether nothing is asked.
    var isIdle: Bool { self.open.isEmpty }

    /// Ends a question that every node has answered which is waited for.
    mutating func complete(_ id: UTF8Text, at now: NIODeadline, _ actions: inout [Action]) {
        guard let open = self.open[id] else { return }
        let (name, collection) = (open.inquiry.name, open.collection)
        let roll = collection.roll
        // A node that answers later speaks again.
        if !roll.isComplete, open.endsAt == nil { self.remember(id, missing: roll.missingWithoutName, &actions) }
        _ = self.close(id, at: now, &actions)
        let result: Result<Answers, ClusterError>
        if let refusal = collection.refusal {
            result = .failure(.incomplete(.refused, "another node does not answer: \(refusal)", collection))
        } else if roll.isComplete || open.endsAt != nil {
            result = .success(collection.answers)
        } else {
            let message =
                "\(name): only \(roll.received) responses received out of \(roll.expected), because nodes have not"
                + " answered for some time and are not waited for"
            result = .failure(.incomplete(.incomplete, message, collection))
        }
        if roll.isComplete { actions.append(.silent(0)) }
        self.resolve(open.waiters, result, &actions)
    }

    /// Ends a question that could not be sent.
    mutating func failed(_ id: UTF8Text, _ error: ClusterError, at now: NIODeadline, _ actions: inout [Action]) {
        guard let open = self.close(id, at: now, &actions) else { return }
        self.resolve(open.waiters, .failure(error), &actions)
    }

    /// Forgets a question and what was answered, and has those asked who are there now.
    mutating func askAgain(_ id: UTF8Text, at now: NIODeadline, _ actions: inout [Action]) {
        guard let open = self.open.removeValue(forKey: id) else { return }
        if open.bytes > 0 { actions.append(.release(open.bytes)) }
        if self.unanswered[id] == nil { actions.append(.forget(id)) }
        let missing = open.collection.roll.missing
        for waiter in open.waiters {
            self.waiters[waiter]?.question = nil
            self.waiters[waiter]?.missing = missing
        }
        self.groups[open.inquiry]?.waiters.formUnion(open.waiters)
        self.groups[open.inquiry]?.underWay -= 1
        self.groups[open.inquiry]?.isAskedAgain = true
        self.start(open.inquiry, at: now, &actions)
    }

    /// Takes a question out, so that the next one of the same need not wait any longer.
    mutating func close(_ id: UTF8Text, at now: NIODeadline, _ actions: inout [Action]) -> Open? {
        guard let open = self.open.removeValue(forKey: id) else { return nil }
        if open.bytes > 0 { actions.append(.release(open.bytes)) }
        if self.unanswered[id] == nil { actions.append(.forget(id)) }
        self.groups[open.inquiry]?.underWay -= 1
        self.tidy(open.inquiry)
        self.start(open.inquiry, at: now, &actions)
        return open
    }

    /// Ends the wait of a caller whose time is up.
    mutating func timeOut(_ id: Int, at now: NIODeadline, _ actions: inout [Action]) {
        guard let waiter = self.waiters[id] else { return }
        let collection = waiter.question.flatMap { self.open[$0]?.collection }
        var message = "timeout reached while waiting for \(waiter.inquiry.name) response"
        if let roll = collection?.roll {
            message += ": only \(roll.received) responses received out of \(roll.expected)"
            actions.append(.silent(roll.missingWithoutName))
            if let question = waiter.question { self.remember(question, missing: roll.missingWithoutName, &actions) }
        } else if waiter.missing != nil {
            message += ": nodes have come or gone meanwhile, and those that are there were to be asked again"
        } else {
            message += ": the nodes were not asked yet"
        }
        actions.append(.countTimeout)
        var error = ClusterError.incomplete(.timeout, message, collection)
        if collection == nil { error.missing = waiter.missing ?? [] }
        self.resolve([id], .failure(error), &actions)
        self.leave(id, waiter, at: now, &actions)
    }

    /// Ends the wait of a caller that does not want the answer any more.
    mutating func cancel(_ id: Int, at now: NIODeadline, _ actions: inout [Action]) {
        guard let waiter = self.waiters.removeValue(forKey: id) else { return }
        self.leave(id, waiter, at: now, &actions)
    }

    /// Takes a caller out of its question, which ends if no other caller waits for it.
    private mutating func leave(_ id: Int, _ waiter: Waiter, at now: NIODeadline, _ actions: inout [Action]) {
        guard let question = waiter.question else {
            self.groups[waiter.inquiry]?.waiters.remove(id)
            return self.tidy(waiter.inquiry)
        }
        self.open[question]?.waiters.remove(id)
        if self.open[question]?.waiters.isEmpty ?? false { _ = self.close(question, at: now, &actions) }
    }

    /// Ends everything.
    mutating func close(_ actions: inout [Action]) {
        self.isClosed = true
        let bytes = self.open.values.reduce(0) { $0 + $1.bytes }
        if bytes > 0 { actions.append(.release(bytes)) }
        for id in self.open.keys.sorted() { actions.append(.forget(id)) }
        self.open = [:]
        self.groups = [:]
        self.timers.removeAll()
        self.resolve(Set(self.waiters.keys), .failure(.closed(self.namespace)), &actions)
    }
}
