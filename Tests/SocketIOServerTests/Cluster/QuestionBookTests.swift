import NIOCore
import OrderedCollections
import SocketIOWire
import Testing

@testable import SocketIOServer

/// What is asked again, and what is called complete, when nodes come and go while a question is under way.
struct QuestionBookTests {
    /// A book, and what it says, in short.
    private struct Script {
        var book = QuestionBook(namespace: "/", maximumWaiters: 10)
        var now = NIODeadline.uptimeNanoseconds(0)
        private var waiters = 0

        mutating func at(_ milliseconds: Int64) { self.now = .uptimeNanoseconds(0) + .milliseconds(milliseconds) }

        private func text(_ action: QuestionBook.Action) -> String? {
            switch action {
            case .count: return "count"
            case .send(let id, _, _): return "send \(id)"
            case .confirm(let id): return "confirm \(id)"
            case .resolve(let ids, .success(let answers)):
                return "\(ids) get \(answers.sockets.map(\.id).sorted() + answers.values.map { $0?.stringValue ?? "" })"
            case .resolve(let ids, .failure(let error)):
                let codes: [(ClusterError.Code, String)] = [
                    (.timeout, "timeout"), (.incomplete, "incomplete"), (.unreachable, "unreachable"),
                ]
                let code = codes.first { $0.0 == error.code }?.1 ?? "\(error)"
                return "\(ids) \(code), missing \(error.missing.count)"
            case .release, .countTimeout, .silent, .forget: return nil
            }
        }

        private mutating func lines(
            _ body: (inout QuestionBook, NIODeadline, inout [QuestionBook.Action]) -> Void
        ) -> [String] {
            var actions: [QuestionBook.Action] = []
            body(&self.book, self.now, &actions)
            return actions.compactMap(self.text)
        }

        mutating func ask(_ inquiry: Inquiry) -> [String] {
            self.waiters += 1
            let (id, end) = (self.waiters, self.now + .seconds(5))
            return self.lines { $0.ask(id, inquiry, at: $1, until: end, &$2) }
        }

        mutating func counted(_ inquiry: Inquiry, _ roll: ClusterRoll, _ id: String) -> [String] {
            self.lines { $0.counted(inquiry, .success(roll), requestID: id, at: $1, &$2) }
        }

        mutating func confirmed(_ id: UTF8Text, _ roll: Result<ClusterRoll, ClusterError>) -> [String] {
            self.lines { $0.confirmed(id, roll, at: $1, &$2) }
        }

        mutating func looked(_ roll: ClusterRoll) -> [String] {
            self.lines { $0.looked(roll, at: $1, patience: .seconds(1), &$2) }
        }

        mutating func answered(_ id: UTF8Text, _ text: String, by node: UTF8Text?) -> [String] {
            let socket = SocketDescription(id: text, handshake: .object([:]), rooms: [], data: .null)
            let isServer = self.book.open[id]?.inquiry.question == .serverSideEmit
            let answer: ClusterResponse.Answer = isServer ? .serverSide(.string(text)) : .sockets([socket])
            return self.lines { $0.answered(answer, to: id, from: node, bytes: 0, at: $1, &$2) }
        }

        mutating func tick() -> [String] { self.lines { $0.tick(at: $1, &$2) } }
    }

    private static func peer(_ id: UTF8Text) -> ClusterPeer {
        ClusterPeer(nodeID: id, node: ClusterNode(id: id.string), isSilent: false)
    }

    private let sockets = Inquiry.sockets(BroadcastOptions())

    /// A node has died that had answered, and another one is slow: the answer is not complete without it.
    @Test func slowNodeIsWaitedForThoughAnotherOneHasDied() {
        var script = Script()
        let (dead, slow) = (Self.peer("dead"), Self.peer("slow"))
        #expect(script.ask(self.sockets) == ["count"])
        #expect(script.counted(self.sockets, ClusterRoll(peers: [dead, slow]), "q") == ["send q"])
        #expect(script.answered("q", "d", by: "dead") == [])
        for time in [100, 300, 700, 1_500, 2_500] as [Int64] {
            script.at(time)
            #expect(script.looked(ClusterRoll(peers: [slow], absent: [dead])) == [])
        }
        #expect(script.answered("q", "s", by: "slow") == ["[1] get [\"d\", \"s\"]"])
    }

    /// A node that died costs nobody a timeout: it is not waited for as soon as its connection is gone.
    @Test func deadNodeEndsAQuestionAtOnce() {
        var script = Script()
        let (dead, other) = (Self.peer("dead"), Self.peer("other"))
        _ = script.ask(self.sockets)
        _ = script.counted(self.sockets, ClusterRoll(peers: [dead, other]), "q")
        #expect(script.answered("q", "o", by: "other") == [])
        script.at(100)
        #expect(script.looked(ClusterRoll(peers: [other], absent: [dead])) == ["[1] get [\"o\"]"])
        // Not even that if it was gone before the question.
        script.at(5_000)
        _ = script.ask(self.sockets)
        _ = script.counted(self.sockets, ClusterRoll(peers: [other], absent: [dead]), "r")
        #expect(script.answered("r", "o", by: "other") == ["[2] get [\"o\"]"])
    }

    /// One of two nodes without a name is gone: those that are left are asked once more, and only they count.
    @Test func whatIsInDoubtIsAskedAgain() {
        var script = Script()
        _ = script.ask(self.sockets)
        #expect(script.counted(self.sockets, ClusterRoll(nameless: 2), "q") == ["send q", "confirm q"])
        #expect(script.confirmed("q", .success(ClusterRoll(nameless: 2))) == [])
        #expect(script.answered("q", "d", by: nil) == [])
        script.at(300)
        #expect(script.looked(ClusterRoll(nameless: 1)) == ["count"])
        #expect(script.counted(self.sockets, ClusterRoll(nameless: 1), "r") == ["send r", "confirm r"])
        // What the first question still brings counts no more.
        #expect(script.answered("q", "s", by: nil) == [])
        #expect(script.answered("r", "s", by: nil) == [])
        #expect(script.confirmed("r", .success(ClusterRoll(nameless: 1))) == ["[1] get [\"s\"]"])
    }

    /// Whoever comes and goes all the time does not have everybody asked all the time.
    @Test func doubtsHaveAPace() {
        var script = Script()
        _ = script.ask(self.sockets)
        _ = script.counted(self.sockets, ClusterRoll(nameless: 2), "q")
        script.at(10)
        #expect(script.confirmed("q", .success(ClusterRoll(nameless: 1))) == [])
        script.at(249)
        #expect(script.tick() == [])
        script.at(250)
        #expect(script.tick() == ["count"])
        // Nobody is forgotten: the time of whoever waits goes on.
        script.at(5_000)
        #expect(script.tick() == ["[1] timeout, missing 2"])
    }

    /// An event for the servers can't be sent twice: its sender is told that somebody is missing.
    @Test func eventsForServersAreNotSentAgain() {
        var script = Script()
        let inquiry = Inquiry.serverSideEmit(1)
        _ = script.ask(inquiry)
        _ = script.counted(inquiry, ClusterRoll(nameless: 2), "q")
        #expect(script.confirmed("q", .success(ClusterRoll(nameless: 2))) == [])
        #expect(script.answered("q", "x", by: nil) == [])
        script.at(1_500)
        for _ in 0..<3 { #expect(script.looked(ClusterRoll(nameless: 1)) == []) }
        script.at(5_000)
        #expect(script.tick() == ["[1] timeout, missing 1"])
    }

    @Test func countThatCannotBeConfirmedIsAnError() {
        var script = Script()
        _ = script.ask(self.sockets)
        _ = script.counted(self.sockets, ClusterRoll(nameless: 1), "q")
        #expect(script.answered("q", "s", by: nil) == [])
        let error = ClusterError(code: .unreachable, message: "lost")
        #expect(script.confirmed("q", .failure(error)) == ["[1] unreachable, missing 0"])
    }

    /// A node without a name that was silent before gets the time of a usual look, too.
    @Test func silentNodesGetAMoment() {
        var script = Script()
        let roll = ClusterRoll(nameless: 1, silent: 1)
        _ = script.ask(self.sockets)
        _ = script.counted(self.sockets, roll, "q")
        // Whoever is silent is not waited for once somebody else has answered; here there is nobody else.
        #expect(script.confirmed("q", .success(roll)) == [])
        script.at(100)
        #expect(script.looked(roll) == [])
        script.at(1_000)
        #expect(script.looked(roll) == ["[1] incomplete, missing 1"])
    }
}

/// Broadcasts whose clients acknowledge them, when nodes go.
struct AcknowledgementBookTests {
    private static func peer(_ id: UTF8Text) -> ClusterPeer {
        ClusterPeer(nodeID: id, node: ClusterNode(id: id.string), isSilent: false)
    }

    private static func reports(_ actions: [AcknowledgementBook.Action]) -> [Int] {
        actions.compactMap { if case .report(_, let count) = $0 { count } else { nil } }
    }

    private static func book(_ roll: ClusterRoll) -> AcknowledgementBook {
        var book = AcknowledgementBook()
        var actions: [AcknowledgementBook.Action] = []
        book.sent("b", until: .uptimeNanoseconds(0) + .seconds(5))
        book.counted("b", roll, &actions)
        return book
    }

    /// A node that has gone and is known by name reports nothing; one that is slow is waited for.
    @Test func namedNodeThatHasGoneIsNotWaitedFor() {
        let (dead, slow) = (Self.peer("dead"), Self.peer("slow"))
        var book = Self.book(ClusterRoll(peers: [dead, slow]))
        var actions: [AcknowledgementBook.Action] = []
        for _ in 0..<3 { book.looked(ClusterRoll(peers: [slow], absent: [dead]), &actions) }
        #expect(Self.reports(actions) == [0])
        #expect(!book.isIdle)
        // Its report was on the way; the place was taken already.
        book.reported("b", 3, from: "dead", &actions)
        #expect(Self.reports(actions) == [0])
        book.reported("b", 2, from: "slow", &actions)
        #expect(Self.reports(actions) == [0, 2])
        #expect(book.isIdle)
    }

    /// Which one has gone of those without a name, nobody knows.
    @Test func namelessNodesAreWaitedFor() {
        var book = Self.book(ClusterRoll(nameless: 2))
        var actions: [AcknowledgementBook.Action] = []
        book.reported("b", 1, from: nil, &actions)
        for _ in 0..<5 { book.looked(ClusterRoll(nameless: 1), &actions) }
        #expect(Self.reports(actions) == [1])
        #expect(!book.isIdle)
    }

    /// It has got the broadcast, and had lost its connection by the time of the count.
    @Test func whoWasThereBeforeTheCountReports() {
        var book = Self.book(ClusterRoll(absent: [Self.peer("back")]))
        var actions: [AcknowledgementBook.Action] = []
        book.reported("b", 2, from: "back", &actions)
        #expect(Self.reports(actions) == [2])
    }
}
