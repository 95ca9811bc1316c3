import NIOConcurrencyHelpers
import NIOCore
import SocketIOWire

/// The questions of this node about sessions that other nodes have not ended yet, and the answers being made here.
final class SessionHandovers: Sendable {
    /// How many questions of other nodes are dealt with at a time; further ones get no answer.
    static let mostAnswers = 1_000

    private struct State {
        var waiting: [UTF8Text: EventLoopPromise<ByteBuffer?>] = [:]
        var answering = 0
    }

    private let state = NIOLockedValueBox(State())

    func wait(for requestID: UTF8Text, _ promise: EventLoopPromise<ByteBuffer?>) {
        self.state.withLockedValue { $0.waiting[requestID] = promise }
    }

    /// Takes an answer; only the first one counts.
    func answered(_ requestID: UTF8Text, _ result: Result<ByteBuffer?, any Error>) {
        let promise = self.state.withLockedValue { $0.waiting.removeValue(forKey: requestID) }
        promise?.completeWith(result)
    }

    /// - Returns: Whether there is room for one more.
    func beginAnswer() -> Bool {
        self.state.withLockedValue { state in
            guard state.answering < Self.mostAnswers else { return false }
            state.answering += 1
            return true
        }
    }

    func endAnswer() { self.state.withLockedValue { $0.answering -= 1 } }
}
