import DequeModule
import NIOCore
import SocketIOWire

/// The addressees of the last events without a number, which clients that were away can't be sent later.
struct EventHoles {
    private static let mostRemembered = 1024

    private var addressed: [BroadcastOptions] = []
    /// How many there have been.
    private(set) var count: UInt32 = 0

    mutating func append(_ options: BroadcastOptions) {
        if self.addressed.count >= Self.mostRemembered { self.addressed.removeFirst(Self.mostRemembered / 2) }
        self.addressed.append(options)
        self.count &+= 1
    }

    /// Whether a client that is away may have missed such an event.
    func concern(_ ticket: RecoveryTicket) -> Bool {
        let missed = Int(self.count &- ticket.holesSeen)
        guard missed <= self.addressed.count else { return true }
        return self.addressed.suffix(missed).contains { ticket.isAddressed(by: $0, .max) }
    }
}

/// Events of this node that its clients were sent without a number, and that may come into the cluster's log yet.
///
/// When they do, this node's clients are not sent them again: whoever comes in between from another node has never got
/// them.
struct OverdueEvents {
    private static let mostRemembered = 1024

    private var events: Deque<(options: BroadcastOptions, time: NIODeadline)> = []
    /// Until when some are overdue that are not remembered.
    private var othersUntil: NIODeadline?

    /// An event of this node has come, at its place or without one.
    mutating func note(
        _ options: BroadcastOptions,
        isLate: Bool,
        hasPlace: Bool,
        at now: NIODeadline,
        for settings: ConnectionStateRecovery
    ) {
        if isLate { self.came(options) }
        if !hasPlace { self.append(options, at: now, for: settings.maxDisconnectionDuration) }
    }

    private mutating func append(_ options: BroadcastOptions, at now: NIODeadline, for duration: TimeAmount) {
        if self.events.count >= Self.mostRemembered {
            self.events.removeFirst()
            self.othersUntil = now + duration
        }
        self.events.append((options, now))
    }

    /// One has come: those for the same clients come in the order in which they were sent.
    private mutating func came(_ options: BroadcastOptions) {
        guard let index = self.events.firstIndex(where: { $0.options == options }) else { return }
        self.events.remove(at: index)
    }

    /// Whether a client has to be a new one, because it should have got one of them.
    mutating func concern(_ ticket: RecoveryTicket, at now: NIODeadline, for duration: TimeAmount) -> Bool {
        while let first = self.events.first, first.time + duration < now { self.events.removeFirst() }
        guard ticket.isFromElsewhere else { return false }
        if let othersUntil = self.othersUntil, now < othersUntil { return true }
        return self.events.contains { ticket.isAddressed(by: $0.options, .max) }
    }
}
