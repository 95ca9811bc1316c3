import NIOCore
import SocketIOServer
import SocketIOWire

/// Answers that are being collected, and when there are enough: a value, without timers.
struct AnswerCollection {
    /// What was answered so far.
    struct Answers {
        var sockets: [SocketDescription] = []
        var rooms: Set<Room> = []
        var values: [JSONValue?] = []
    }

    private(set) var answers = Answers()
    /// How many other nodes there are.
    private(set) var expected: Int
    private(set) var received = 0
    /// Whether anything came since the last look after the nodes.
    private var heardSinceLook = true

    init(expected: Int) { self.expected = expected }

    var isComplete: Bool { self.received >= self.expected }

    /// Takes an answer, if it is one to this kind of question.
    mutating func add(_ body: ClassicResponse.Body) {
        switch body {
        case .sockets(let sockets):
            self.answers.sockets += sockets.map {
                SocketDescription(id: $0.id, handshake: $0.handshake, rooms: $0.rooms, data: $0.data)
            }
        case .rooms(let rooms): self.answers.rooms.formUnion(rooms)
        case .serverSideAnswer(let value): self.answers.values.append(value)
        case .clientCount: break
        case .acknowledgement: return
        }
        self.received += 1
        self.heardSinceLook = true
    }

    /// So many other nodes are alive now.
    ///
    /// A node that has gone will not answer. Answers don't say whose they are, so who is gone may have answered before:
    /// only when as many answers are here as nodes live, and none has come since the last look, is it over.
    ///
    /// - Returns: Whether nothing more is to be expected.
    mutating func looked(alive: Int) -> Bool {
        defer { self.heardSinceLook = false }
        guard alive < self.expected, self.received >= alive, !self.heardSinceLook else { return false }
        self.expected = self.received
        return true
    }
}

/// A broadcast whose clients' acknowledgements are awaited.
struct PendingAcknowledgements {
    let onClientCount: @Sendable (Int) -> Void
    let onAcknowledgement: @Sendable (JSONValue?) -> Void
    /// Nodes' reports; how many there will be is unknown until the nodes are counted.
    var reports: AnswerCollection?
    /// Reports that came before that.
    var earlyReports = 0
}
