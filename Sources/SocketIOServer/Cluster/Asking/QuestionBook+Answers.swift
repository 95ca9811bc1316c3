import NIOCore
import OrderedCollections
import SocketIOWire

/// What the other nodes say.
extension QuestionBook {
    /// What was asked with that id; `nil` if this node did not ask it, or no caller waits any more.
    func inquiry(_ id: UTF8Text) -> Inquiry? { self.open[id]?.inquiry }

    /// Takes a node's answer.
    ///
    /// - Parameters:
    ///   - answer: The answer.
    ///   - id: The question.
    ///   - node: Which node answers, if the message says so.
    ///   - bytes: How many bytes of the budget the answer has taken.
    ///   - now: The time.
    ///   - actions: What is to be done.
    mutating func answered(
        _ answer: ClusterResponse.Answer,
        to id: UTF8Text,
        from node: UTF8Text?,
        bytes: Int,
        at now: NIODeadline,
        _ actions: inout [Action]
    ) {
        // Out of the table while it changes, or its lists would be copied.
        guard var open = self.open.removeValue(forKey: id) else {
            actions.append(.release(bytes))
            return self.answeredLate(id, &actions)
        }
        var answer = answer
        // The answers to a search are not kept.
        if open.inquiry == .search { actions.append(.release(bytes)) } else { open.bytes += bytes }
        if open.inquiry == .search, case .sockets(let sockets) = answer {
            answer = .sockets(self.found(sockets, &open, &actions))
        }
        let effect = open.collection.add(answer, from: node)
        let isOver = open.collection.isOver || open.waiters.isEmpty
        self.open[id] = open
        if isOver { return self.complete(id, at: now, &actions) }
        if case .provisional = effect { self.endIfProbablyOver(id, at: now) }
    }

    /// Ends a question a moment later if nodes have answered without a list, and nobody else is waited for.
    private mutating func endIfProbablyOver(_ id: UTF8Text, at now: NIODeadline) {
        guard self.open[id]?.collection.isProbablyOver ?? false else { return }
        self.open[id]?.endsAt = now + Self.provisionalGrace
        self.timers.add(.end(id), at: now + Self.provisionalGrace)
    }

    /// Tells the callers that search for these sockets.
    ///
    /// - Returns: The sockets that are searched for. Sockets that are only in a room of that name are not meant.
    private mutating func found(
        _ sockets: [SocketDescription],
        _ open: inout Open,
        _ actions: inout [Action]
    ) -> [SocketDescription] {
        var searched: [UTF8Text: [Int]] = [:]
        for id in open.waiters {
            if let wanted = self.waiters[id]?.wanted { searched[wanted, default: []].append(id) }
        }
        var wanted: [SocketDescription] = []
        for socket in sockets {
            guard let ids = searched.removeValue(forKey: UTF8Text(socket.id)) else { continue }
            wanted.append(socket)
            open.waiters.subtract(ids)
            self.resolve(Set(ids), .success(Answers(sockets: [socket])), &actions)
        }
        return wanted
    }

    /// Takes note that a node speaks again, because it answers after the question has ended.
    private mutating func answeredLate(_ id: UTF8Text, _ actions: inout [Action]) {
        guard let count = self.unanswered[id] else { return }
        self.unanswered[id] = count > 1 ? count - 1 : nil
        if count <= 1 { actions.append(.forget(id)) }
        actions.append(.silent(nil))
    }

    /// Ends a question, because there is no memory left for an answer.
    mutating func refuse(_ id: UTF8Text, limit: Int, at now: NIODeadline, _ actions: inout [Action]) {
        guard let open = self.close(id, at: now, &actions) else { return }
        let message =
            "the answers of the other nodes to \(open.inquiry.name) take more memory than is left: this node keeps at"
            + " most \(limit) bytes of answers at a time; ask for less"
        self.resolve(open.waiters, .failure(.incomplete(.refused, message, open.collection)), &actions)
    }

    // MARK: Who is there

    /// The nodes were counted again, behind the question.
    mutating func confirmed(
        _ id: UTF8Text,
        _ roll: Result<ClusterRoll, ClusterError>,
        at now: NIODeadline,
        _ actions: inout [Action]
    ) {
        guard self.open[id] != nil else { return }
        switch roll {
        case .failure(let error): self.failed(id, error, at: now, &actions)
        case .success(let roll):
            self.open[id]?.collection.confirmed(roll)
            // Before anybody has answered, silent nodes have as much time as they have otherwise.
            let waitsForSilent = self.open[id]?.collection.roll.received == 0
            if self.endIfSettled(id, waitsForSilent: waitsForSilent, at: now, &actions) { return }
            self.endIfProbablyOver(id, at: now)
        }
    }

    /// These nodes are there now: ends the questions that only nodes have not answered that have gone, and asks those once
    /// more of which it can't be told any more whose answers are missing.
    ///
    /// - Parameters:
    ///   - roll: Who is there.
    ///   - now: The time.
    ///   - patience: For how long nodes without a name are waited for that are silent.
    ///   - actions: What is to be done.
    mutating func looked(
        _ roll: ClusterRoll,
        at now: NIODeadline,
        patience: TimeAmount,
        _ actions: inout [Action]
    ) {
        // In an order that is the same in every run.
        for id in self.open.keys.sorted() {
            guard let askedAt = self.open[id]?.askedAt else { continue }
            self.open[id]?.collection.looked(roll)
            _ = self.endIfSettled(id, waitsForSilent: now < askedAt + patience, at: now, &actions)
        }
    }

    /// - Returns: Whether the question has ended.
    private mutating func endIfSettled(
        _ id: UTF8Text,
        waitsForSilent: Bool,
        at now: NIODeadline,
        _ actions: inout [Action]
    ) -> Bool {
        guard let open = self.open[id] else { return true }
        let collection = open.collection
        if !collection.roll.isComplete, collection.roll.isInDoubt, open.inquiry.isRepeatable {
            self.askAgain(id, at: now, &actions)
            return true
        }
        guard collection.isOver(waitsForSilent: waitsForSilent) else { return false }
        self.complete(id, at: now, &actions)
        return true
    }
}
