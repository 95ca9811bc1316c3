import CoreMetrics
import DequeModule
import Logging
import NIOConcurrencyHelpers
import NIOCore
import RESP
import SocketIOServer
import SocketIOWire

/// Answers the questions of other nodes: a few at a time, equal ones together, and none with more than fits.
///
/// Whoever may publish to Redis may ask, as often as it likes. Questions that ask the same and are waiting get one answer,
/// which is looked up and written once. What is too large, or too much at once, is refused in a form that official nodes
/// take for an empty answer.
final class AnswerDesk: Sendable {
    /// What is asked; `nil` for nobody's sockets.
    enum Question: Hashable, Sendable {
        case sockets(BroadcastOptions?)
        case socketIDs(BroadcastOptions?)
        case rooms

        fileprivate var kind: ClusterResponse.Question { self == .rooms ? .rooms : .sockets }
    }

    /// Who asks.
    struct Asker: Sendable {
        let uid: UTF8Text?
        let requestID: JSONValue?
        /// How many bytes the question was.
        let bytes: Int
        /// When it came.
        let time: NIODeadline
    }

    private struct State {
        /// Those who wait, by what they ask; and what is asked, in order.
        var askers: [Question: [Asker]] = [:]
        var questions = Deque<Question>()
        var waiting = 0
        var waitingBytes = 0
        var workers = 0
        /// When the large answers that have been given have had their time.
        var isFreeAt = NIODeadline.uptimeNanoseconds(0)
    }

    /// How many answers are made at a time.
    private static let mostWorkers = 2
    /// How many questions may wait, and how many bytes of them.
    private static let mostWaiting = 1_024
    private static let mostWaitingBytes = 4 * 1024 * 1024
    /// An answer that is longer has to wait until Redis has it, and until those before it have had their time.
    private static let largeBytes = 64 * 1024

    private let core: AdapterCore
    private let state = NIOLockedValueBox(State())

    init(core: AdapterCore) { self.core = core }

    /// Takes a question.
    ///
    /// - Parameters:
    ///   - question: What is asked.
    ///   - asker: Who asks.
    func take(_ question: Question, of asker: Asker) {
        let (isTaken, isWorkerNeeded) = self.state.withLockedValue { state in
            guard state.waiting < Self.mostWaiting, state.waitingBytes + asker.bytes <= Self.mostWaitingBytes else {
                return (false, false)
            }
            state.waiting += 1
            state.waitingBytes += asker.bytes
            if state.askers[question] == nil { state.questions.append(question) }
            state.askers[question, default: []].append(asker)
            guard state.workers < Self.mostWorkers else { return (true, false) }
            state.workers += 1
            return (true, true)
        }
        if isWorkerNeeded { self.core.runTask { [weak self] in await self?.work() } }
        if !isTaken { self.refuse(question, [asker], "too many questions are waiting for this node's answers") }
    }

    /// Answers until nobody waits.
    private func work() async {
        while let (question, askers) = self.next() {
            await self.answer(question, askers)
            self.state.withLockedValue { state in
                state.waiting -= askers.count
                for asker in askers { state.waitingBytes -= asker.bytes }
            }
        }
    }

    /// The next question; who asks the same from now on gets another answer, because things may change meanwhile.
    private func next() -> (Question, [Asker])? {
        self.state.withLockedValue { state in
            guard let question = state.questions.popFirst(), let askers = state.askers.removeValue(forKey: question)
            else {
                state.workers -= 1
                return nil
            }
            return (question, askers)
        }
    }

    private func answer(_ question: Question, _ askers: [Asker]) async {
        guard let answer = await self.answer(question) else {
            let limit = self.core.configuration.maximumAnswerBytes
            return self.refuse(question, askers, "the answer takes more than \(limit) bytes; ask for less")
        }
        for asker in askers where self.isWaiting(asker) {
            let response = answer(asker.requestID)
            if response.readableBytes <= Self.largeBytes {
                self.core.respond(response, to: asker.uid)
            } else {
                await self.pace(response.readableBytes)
                // Nobody waits long for a node that leaves.
                if self.core.isClosed { return }
                await self.core.respondAndWait(response, to: asker.uid)
            }
        }
    }

    /// Whether it can be that somebody waits for the answer.
    private func isWaiting(_ asker: Asker) -> Bool {
        let patience = TimeAmount.nanoseconds(2 * self.core.configuration.requestsTimeout.nanoseconds)
        return self.core.eventLoop.now <= asker.time + patience
    }

    /// Lets the asking node read what it was sent before: Redis cuts off who falls behind too far.
    private func pace(_ bytes: Int) async {
        let now = self.core.eventLoop.now
        // Four of the largest answers in a second.
        let rate = Double(4 * self.core.configuration.maximumAnswerBytes)
        let time = TimeAmount.nanoseconds(Int64(Double(bytes) / rate * 1e9))
        let pause = self.state.withLockedValue { state in
            let start = max(now, state.isFreeAt)
            state.isFreeAt = start + time
            return start - now
        }
        guard pause > .zero else { return }
        try? await self.core.eventLoop.scheduleTask(in: pause) {}.futureResult.get()
    }

    /// Looks an answer up.
    ///
    /// - Returns: The answer for the id of a request; `nil` if it is too large.
    private func answer(_ question: Question) async -> ((JSONValue?) -> ByteBuffer)? {
        let (host, encoder, limit) = (self.core.host, self.core.encoder, self.core.configuration.maximumAnswerBytes)
        switch question {
        case .rooms:
            let rooms = await host.localRooms()
            // Quotes and a comma at least.
            guard rooms.reduce(0, { $0 + $1.name.utf8.count + 3 }) <= limit else { return nil }
            return { encoder.allRooms(requestID: $0, rooms: rooms) }
        case .socketIDs(let options):
            guard let options else { return { encoder.socketIDs(requestID: $0, ids: []) } }
            var ids: [String] = []
            var bytes = 0
            await host.visitLocalSockets(options) { sockets in
                for socket in sockets {
                    ids.append(socket.id)
                    bytes += socket.id.utf8.count + 3
                }
                return bytes <= limit
            }
            return bytes <= limit ? { [ids] in encoder.socketIDs(requestID: $0, ids: ids) } : nil
        case .sockets(let options):
            var list = ByteBuffer()
            if let options {
                await host.visitLocalSockets(options) { sockets in
                    for socket in sockets where list.readableBytes <= limit {
                        encoder.append(socket, to: &list)
                    }
                    return list.readableBytes <= limit
                }
            }
            return list.readableBytes <= limit ? { [list] in encoder.sockets(requestID: $0, sockets: list) } : nil
        }
    }

    private func refuse(_ question: Question, _ askers: [Asker], _ reason: String) {
        self.core.metrics.answersRefused.increment(by: askers.count)
        self.core.logger.debug("Refused to answer another node", metadata: ["reason": "\(reason)"])
        for asker in askers {
            let refusal = self.core.encoder.refusal(requestID: asker.requestID, of: question.kind, reason: reason)
            self.core.respond(refusal, to: asker.uid)
        }
    }
}
