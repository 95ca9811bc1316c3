import NIOCore
import SocketIOWire

/// The clients of a namespace that this node knows and that may come back, connected or away.
///
/// A value behind the lock of ``NamespaceRecovery``.
struct SessionRegister {
    private var tickets: [SessionID: RecoveryTicket] = [:]
    /// The clients that are away, the longest first.
    private var away = ArrivalQueue<SessionID>()
    /// How many bytes those count as.
    private(set) var bytes = 0
    /// Where clients count as members who are away.
    private let index: NamespaceIndex

    init(index: NamespaceIndex) { self.index = index }

    /// How many are away.
    var awayCount: Int { self.away.count }

    /// The client that has been away for the longest time.
    var longestAway: RecoveryTicket? { self.away.first.flatMap { self.tickets[$0] } }

    /// The clients that are connected.
    var connected: [SessionID] { self.tickets.values.lazy.filter { $0.owner != nil }.map(\.id) }

    subscript(id: SessionID) -> RecoveryTicket? { self.tickets[id] }

    mutating func remember(_ ticket: RecoveryTicket) { self.tickets[ticket.id] = ticket }

    mutating func left(_ ticket: RecoveryTicket) {
        self.away.append(ticket.id)
        self.bytes += ticket.bytes
    }

    mutating func cameBack(_ ticket: RecoveryTicket) {
        if self.away.remove(ticket.id) { self.bytes -= ticket.bytes }
    }

    /// Lets a client count as a member of its rooms, which it is about to leave and may come back to.
    func expect(_ ticket: RecoveryTicket) {
        self.expectNoLonger(ticket)
        ticket.expectedRooms = [ticket.socketID.room] + ticket.rooms
        self.index.expect(ticket.expectedRooms)
    }

    /// Ends that, because the client is in its rooms again or won't come back.
    func expectNoLonger(_ ticket: RecoveryTicket) {
        self.index.expectNoLonger(ticket.expectedRooms)
        ticket.expectedRooms = []
    }

    mutating func forget(_ ticket: RecoveryTicket) {
        guard self.tickets[ticket.id] === ticket else { return }
        self.cameBack(ticket)
        self.expectNoLonger(ticket)
        self.tickets[ticket.id] = nil
    }

    mutating func forgetAll() {
        for ticket in self.tickets.values { self.expectNoLonger(ticket) }
        self.tickets = [:]
        self.away = ArrivalQueue()
        self.bytes = 0
    }
}
