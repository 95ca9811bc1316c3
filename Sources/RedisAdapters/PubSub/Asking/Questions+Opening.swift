import NIOConcurrencyHelpers
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// How a question is asked for all who wait by then.
extension Questions {
    /// Counts the nodes, then asks for all who wait by then.
    func begin(_ inquiry: Inquiry) {
        // Ends with Redis's reply, which has a deadline.
        self.core.runTask { [weak self] in await self?.begin(inquiry) }
    }

    func begin(_ inquiry: Inquiry) async {
        let others: Int
        do {
            let deadline = self.core.eventLoop.now + self.core.configuration.requestsTimeout
            others = try await self.counter.count(until: deadline) - 1
        } catch {
            let (_, _, waiters) = self.open(inquiry, expected: 0)
            return self.resume(waiters, with: .failure(error))
        }
        let (question, message, waiters) = self.open(inquiry, expected: others)
        guard let question, let message else { return self.resume(waiters, with: .success(Answers())) }
        do throws(RESPError) {
            try self.core.bus.publish(channel: self.core.channels.request, message: message)
        } catch {
            let failure = ClusterError(error, "\(inquiry.name): the request was not published")
            self.finish(question) { _ in .failure(failure) }
        }
        self.watch.begin()
    }

    /// Opens the question that a group waits for.
    ///
    /// - Returns: The question's id and message; if there is nobody to ask, those who wait.
    func open(_ inquiry: Inquiry, expected: Int) -> (UTF8Text?, ByteBuffer?, [Waiter]) {
        let now = self.core.eventLoop.now
        let (opened, next) = self.state.withLockedValue { state -> ((UTF8Text?, ByteBuffer?, [Waiter]), Start) in
            guard var group = state.groups[inquiry] else { return ((nil, nil, []), .withOthers) }
            group.isStarting = false
            var taken = group.waiters
            if taken.count > Self.mostSearched, inquiry == .search {
                taken = Set(taken.sorted().prefix(Self.mostSearched))
            }
            group.waiters.subtract(taken)
            guard expected > 0, !taken.isEmpty else {
                state.groups[inquiry] = group.isIdle ? nil : group
                let waiters = taken.compactMap { state.waiters.removeValue(forKey: $0) }
                return ((nil, nil, waiters), self.start(inquiry, &state, at: now))
            }
            let requestID = self.core.configuration.makeID()
            let question = UTF8Text(requestID)
            for id in taken { state.waiters[id]?.question = question }
            state.open[question] = Open(
                inquiry: inquiry,
                waiters: taken,
                collection: AnswerCollection(expected: expected)
            )
            let wanted = taken.sorted().compactMap { state.waiters[$0]?.wanted }
            let message = self.message(inquiry, requestID, wanted, group.arguments)
            group.lastStart = now
            group.underWay += 1
            state.groups[inquiry] = group
            return ((question, message, []), self.start(inquiry, &state, at: now))
        }
        self.follow(next, inquiry)
        return opened
    }

    func follow(_ start: Start, _ inquiry: Inquiry) {
        switch start {
        case .now: self.begin(inquiry)
        case .later(let pause): self.beginLater(inquiry, in: pause)
        case .withOthers, .never: break
        }
    }

    func message(
        _ inquiry: Inquiry,
        _ id: String,
        _ wanted: [UTF8Text],
        _ arguments: [JSONValue]
    ) -> ByteBuffer {
        let (encoder, uid) = (self.core.encoder, self.core.uid)
        switch inquiry {
        case .sockets(let options): return encoder.fetchSockets(uid: uid, requestID: id, options: options)
        case .search:
            var options = BroadcastOptions()
            options.rooms.appendNew(wanted.map { Room($0.string) })
            return encoder.fetchSockets(uid: uid, requestID: id, options: options)
        case .rooms: return encoder.allRooms(uid: uid, requestID: id)
        case .serverSideEmit: return encoder.serverSideEmit(uid: uid, requestID: id, arguments: arguments)
        }
    }
}
