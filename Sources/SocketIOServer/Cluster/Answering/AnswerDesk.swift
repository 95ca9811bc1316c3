import CoreMetrics
import Logging
import NIOCore
import SocketIOWire

/// Answers the questions of other nodes; on the namespace's loop.
///
/// Everybody who may publish to the broker may ask, as often as they like. So the desk makes a few answers at a time.
/// Questions that wait and ask the same get one answer, which is looked up and written once. The desk refuses answers
/// that are too large, and questions when too many wait. Official nodes read a refusal as an empty answer.
final class AnswerDesk {
    /// What is asked; `nil` for nobody's sockets.
    enum Question: Hashable, Sendable {
        case sockets(BroadcastOptions?)
        case socketIDs(BroadcastOptions?)
        case rooms

        var kind: ClusterResponse.Question { self == .rooms ? .rooms : .sockets }
    }

    /// How many answers are made at a time.
    private static let mostWorkers = 2
    /// Answers that are longer leave one after the other, each when the broker has taken the one before it.
    private static let longBytes = 64 * 1024

    private let context: ClusterContext
    private var line = AnswerLine()
    private var workers = 0
    /// When the long answers that have been given have had their time.
    private var isFreeAt = NIODeadline.uptimeNanoseconds(0)
    /// Set when this node leaves: it answers the nodes that wait, and no others.
    private var ended: EventLoopPromise<Void>?

    init(context: ClusterContext) { self.context = context }

    /// How many questions wait.
    var waiting: Int { self.line.count }

    /// Answers the questions that wait, and then no others.
    ///
    /// - Returns: When that is done.
    func close() -> EventLoopFuture<Void> {
        let ended = self.ended ?? self.context.eventLoop.makePromise(of: Void.self)
        self.ended = ended
        if self.workers == 0 { ended.succeed() }
        return ended.futureResult
    }

    private var isClosing: Bool { self.ended != nil }

    /// Takes a question.
    ///
    /// - Parameters:
    ///   - question: What is asked.
    ///   - asker: The node that asks.
    ///   - byteCount: How long the question was.
    func take(_ question: Question, of asker: ClusterAsker, byteCount: Int) {
        let place = AnswerLine.Place(asker: asker, bytes: byteCount, time: self.context.now)
        guard !self.isClosing else { return self.refuse(question, [place], .leaving) }
        guard self.line.append(place, for: question) else {
            return self.refuse(question, [place], .tooMany)
        }
        guard self.workers < Self.mostWorkers else { return }
        self.workers += 1
        self.work()
    }

    /// Answers the next question, if there is one.
    private func work() {
        guard let (question, places) = self.line.next() else {
            self.workers -= 1
            if self.workers == 0 { self.ended?.succeed() }
            return
        }
        self.answer(question).assumeIsolated().whenComplete { [self] result in
            switch result {
            case .success(let reply?): self.send(self.context.transport.encode(reply), places[...])
            case .success(nil), .failure:
                self.refuse(question, places, .tooLong)
                self.line.answered(places)
                self.work()
            }
        }
    }

    // MARK: Sending

    /// Sends a reply to all nodes that asked: a short one at once, long ones one after the other.
    private func send(_ reply: EncodedReply, _ places: ArraySlice<AnswerLine.Place>) {
        var rest = places
        while let place = rest.popFirst() {
            let isLong = reply.byteCount > Self.longBytes
            // A node that leaves sends no long answers, because it should not take long.
            let isWanted = self.isWaiting(place) && !(isLong && self.isClosing)
            if isWanted, isLong {
                return self.sendLong(reply, to: place) { [self, rest] in
                    self.line.answered([place])
                    self.send(reply, rest)
                }
            }
            if isWanted { self.context.reply(reply, to: place.asker) }
            self.line.answered([place])
        }
        self.work()
    }

    private func sendLong(_ reply: EncodedReply, to place: AnswerLine.Place, then done: @escaping () -> Void) {
        let loop = self.context.eventLoop.assumeIsolated()
        loop.scheduleTask(in: self.pause(for: reply.byteCount)) { [self] in
            guard !self.isClosing else { return done() }
            let timeout = self.context.configuration.requestsTimeout
            self.context.transport.sendLong(reply, to: place.asker, timeout: timeout)
                .hop(to: self.context.eventLoop).assumeIsolated()
                .whenComplete { result in
                    if case .failure(let error) = result {
                        self.context.metrics.unpublished("answer", error: "\(error)")
                    }
                    done()
                }
        }
    }

    /// Whether the asking node may still wait for the answer.
    private func isWaiting(_ place: AnswerLine.Place) -> Bool {
        let patience = TimeAmount.nanoseconds(2 * self.context.configuration.requestsTimeout.nanoseconds)
        return self.context.now <= place.time + patience
    }

    /// How long the asking node needs to read the long answers before this one.
    ///
    /// A broker cuts off a node that falls too far behind.
    private func pause(for bytes: Int) -> TimeAmount {
        let now = self.context.now
        // Four of the largest answers in a second.
        let rate = Double(4 * self.context.configuration.maximumAnswerBytes)
        let start = max(now, self.isFreeAt)
        self.isFreeAt = start + TimeAmount.nanoseconds(Int64(Double(bytes) / rate * 1e9))
        return start - now
    }

    // MARK: Looking up

    /// Looks an answer up.
    ///
    /// - Returns: `nil` if it is too long.
    private func answer(_ question: Question) -> EventLoopFuture<ClusterReply?> {
        let (host, limit) = (self.context.host, self.context.configuration.maximumAnswerBytes)
        switch question {
        case .rooms:
            return host.localRooms().hop(to: self.context.eventLoop).map { rooms in
                // Quotes and a comma at least.
                rooms.reduce(0) { $0 + $1.name.utf8.count + 3 } <= limit ? .rooms(rooms) : nil
            }
        case .socketIDs(let options):
            return self.visit(options, limit: limit, { $0.id.utf8.count + 3 }).map { sockets in
                sockets.map { .socketIDs($0.map(\.id)) }
            }
        case .sockets(let options):
            return self.visit(options, limit: limit, { $0.byteCount }).map { $0.map { .sockets($0) } }
        }
    }

    /// Gathers the matching sockets, as long as all of them together are not too long.
    private func visit(
        _ options: BroadcastOptions?,
        limit: Int,
        _ size: @escaping @Sendable (SocketDescription) -> Int
    ) -> EventLoopFuture<[SocketDescription]?> {
        let loop = self.context.eventLoop
        guard let options else { return loop.makeSucceededFuture([]) }
        let gathered = LoopConfined(Gathered(), on: loop)
        return self.context.host.visitLocalSockets(options) { sockets in
            let gathered = gathered.value
            for socket in sockets where gathered.bytes <= limit {
                gathered.bytes += size(socket)
                gathered.sockets.append(socket)
            }
            return gathered.bytes <= limit
        }.hop(to: loop).map { gathered.value.bytes <= limit ? gathered.value.sockets : nil }
    }

    private final class Gathered {
        var sockets: [SocketDescription] = []
        var bytes = 0
    }

    private func refuse(_ question: Question, _ places: [AnswerLine.Place], _ refusal: ClusterMetrics.Refusal) {
        let reason = self.reason(refusal)
        self.context.metrics.refused(refusal, count: places.count, details: ["error": "\(reason)"])
        self.context.logger.debug("Refused to answer another node", metadata: ["reason": "\(reason)"])
        let reply = self.context.transport.encode(.refusal(of: question.kind, reason: reason))
        for place in places { self.context.reply(reply, to: place.asker) }
    }

    private func reason(_ refusal: ClusterMetrics.Refusal) -> String {
        switch refusal {
        case .leaving: "this node is leaving the cluster"
        case .tooMany: "too many questions are waiting for this node's answers"
        case .tooLong:
            "the answer takes more than \(self.context.configuration.maximumAnswerBytes) bytes; ask for less"
        case .nameless: "the question does not say who asks"
        }
    }
}
