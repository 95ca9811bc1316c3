import DequeModule
package import NIOCore

/// Rosters: channels of one owner that come and go, each confirmed by itself.
extension SubscriptionTable {
    struct Roster {
        let kind: RESPSubscriptionKind
        /// What a name has that nobody shares: all of them hold the same two arrays.
        let owners: Owners
        var members: [ByteBuffer: Member] = [:]
        /// What the next ``SubscriptionTable/commands(ofRoster:isConnected:)`` asks for, and what it leaves.
        var joining: [ByteBuffer] = []
        var leaving: [ByteBuffer] = []
    }

    struct Member {
        /// The command that asks for it on the connection of now; 0 is none.
        var command = 0
        var isHeard = false
        /// Whether Redis granted it before.
        var wasHeard = false
    }

    /// A command that asks for names of a roster.
    struct RosterCommand {
        let number: Int
        let roster: Int
        let names: ArraySlice<ByteBuffer>
        /// Whether a new connection waits for it.
        let isRestoring: Bool
        var next: Int
    }

    // MARK: Owners

    /// Adds a roster without names.
    package mutating func addRoster(_ id: Int, kind: RESPSubscriptionKind, handler: Handler) {
        var owners = Owners()
        owners.add(id, handler)
        self.rosters[id] = Roster(kind: kind, owners: owners)
    }

    /// Adds a name, to be asked for with the next ``commands(ofRoster:isConnected:)``.
    ///
    /// - Returns: Whether Redis has confirmed it already.
    package mutating func insert(_ name: ByteBuffer, intoRoster id: Int) -> Bool {
        guard let kind = self.rosters[id]?.kind, let own = self.rosters[id]?.owners else { return false }
        if let member = self.rosters[id]?.members[name] { return member.isHeard }
        self.rosters[id]?.members[name] = Member()
        self.rosters[id]?.joining.append(name)
        if self.owners[kind][name] == nil {
            self.owners[kind][name] = own
        } else if let handler = own.handlers.first {
            self.owners[kind][name]?.add(id, handler)
        }
        return false
    }

    /// Removes a name, to be left with the next ``commands(ofRoster:isConnected:)``.
    ///
    /// Between an insertion and a removal of a name its commands are taken.
    package mutating func remove(_ name: ByteBuffer, fromRoster id: Int) {
        guard let kind = self.rosters[id]?.kind, self.rosters[id]?.members.removeValue(forKey: name) != nil else {
            return
        }
        if self.isLast(id, of: name, kind) { self.rosters[id]?.leaving.append(name) }
    }

    /// Removes a roster with all its names.
    package mutating func removeRoster(_ id: Int, isConnected: Bool) -> ByteBuffer {
        guard let names = self.rosters[id]?.members.keys else { return ByteBuffer() }
        for name in Array(names) { self.remove(name, fromRoster: id) }
        defer { self.rosters[id] = nil }
        return self.commands(ofRoster: id, isConnected: isConnected)
    }

    /// The commands for everything that was inserted and removed since the last time.
    package mutating func commands(ofRoster id: Int, isConnected: Bool) -> ByteBuffer {
        // Not the roster as a whole: its members would be copied.
        guard let kind = self.rosters[id]?.kind, let joining = self.rosters[id]?.joining,
            let leaving = self.rosters[id]?.leaving
        else { return ByteBuffer() }
        self.rosters[id]?.joining = []
        self.rosters[id]?.leaving = []
        var bytes = ByteBuffer()
        guard isConnected else { return bytes }
        for names in Self.batches(joining, kind) { self.ask(names, of: id, kind, isRestoring: false, &bytes) }
        for names in Self.batches(leaving, kind) {
            self.expected.append(.departures(kind, Array(names), next: 0))
            bytes.writeCommand(kind.unsubscribeCommand, names)
        }
        return bytes
    }

    // MARK: Connection

    /// Asks for all names again on a new connection.
    mutating func restoreRosters() -> ByteBuffer {
        var bytes = ByteBuffer()
        self.restoringNames = 0
        for (id, roster) in self.rosters.sorted(by: { $0.key < $1.key }) {
            self.rosters[id]?.joining = []
            self.rosters[id]?.leaving = []
            for names in Self.batches(Array(roster.members.keys), roster.kind) {
                self.restoringNames += names.count
                self.ask(names, of: id, roster.kind, isRestoring: true, &bytes)
            }
        }
        return bytes
    }

    mutating func forgetConfirmedNames() {
        self.restoringNames = 0
        self.rosters = self.rosters.mapValues { roster in
            var roster = roster
            roster.members = roster.members.mapValues { Member(wasHeard: $0.wasHeard) }
            return roster
        }
    }

    /// A name of a roster was confirmed.
    mutating func confirmed(_ command: RosterCommand) -> Event {
        let name = command.names[command.next]
        if command.isRestoring { self.restoringNames -= 1 }
        var command = command
        command.next += 1
        if command.next == command.names.endIndex {
            self.expected.removeFirst()
        } else {
            self.expected[0] = .names(command)
        }
        // Not if it has left since, and come again maybe: then another command asks for it.
        guard self.rosters[command.roster]?.members[name]?.command == command.number else { return .none }
        self.rosters[command.roster]?.members[name] = Member(command: command.number, isHeard: true, wasHeard: true)
        return .heard(roster: command.roster, name)
    }

    /// Redis has ended the subscription of a name by itself, or granted it again.
    ///
    /// - Returns: The rosters that have it.
    mutating func setHeard(_ isHeard: Bool, _ name: ByteBuffer, _ kind: RESPSubscriptionKind) -> [Int] {
        let ids = (self.owners[kind][name]?.ids ?? []).filter { self.rosters[$0]?.members[name] != nil }
        for id in ids { self.rosters[id]?.members[name]?.isHeard = isHeard }
        return ids
    }

    /// Redis refused the names of a command, which is not expected any more.
    mutating func refused(_ command: RosterCommand, _ error: RESPError) -> Event {
        guard !error.isNotExecuted else { return .unserved(error) }
        guard let kind = self.rosters[command.roster]?.kind else {
            if command.isRestoring { self.restoringNames -= command.names.count }
            return .none
        }
        guard command.names.count == 1, let name = command.names.first else {
            // One of them is refused, or all: each speaks for itself.
            var bytes = ByteBuffer()
            for index in command.names.indices {
                let isWanted = self.rosters[command.roster]?.members[command.names[index]]?.command == command.number
                if isWanted {
                    let names = command.names[index...index]
                    self.ask(names, of: command.roster, kind, isRestoring: command.isRestoring, &bytes)
                } else if command.isRestoring {
                    self.restoringNames -= 1
                }
            }
            return .askedAgain(bytes)
        }
        if command.isRestoring { self.restoringNames -= 1 }
        guard let member = self.rosters[command.roster]?.members[name], member.command == command.number else {
            return .none
        }
        guard !member.wasHeard else { return .unserved(error) }
        self.rosters[command.roster]?.members[name] = nil
        _ = self.isLast(command.roster, of: name, kind)
        return .refusedName(roster: command.roster, name, error)
    }

    private mutating func ask(
        _ names: ArraySlice<ByteBuffer>,
        of id: Int,
        _ kind: RESPSubscriptionKind,
        isRestoring: Bool,
        _ bytes: inout ByteBuffer
    ) {
        self.nextNumber += 1
        let command = RosterCommand(
            number: self.nextNumber,
            roster: id,
            names: names,
            isRestoring: isRestoring,
            next: names.startIndex
        )
        for name in names { self.rosters[id]?.members[name]?.command = command.number }
        self.expected.append(.names(command))
        bytes.writeCommand(kind.subscribeCommand, names)
    }
}
