import EngineIO
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// Clients that are connected when the rules are replaced: they may do what they could do if they logged in now.
extension Gatekeeper {
    /// The event that tells a client what it may do no longer, and what it may do now.
    ///
    /// It has `{removed, added, rooms?}`.
    private static let permissionsEvent = "io:permissions"

    /// For how long at a time a loop works on sockets before it does something else.
    ///
    /// One socket takes some microseconds, so a slice is over well before two milliseconds.
    private static let slice = TimeAmount.milliseconds(1)

    /// Judges every socket of this node by the rules in force, and does what follows.
    ///
    /// Call it when ``RulesInForce/replace(by:)`` has returned. Sockets that connect meanwhile are judged when they
    /// connect.
    func renewSockets() async -> RenewalTally {
        var sockets: [ObjectIdentifier: (loop: any EventLoop, sockets: [(Socket, GatewayNamespace?)])] = [:]
        for (namespace, settings) in self.guardedNamespaces {
            for socket in await namespace.localSockets() {
                let loop = socket.eventLoop
                sockets[ObjectIdentifier(loop), default: (loop, [])].sockets.append((socket, settings))
            }
        }
        let works = sockets.values.map { loop, sockets in
            let judges = RenewalJudges()
            return SlicedWork(sockets, RenewalTally(), on: loop, slice: Self.slice) { entry, tally in
                self.renew(entry.0, entry.1, judges, telling: true, &tally)
            }
        }
        let results = works.map { $0.run() }
        var tally = RenewalTally()
        // A loop that has ended has no sockets left.
        for result in results { tally = tally + ((try? await result.get()) ?? RenewalTally()) }
        return tally
    }

    /// On the loop: judges a socket again that has just connected, if the rules by which it was let in are gone.
    ///
    /// - Returns: Whether it stays.
    func renewIfOutdated(_ socket: Socket, _ namespace: GatewayNamespace?) -> Bool {
        let rules = self.context.rules(for: socket)
        guard socket.mark != Self.mark(of: rules) else { return true }
        var tally = RenewalTally()
        self.renew(socket, namespace, RenewalJudges(), telling: false, &tally)
        return tally.disconnected == 0
    }

    /// Whether clients like that one may do something else than when they were here last.
    ///
    /// How long a client was away is not known. It is no longer than clients may be away.
    func hasChangedLately(_ record: PrincipalRecord, at now: NIODeadline) -> Bool {
        guard let recovery = self.context.server.configuration.connectionStateRecovery else { return false }
        let rules = self.context.rules.value
        let seconds = self.context.now()
        return self.context.rules.former(since: now - recovery.maxDisconnectionDuration).contains { former in
            var judge = SocketJudge(from: former, to: rules, now: seconds)
            return judge.concerns(record)
        }
    }

    /// What a socket that was judged by those rules is marked with.
    static func mark(of rules: Rules) -> UInt32 { UInt32(truncatingIfNeeded: rules.version) }

    /// The namespaces in which the gateway decides who may connect.
    var guardedNamespaces: [(Namespace, GatewayNamespace?)] {
        var namespaces: [(Namespace, GatewayNamespace?)] = [(self.context.main, nil)]
        for settings in self.context.configuration.namespaces where settings.inheritsChecks {
            namespaces.append((self.context.server.of(settings.name), settings))
        }
        return namespaces
    }

    private func renew(
        _ socket: Socket,
        _ namespace: GatewayNamespace?,
        _ judges: RenewalJudges,
        telling: Bool,
        _ tally: inout RenewalTally
    ) {
        let rules = self.context.rules(for: socket)
        guard socket.isConnected, socket.mark != Self.mark(of: rules) else { return }
        let data = socket.data
        guard let record = PrincipalRecord(data) else { return }
        tally.sockets += 1
        let former = self.context.rules.value(version: Int(socket.mark))
        let verdict = judges.judge(
            .init(
                record: record,
                address: data["address"]?.stringValue,
                namespace: namespace,
                own: socket.id.room
            ),
            from: former,
            to: rules,
            now: self.context.now(),
            rooms: { socket.rooms },
            owners: { self.subscriptions.owners(of: $0, $1) }
        )
        socket.mark = Self.mark(of: rules)
        switch verdict {
        case .unchanged: break
        case .expelled(let reason):
            tally.disconnected += 1
            self.context.metrics.expelled(.rulesChanged)
            self.context.expel(socket, reason: reason, closingConnection: namespace == nil)
        case .changed(let change):
            tally.changed += 1
            self.apply(change, to: socket, telling: telling)
        }
    }

    /// On the loop: does what was found about a socket, and tells the client of it.
    func apply(_ change: SocketChange, to socket: Socket, telling: Bool) {
        if let record = change.record {
            socket.updateData { $0 = record.merged(into: $0) }
            self.watchCredentials(of: socket, isNew: false)
        }
        if !change.left.isEmpty { socket.leave(change.left) }
        if !change.joined.isEmpty { socket.join(change.joined) }
        guard telling, let message = change.message else { return }
        socket.emit(Self.permissionsEvent, values: [message])
    }
}

/// The judges of one loop, by the rules by which sockets were let in; usually that is one.
private final class RenewalJudges {
    private var judges: [Int: SocketJudge] = [:]

    func judge(
        _ socket: SocketJudge.Case,
        from old: Rules,
        to new: Rules,
        now: Double,
        rooms: () -> Set<Room>,
        owners: (EntityRef, ContentType) -> [EntityID]?
    ) -> SocketVerdict {
        var judge: SocketJudge
        if let known = self.judges[old.version], known.new.version == new.version {
            judge = known
        } else {
            judge = SocketJudge(from: old, to: new, now: now)
        }
        // While the judge is out of the dictionary, its memory is not copied.
        self.judges[old.version] = nil
        defer { self.judges[old.version] = judge }
        return judge.judge(socket, rooms: rooms, owners: owners)
    }
}
