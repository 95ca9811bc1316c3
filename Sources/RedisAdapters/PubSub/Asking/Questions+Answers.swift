import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOWire

/// What the other nodes say.
extension Questions {
    /// What kind of question has that id; `nil` if it is none of ours, or nobody waits any more.
    func question(_ id: UTF8Text) -> ClusterResponse.Question? {
        self.state.withLockedValue { $0.open[id]?.inquiry.question }
    }

    /// Takes an answer.
    ///
    /// - Parameters:
    ///   - response: What a node says.
    ///   - bytes: How many bytes that was.
    /// - Throws: ``ClusterProtocolError`` if it answers another kind of question.
    func received(_ response: ClusterResponse, bytes: Int) throws(ClusterProtocolError) {
        let id = response.requestID
        guard let inquiry = self.state.withLockedValue({ $0.open[id]?.inquiry }) else { return }
        guard self.budget.take(bytes) else {
            return self.finish(id) { collection in
                var error = ClusterError(
                    code: .refused,
                    message: "the answers of the other nodes to \(inquiry.name) take more memory than is left: this"
                        + " node keeps at most \(self.budget.limit) bytes of answers at a time; ask for less"
                )
                error.partialSockets = collection.answers.sockets
                return .failure(error)
            }
        }
        let answer: ClusterResponse.Answer
        do throws(ClusterProtocolError) {
            answer = try response.answer(to: inquiry.question)
        } catch {
            self.budget.give(bytes)
            throw error
        }
        if inquiry == .search { self.budget.give(bytes) }
        self.take(answer, of: id, inquiry, bytes: inquiry == .search ? 0 : bytes)
    }

    func take(_ answer: ClusterResponse.Answer, of id: UTF8Text, _ inquiry: Inquiry, bytes: Int) {
        enum Effect {
            case waits
            case complete
            case probablyComplete
            case late
        }
        let (effect, found) = self.state.withLockedValue { state -> (Effect, [(Waiter, SocketDescription)]) in
            // Out of the table while it changes, or its lists would be copied.
            guard var open = state.open.removeValue(forKey: id) else { return (.late, []) }
            defer { state.open[id] = open }
            open.bytes += bytes
            var found: [(Waiter, SocketDescription)] = []
            var answer = answer
            if inquiry == .search, case .sockets(let sockets) = answer {
                let searched = open.waiters.reduce(into: [UTF8Text: [Int]]()) { searched, waiter in
                    if let wanted = state.waiters[waiter]?.wanted { searched[wanted, default: []].append(waiter) }
                }
                // Who is only in a room of that name is not meant.
                answer = .sockets(sockets.filter { searched[UTF8Text($0.id)] != nil })
                for socket in sockets {
                    for waiter in searched[UTF8Text(socket.id)] ?? [] {
                        open.waiters.remove(waiter)
                        guard let waiter = state.waiters.removeValue(forKey: waiter) else { continue }
                        found.append((waiter, socket))
                    }
                }
            }
            let effect = open.collection.add(answer)
            if open.collection.isComplete || open.waiters.isEmpty { return (.complete, found) }
            if case .provisional = effect, open.collection.isProbablyComplete { return (.probablyComplete, found) }
            return (.waits, found)
        }
        for (waiter, socket) in found { self.resume([waiter], with: .success(Answers(sockets: [socket]))) }
        switch effect {
        case .waits: break
        case .complete: self.complete(id)
        case .probablyComplete: self.completeSoon(id)
        case .late: self.budget.give(bytes)
        }
    }

    func completeSoon(_ id: UTF8Text) {
        let timer = self.core.eventLoop.scheduleTask(in: Self.provisionalGrace) { [weak self] in
            self?.complete(id) ?? ()
        }
        let old = self.state.withLockedValue { state -> Scheduled<Void>? in
            guard let old = state.open[id]?.grace else {
                state.open[id]?.grace = timer
                return state.open[id] == nil ? timer : nil
            }
            state.open[id]?.grace = timer
            return old
        }
        old?.cancel()
    }

    /// Every node has answered that will.
    func complete(_ id: UTF8Text) {
        self.finish(id) { collection in
            guard let refusal = collection.refusal else { return .success(collection.answers) }
            var error = ClusterError(code: .refused, message: "another node does not answer: \(refusal)")
            error.partialSockets = collection.answers.sockets
            error.partialResponses = collection.answers.values
            return .failure(error)
        }
    }

    /// So many other nodes are alive: ends the questions that only nodes that have gone have not answered.
    func looked(alive: Int) {
        let over = self.state.withLockedValue { state in
            var over: [UTF8Text] = []
            for id in state.open.keys where state.open[id]?.collection.looked(alive: alive) ?? false { over.append(id) }
            return over
        }
        for id in over { self.complete(id) }
    }
}
