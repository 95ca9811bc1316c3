import NIOCore
import SocketIOServer
import SocketIOWire

/// Answers that are being collected, and when there are enough: a value, without timers.
///
/// The messages don't say whose they are. What can be told is told: an answer must be one to the question, and what was
/// answered before is not counted again. Sockets and rooms tell, because a socket is on one node only, and a node that has
/// a room has a socket. Two empty answers may be two nodes' or one node's: they count as two.
struct AnswerCollection {
    /// What was answered so far.
    struct Answers {
        var sockets: [SocketDescription] = []
        var rooms: Set<Room> = []
        var values: [JSONValue?] = []
    }

    /// What an answer did.
    enum Effect {
        case counted
        /// It was counted before.
        case repeated
        /// It has no list: it counts, but a moment later, because a complete one may follow.
        case provisional
    }

    private(set) var answers = Answers()
    /// How many other nodes there are.
    private(set) var expected: Int
    private(set) var received = 0
    /// Answers without a list.
    private var provisional = 0
    /// Why a node did not tell what it was asked.
    private(set) var refusal: String?
    /// The sockets of all answers, and what tells the answers that name rooms apart.
    private var knownSockets: Set<UTF8Text> = []
    private var knownRooms: Set<Int> = []
    /// Whether anything came since the last look after the nodes.
    private var heardSinceLook = true

    init(expected: Int) { self.expected = expected }

    var isComplete: Bool { self.received >= self.expected }
    /// Whether nothing more is to be expected from nodes that leave empty lists out.
    var isProbablyComplete: Bool { self.received + self.provisional >= self.expected }

    /// Takes an answer.
    mutating func add(_ answer: ClusterResponse.Answer) -> Effect {
        switch answer {
        case .sockets(let sockets):
            guard self.isNew(sockets) else { return .repeated }
            self.answers.sockets += sockets
        case .rooms(let rooms):
            let rooms = Set(rooms)
            // The order of a set means nothing, and its hash value knows that.
            guard rooms.isEmpty || self.knownRooms.insert(rooms.hashValue).inserted else { return .repeated }
            self.answers.rooms.formUnion(rooms)
        case .serverSide(let value): self.answers.values.append(value)
        case .refusal(let reason): self.refusal = reason
        case .nothing:
            self.provisional += 1
            self.heardSinceLook = true
            return .provisional
        case .clientCount, .acknowledgement: return .repeated
        }
        self.received += 1
        self.heardSinceLook = true
        return .counted
    }

    /// Whether one of the sockets is new, or there is none.
    private mutating func isNew(_ sockets: [SocketDescription]) -> Bool {
        var isNew = sockets.isEmpty
        for socket in sockets where self.knownSockets.insert(UTF8Text(socket.id)).inserted { isNew = true }
        return isNew
    }

    /// So many other nodes are alive now.
    ///
    /// A node that has gone will not answer. Answers don't say whose they are, so a node that has gone may have answered
    /// before: only when as many answers are here as nodes live, and none has come since the last look, is it over.
    ///
    /// - Returns: Whether nothing more is to be expected.
    mutating func looked(alive: Int) -> Bool {
        defer { self.heardSinceLook = false }
        guard alive < self.expected, self.received + self.provisional >= alive, !self.heardSinceLook else {
            return false
        }
        self.expected = self.received
        return true
    }
}
