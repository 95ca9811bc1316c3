import SocketIOWire

/// The answers to one question, and the nodes that are waited for or missing.
///
/// Some answers name their node; those of the official classic adapter don't. An answer must fit the question, and a
/// repeated answer is not counted again. An answer without a name is recognised by its sockets or rooms, because a
/// socket is on one node only, and a node that has a room has a socket. Two empty answers without a name may come from
/// two nodes or from one: they count as two.
struct AnswerCollection {
    /// What was answered so far.
    struct Answers: Sendable {
        var sockets: [SocketDescription] = []
        var rooms: Set<Room> = []
        var values: [JSONValue?] = []
    }

    /// What happened to an answer.
    enum Effect {
        case counted
        /// It was counted before.
        case repeated
        /// It has no list. It counts, but only after a moment, because a complete one may follow.
        case provisional
    }

    private(set) var answers = Answers()
    private(set) var roll: RollCall
    /// Answers without a list.
    private var provisional = 0
    /// Why a node refused to answer.
    private(set) var refusal: String?
    /// The sockets of all answers, and the hashes by which answers with rooms are told apart.
    private var knownSockets: Set<UTF8Text> = []
    private var knownRooms: Set<Int> = []

    init(_ roll: ClusterRoll) { self.roll = RollCall(roll) }

    /// Whether nothing more is waited for.
    var isOver: Bool { self.roll.isOver }
    /// The same, if nodes without a name may be waited for that are silent.
    func isOver(waitsForSilent: Bool) -> Bool { self.roll.isOver(with: 0, waitsForSilent: waitsForSilent) }
    /// Whether nothing more is to be expected from nodes that leave empty lists out.
    var isProbablyOver: Bool { self.provisional > 0 && self.roll.isOver(with: self.provisional) }

    /// Takes an answer.
    ///
    /// - Parameters:
    ///   - answer: The answer.
    ///   - node: Which node answered, if the message says so.
    /// - Returns: What happened to it.
    mutating func add(_ answer: ClusterResponse.Answer, from node: UTF8Text?) -> Effect {
        guard !self.roll.hasHeard(node) else { return .repeated }
        switch answer {
        case .sockets(let sockets):
            guard self.isNew(sockets) || node != nil else { return .repeated }
            self.answers.sockets += sockets
        case .rooms(let rooms):
            let rooms = Set(rooms)
            // The order of a set means nothing, and its hash value knows that.
            let isNew = rooms.isEmpty || self.knownRooms.insert(rooms.hashValue).inserted
            guard isNew || node != nil else { return .repeated }
            self.answers.rooms.formUnion(rooms)
        case .serverSide(let value): self.answers.values.append(value)
        case .refusal(let reason): self.refusal = reason
        case .nothing:
            self.provisional += 1
            return .provisional
        case .clientCount, .acknowledgement: return .repeated
        }
        self.roll.heard(node)
        return .counted
    }

    /// Whether one of the sockets is new, or there is none.
    private mutating func isNew(_ sockets: [SocketDescription]) -> Bool {
        var isNew = sockets.isEmpty
        for socket in sockets where self.knownSockets.insert(UTF8Text(socket.id)).inserted { isNew = true }
        return isNew
    }

    /// These nodes were there when the question had been sent.
    mutating func confirmed(_ roll: ClusterRoll) { self.roll.confirmed(roll) }

    /// These nodes are there now.
    mutating func looked(_ roll: ClusterRoll) { self.roll.looked(roll, provisional: self.provisional) }
}
