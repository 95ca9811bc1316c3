import NIOConcurrencyHelpers
import Synchronization

/// How much all namespaces of a server keep for clients that are away, and which of them has to forget something.
///
/// Everything that a namespace keeps is counted here. When the sum is too large, the namespace that keeps most forgets
/// its oldest event or client, even if another namespace was the last to add one. So a busy namespace takes nothing
/// from the others.
final class RecoveryBudget: Sendable {
    /// What is limited.
    enum Kind: CaseIterable {
        case events, bytes, sessions
    }

    let settings: ConnectionStateRecovery
    private let events: RecoveryQuota
    private let bytes: RecoveryQuota
    private let sessions: RecoveryQuota

    init(_ settings: ConnectionStateRecovery) {
        self.settings = settings
        self.events = RecoveryQuota(limit: settings.maximumEvents)
        self.bytes = RecoveryQuota(limit: settings.maximumBytes)
        self.sessions = RecoveryQuota(limit: settings.maximumSessions)
    }

    /// What all namespaces keep.
    var use: RecoveryUse {
        RecoveryUse(events: self.events.used, bytes: self.bytes.used, sessions: self.sessions.used)
    }

    /// A namespace keeps something else than before; with its lock held.
    func changed(_ recovery: NamespaceRecovery, from old: RecoveryUse, to new: RecoveryUse) {
        self.events.changed(recovery, from: old.events, to: new.events)
        self.bytes.changed(recovery, from: old.bytes, to: new.bytes)
        self.sessions.changed(recovery, from: old.sessions, to: new.sessions)
    }

    /// Has namespaces forget what is too much; with no namespace's lock held.
    func enforce() {
        for kind in Kind.allCases {
            let quota = self.quota(kind)
            while quota.isExceeded, let largest = quota.largest() { largest.forgetOldest(kind) }
        }
    }

    private func quota(_ kind: Kind) -> RecoveryQuota {
        switch kind {
        case .events: self.events
        case .bytes: self.bytes
        case .sessions: self.sessions
        }
    }
}

/// What is kept for clients that are away.
struct RecoveryUse: Equatable {
    var events = 0
    /// Of the events, and of the clients' rooms and data.
    var bytes = 0
    var sessions = 0
}

/// One limit that namespaces share, and which of them has used how much of it.
///
/// They are sorted by the size of what they use, in powers of two: to count costs an addition, and now and then a
/// change of the class; to find one that uses most, or half of that, costs the same however many there are.
final class RecoveryQuota: Sendable {
    /// A namespace's part, which gives back what it has when it goes.
    private struct Member: Sendable {
        weak var recovery: NamespaceRecovery?
    }

    private struct State {
        /// Those that use 1, 2 to 3, 4 to 7 and so on; in each class, the one whose turn was longest ago comes first.
        var classes = Array(repeating: ArrivalQueue<ObjectIdentifier>(), count: Int.bitWidth + 1)
        var members: [ObjectIdentifier: Member] = [:]
    }

    private let limit: Int
    private let total = Atomic<Int>(0)
    private let state = NIOLockedValueBox(State())

    init(limit: Int) { self.limit = limit }

    var used: Int { self.total.load(ordering: .relaxed) }
    var isExceeded: Bool { self.used > self.limit }

    func changed(_ recovery: NamespaceRecovery, from old: Int, to new: Int) {
        guard old != new else { return }
        self.total.wrappingAdd(new - old, ordering: .relaxed)
        let (before, after) = (Self.sizeClass(of: old), Self.sizeClass(of: new))
        guard before != after else { return }
        let id = ObjectIdentifier(recovery)
        self.state.withLockedValue { state in
            state.classes[before].remove(id)
            if after > 0 {
                state.classes[after].append(id)
                state.members[id] = Member(recovery: recovery)
            } else {
                state.members[id] = nil
            }
        }
    }

    /// A namespace of those that use most; not always the same one.
    func largest() -> NamespaceRecovery? {
        self.state.withLockedValue { state in
            guard let index = state.classes.lastIndex(where: { !$0.isEmpty }), let id = state.classes[index].first
            else { return nil }
            state.classes[index].remove(id)
            state.classes[index].append(id)
            return state.members[id]?.recovery
        }
    }

    private static func sizeClass(of amount: Int) -> Int {
        amount > 0 ? Int.bitWidth - amount.leadingZeroBitCount : 0
    }
}
