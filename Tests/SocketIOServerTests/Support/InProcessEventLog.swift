import Dispatch
import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer
import SocketIOWire

/// A log and the sessions of a cluster whose nodes are servers of this process, for the main namespace; healthy or ill
/// as the test wants it.
///
/// It holds what ``EventLogAdapter`` demands: one order, own events at their place, sessions that are taken once.
final class InProcessEventLog: Sendable {
    struct Entry: Sendable {
        let offset: EventOffset
        let node: Int
        let packet: EncodedPacket
        let options: BroadcastOptions
        let isRecoverable: Bool
    }

    private struct Waiting: Sendable {
        let node: Int
        let broadcast: Broadcast
        let deliver: @Sendable (EventOffset?) -> Void
        var isExpired = false
    }

    private struct Kept: Sendable {
        /// As texts, as they would be kept elsewhere.
        let text: String
        let isOfficial: Bool
        let claim: UInt64
        let isAway: Bool
        let node: Int
    }

    private struct State: Sendable {
        var entries: [Entry] = []
        var delivers: [EventOffset: @Sendable (EventOffset?) -> Void] = [:]
        var history = "first"
        var last = EventOffset(milliseconds: 1_000, sequence: 0) ?? .start
        /// The last entry that is not there any more.
        var trimmed = EventOffset(milliseconds: 1_000, sequence: 0) ?? .start
        var isSick = false
        var waiting: [Waiting] = []
        var sessions: [SessionID: Kept] = [:]
        var nodes: [Int: Node] = [:]
        var dead: Set<Int> = []
        var frozen: Set<Int> = []
        var writes = 0
        var prolonged: [[SessionID]] = []
        var pages = 0
    }

    private let state = NIOLockedValueBox(State())

    /// Makes the adapter of a node's main namespace; other namespaces are alone.
    func node(_ number: Int) -> any AdapterFactory { Factory(log: self, number: number) }

    private struct Factory: AdapterFactory {
        let log: InProcessEventLog
        let number: Int

        func makeAdapter(for host: any AdapterHost) -> any Adapter {
            guard host.name == "/", let host = host as? any EventLogHost else {
                return InMemoryAdapterFactory().makeAdapter(for: host)
            }
            let node = Node(number: self.number, log: self.log, host: host)
            self.log.state.withLockedValue { $0.nodes[self.number] = node }
            return node
        }
    }

    // MARK: What happens to it

    /// Publishes wait from now on.
    func fallSick() { self.state.withLockedValue { $0.isSick = true } }

    /// The nodes wait no longer for what they have published.
    func expire() async {
        let waiting = self.state.withLockedValue { state in
            defer { for index in state.waiting.indices { state.waiting[index].isExpired = true } }
            return state.waiting.filter { !$0.isExpired }
        }
        for one in waiting { await self.at(one.node) { one.deliver(nil) } }
    }

    /// What waits gets into the log, or is lost.
    func recover(losing isLost: Bool = false) async {
        self.state.withLockedValue { state in
            state.isSick = false
            let waiting = state.waiting
            state.waiting = []
            guard !isLost else { return }
            for one in waiting {
                let offset = Self.append(one.broadcast, one.node, &state)
                if !one.isExpired { state.delivers[offset] = one.deliver }
            }
        }
        await self.settle()
    }

    /// Removes all entries but the last ones.
    func trim(keeping count: Int) {
        self.state.withLockedValue { state in
            guard state.entries.count > count else { return }
            let gone = state.entries.dropLast(count)
            state.trimmed = gone.last?.offset ?? state.trimmed
            state.entries.removeFirst(gone.count)
        }
    }

    /// Other namespaces, of which nobody here hears, add so many entries to the same log.
    func othersAdd(_ count: Int) {
        self.state.withLockedValue { state in
            let (time, sequence) = (state.last.milliseconds + UInt64(count), state.last.sequence)
            state.last = EventOffset(milliseconds: time, sequence: sequence) ?? state.last
        }
    }

    /// Everything but the last entry of the log is gone, whosever it was.
    func trimEverything() { self.state.withLockedValue { $0.trimmed = $0.last } }

    /// The readers tell how far they have read.
    func reach() async {
        let (nodes, last) = self.state.withLockedValue { ($0.nodes, $0.last) }
        for (number, node) in nodes { await self.at(number) { node.host.logReached(last) } }
    }

    /// The log is another one: without the entries behind an offset, which will be given out again.
    func beginAnew(_ history: String, after offset: EventOffset?) async {
        let (nodes, tail) = self.state.withLockedValue { state in
            state.history = history
            state.entries.removeAll { $0.offset > offset ?? .start }
            state.last = offset ?? EventOffset(milliseconds: 1, sequence: 0) ?? .start
            if offset == nil { state.trimmed = state.last }
            for node in state.nodes.values { node.read.withLockedValue { $0 = state.last } }
            return (state.nodes, state.last)
        }
        for (number, node) in nodes { await self.at(number) { node.host.logBegins(history, after: tail) } }
    }

    /// A node is dead to the others, and can't tell them anything.
    func kill(_ node: Int) { self.state.withLockedValue { _ = $0.dead.insert(node) } }

    /// A node's reader stands still, or goes on.
    func freeze(_ node: Int, _ isFrozen: Bool = true) async {
        self.state.withLockedValue { state in
            if isFrozen { state.frozen.insert(node) } else { state.frozen.remove(node) }
        }
        await self.settle()
    }

    /// A node may have missed events.
    func loseTrack(_ node: Int) async {
        guard let host = self.state.withLockedValue({ $0.nodes[node]?.host }) else { return }
        await self.at(node) { host.eventsMayBeMissing() }
    }

    /// A session as a Node.js node keeps it.
    func keep(official session: KeptSession) {
        let kept = Kept(text: session.official.text, isOfficial: true, claim: 0, isAway: true, node: -1)
        self.state.withLockedValue { $0.sessions[session.id] = kept }
    }

    // MARK: What is known of it

    var last: EventOffset { self.state.withLockedValue { $0.last } }
    /// How often sessions were written.
    var writes: Int { self.state.withLockedValue { $0.writes } }
    /// Which sessions were prolonged together.
    var prolonged: [[SessionID]] { self.state.withLockedValue { $0.prolonged } }
    /// How many pages were read.
    var pages: Int { self.state.withLockedValue { $0.pages } }
    var sessionCount: Int { self.state.withLockedValue { $0.sessions.count } }

    /// Waits until every reader has come to the end.
    func settle() async {
        for number in self.state.withLockedValue({ $0.nodes.keys }) { await self.at(number) {} }
    }

    /// Does something in a node's reader, behind all that this reads.
    private func at(_ number: Int, _ body: @escaping @Sendable () -> Void) async {
        guard let node = self.state.withLockedValue({ $0.nodes[number] }) else { return }
        await withCheckedContinuation { continuation in
            node.queue.async {
                node.drain()
                body()
                continuation.resume()
            }
        }
    }

    // MARK: What nodes do

    private static func append(_ broadcast: Broadcast, _ node: Int, _ state: inout State) -> EventOffset {
        let offset = EventOffset(milliseconds: state.last.milliseconds + 1, sequence: 0) ?? state.last
        state.last = offset
        state.entries.append(
            Entry(
                offset: offset,
                node: node,
                packet: broadcast.packet,
                options: broadcast.options,
                isRecoverable: !broadcast.options.flags.isVolatile
            )
        )
        return offset
    }

    private func publish(_ broadcast: Broadcast, from node: Int, _ deliver: @escaping @Sendable (EventOffset?) -> Void)
    {
        let nodes = self.state.withLockedValue { state -> [Node] in
            guard !state.isSick else {
                state.waiting.append(Waiting(node: node, broadcast: broadcast, deliver: deliver))
                return []
            }
            state.delivers[Self.append(broadcast, node, &state)] = deliver
            return Array(state.nodes.values)
        }
        for node in nodes { node.queue.async { node.drain() } }
    }

    /// A node: what it reads, it reads in its queue.
    final class Node: EventLogAdapter {
        let number: Int
        let host: any EventLogHost
        fileprivate let log: InProcessEventLog
        fileprivate let queue: DispatchQueue
        fileprivate let read: NIOLockedValueBox<EventOffset>

        fileprivate init(number: Int, log: InProcessEventLog, host: any EventLogHost) {
            self.number = number
            self.log = log
            self.host = host
            self.queue = DispatchQueue(label: "node \(number)")
            self.read = NIOLockedValueBox(.start)
        }

        private var isDead: Bool { self.log.state.withLockedValue { $0.dead.contains(self.number) } }

        fileprivate func drain() {
            while true {
                let next = self.log.state.withLockedValue {
                    state -> (Entry, (@Sendable (EventOffset?) -> Void)?)? in
                    guard !state.dead.contains(self.number), !state.frozen.contains(self.number) else { return nil }
                    let read = self.read.withLockedValue { $0 }
                    guard let entry = state.entries.first(where: { $0.offset > read }) else { return nil }
                    self.read.withLockedValue { $0 = entry.offset }
                    let deliver = entry.node == self.number ? state.delivers.removeValue(forKey: entry.offset) : nil
                    return (entry, deliver)
                }
                guard let (entry, deliver) = next else { return }
                if let deliver {
                    deliver(entry.offset)
                } else if entry.node == self.number {
                    self.host.arrivedLate(entry.packet, options: entry.options, offset: entry.offset)
                } else {
                    self.host.deliver(entry.packet, options: entry.options, offset: entry.offset)
                }
            }
        }

        func start() async throws {
            let (history, tail) = self.log.state.withLockedValue { ($0.history, $0.last) }
            self.read.withLockedValue { $0 = tail }
            await self.log.at(self.number) { self.host.logBegins(history, after: tail) }
        }

        func close() async { self.log.state.withLockedValue { $0.nodes[self.number] = nil } }

        func publish(_ broadcast: Broadcast, deliver: @escaping @Sendable (EventOffset?) -> Void) {
            self.log.publish(broadcast, from: self.number, deliver)
        }

        /// What is not for the log: volatile events.
        func publish(_ broadcast: Broadcast) {
            for node in self.log.state.withLockedValue({ $0.nodes.values }) where node !== self {
                node.queue.async { node.host.deliver(broadcast.packet, options: broadcast.options, offset: nil) }
            }
        }

        func events(after offset: EventOffset, through end: EventOffset, limit: Int) async throws -> EventPage? {
            // As texts, as they would travel.
            guard let offset = EventOffset(offset.text), let end = EventOffset(end.text) else { return nil }
            return self.log.state.withLockedValue { state in
                state.pages += 1
                guard offset >= state.trimmed, end <= state.last else { return nil }
                let entries = state.entries.filter { $0.offset > offset && $0.offset <= end }.prefix(min(limit, 3))
                let events = entries.filter(\.isRecoverable).map {
                    EventPage.Event(offset: $0.offset, packet: $0.packet, options: $0.options)
                }
                return EventPage(
                    events: events,
                    end: entries.count == min(limit, 3) ? entries.last?.offset ?? end : end
                )
            }
        }

        func keep(_ session: KeptSession, for lifetime: TimeAmount) {
            guard !self.isDead, let record = session.record, let json = session.json else { return }
            let kept = Kept(
                text: json.text,
                isOfficial: false,
                claim: record.claim,
                isAway: record.isAway,
                node: self.number
            )
            self.log.state.withLockedValue { state in
                state.writes += 1
                guard record.isNew || state.sessions[session.id]?.claim == record.claim else { return }
                state.sessions[session.id] = kept
            }
        }

        func prolong(_ sessions: [SessionID], for lifetime: TimeAmount) {
            self.log.state.withLockedValue { $0.prolonged.append(sessions) }
        }

        func forget(_ session: SessionID) {
            guard !self.isDead else { return }
            self.log.state.withLockedValue { $0.sessions[session] = nil }
        }

        func takeSession(_ id: SessionID) async throws -> KeptSession? {
            let taken = self.log.state.withLockedValue { state -> (Kept, Node?)? in
                guard let kept = state.sessions.removeValue(forKey: id) else { return nil }
                let isAsked = !kept.isAway && !state.dead.contains(kept.node) && kept.node != self.number
                return (kept, isAsked ? state.nodes[kept.node] : nil)
            }
            guard let (kept, owner) = taken else { return nil }
            if let owner { return await owner.host.handOver(id) }
            let json = try JSONValue(parsing: ByteBuffer(string: kept.text))
            return kept.isOfficial ? KeptSession(official: json) : KeptSession(json: json)
        }

        // Nobody asks for these here.
        func serverCount() async throws -> Int { 1 }
        func addSockets(_ options: BroadcastOptions, rooms: [Room]) {}
        func delSockets(_ options: BroadcastOptions, rooms: [Room]) {}
        func disconnectSockets(_ options: BroadcastOptions, closingConnection: Bool) {}
        func fetchSockets(_ options: BroadcastOptions, timeout: TimeAmount?) async throws -> [SocketDescription] { [] }
        func allRooms(timeout: TimeAmount?) async throws -> Set<Room> { [] }
        func serverSideEmit(_ arguments: [JSONValue]) {}
        func serverSideEmitWithAck(_ arguments: [JSONValue], timeout: TimeAmount?) async throws -> [JSONValue?] { [] }
        func publishWithAck(
            _ broadcast: Broadcast,
            timeout: TimeAmount,
            onClientCount: @escaping @Sendable (Int) -> Void,
            onAcknowledgement: @escaping @Sendable (JSONValue?) -> Void
        ) async throws -> ClusterAudience { ClusterAudience(nodes: 0) }
    }
}

extension Broadcast {
    fileprivate var packet: EncodedPacket {
        PacketEncoder.event(self.arguments.first?.stringValue ?? "", arguments: Array(self.arguments.dropFirst()))
    }
}

extension JSONValue {
    fileprivate var text: String {
        var writer = ByteBuffer()
        writer.writeJSON(self)
        return String(buffer: writer)
    }
}
