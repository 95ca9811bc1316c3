import DequeModule
import NIOCore

/// The nodes that wait for this node's answers, in order; those that ask the same wait together.
struct AnswerLine {
    /// A node that waits.
    struct Place: Sendable {
        let asker: ClusterAsker
        /// How long the question was.
        let bytes: Int
        /// When it came.
        let time: NIODeadline
    }

    /// How many questions may wait, and how many bytes of them.
    private static let mostWaiting = 1_024
    private static let mostBytes = 4 * 1024 * 1024

    private var places: [AnswerDesk.Question: [Place]] = [:]
    private var questions = Deque<AnswerDesk.Question>()
    private(set) var count = 0
    private var bytes = 0

    /// Adds a node at the end.
    ///
    /// - Returns: Whether there is room.
    mutating func append(_ place: Place, for question: AnswerDesk.Question) -> Bool {
        guard self.count < Self.mostWaiting, self.bytes + place.bytes <= Self.mostBytes else { return false }
        self.count += 1
        self.bytes += place.bytes
        if self.places[question] == nil { self.questions.append(question) }
        self.places[question, default: []].append(place)
        return true
    }

    /// Takes out the next question; a node that asks the same from now on gets a new answer.
    mutating func next() -> (AnswerDesk.Question, [Place])? {
        guard let question = self.questions.popFirst(), let places = self.places.removeValue(forKey: question) else {
            return nil
        }
        return (question, places)
    }

    /// Takes note that nodes have their answer, or need none any more.
    mutating func answered(_ places: [Place]) {
        self.count -= places.count
        for place in places { self.bytes -= place.bytes }
    }
}
