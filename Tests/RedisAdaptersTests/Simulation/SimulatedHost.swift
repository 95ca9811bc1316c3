import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// A namespace of a simulated node: members in rooms.
///
/// `@unchecked Sendable`: see ``SimulatedWorld``.
final class SimulatedHost: AdapterHost, @unchecked Sendable {
    let name = "/"
    let node: Int
    private let loop: SimulatedLoop
    private let history: History
    private let forgetsExceptions: Bool
    private var members: [(id: String, rooms: [Room])] = []
    private var observer: (any RoomObserver)?
    /// Confirms that rooms are heard.
    var confirm: ((_ room: Room, _ done: @escaping () -> Void) -> Void)?
    /// Nothing that happens now counts: the node is dead.
    var isDead = false

    var eventLoop: any EventLoop { self.loop }
    private var now: Int64 { self.loop.world.now }

    init(node: Int, loop: SimulatedLoop, history: History, forgetsExceptions: Bool) {
        self.node = node
        self.loop = loop
        self.history = history
        self.forgetsExceptions = forgetsExceptions
    }

    var memberIDs: [String] { self.members.map(\.id) }

    // MARK: Members

    func add(_ id: String) {
        self.members.append((id, []))
        self.join(self.members.count - 1, Room(id))
    }

    func join(_ index: Int, _ room: Room) {
        guard !self.members[index].rooms.contains(room), !self.isDead else { return }
        let isFirst = !self.hasLocalMembers(of: room)
        self.members[index].rooms.append(room)
        let id = self.members[index].id
        if isFirst { self.observer?.roomAppeared(room, isPrivate: room == Room(id)) }
        self.history.stays.append(History.Stay(node: self.node, member: id, room: room, joinedAt: self.now))
        let stay = self.history.stays.count - 1
        self.history.trace.append("\(self.now) \(id) joins \(room)")
        guard let confirm = self.confirm else {
            self.history.stays[stay].sureAt = self.now
            return
        }
        confirm(room) { [history, loop] in history.stays[stay].sureAt = loop.world.now }
    }

    func leave(_ index: Int, _ room: Room) {
        guard let place = self.members[index].rooms.firstIndex(of: room), !self.isDead else { return }
        self.members[index].rooms.remove(at: place)
        let id = self.members[index].id
        for stay in self.history.stays.indices where self.history.stays[stay].leftAt == nil {
            let found = self.history.stays[stay]
            if found.member == id, found.room == room { self.history.stays[stay].leftAt = self.now }
        }
        self.history.trace.append("\(self.now) \(id) leaves \(room)")
        if !self.hasLocalMembers(of: room) { self.observer?.roomVanished(room) }
    }

    private func isIn(_ rooms: [Room], _ options: BroadcastOptions) -> Bool {
        (options.rooms.isEmpty || options.rooms.contains { rooms.contains($0) })
            && (self.forgetsExceptions || !options.except.contains { rooms.contains($0) })
    }

    private func matching(_ options: BroadcastOptions) -> [Int] {
        self.isDead ? [] : self.members.indices.filter { self.isIn(self.members[$0].rooms, options) }
    }

    private func received(_ text: ByteBuffer, _ options: BroadcastOptions) -> [Int] {
        guard !self.isDead else { return [] }
        guard let number = History.event(in: text), self.history.events.indices.contains(number) else {
            self.history.violations.append("node \(self.node) was handed an event that nobody has published")
            return []
        }
        let event = self.history.events[number]
        let matching = self.matching(options)
        for index in matching {
            let (id, rooms) = self.members[index]
            self.history.deliveries.append(History.Delivery(event: number, member: id, time: self.now))
            self.history.trace.append("\(self.now) \(id) gets \(number)")
            let isIn = event.options.rooms.isEmpty || event.options.rooms.contains { rooms.contains($0) }
            if !isIn || event.options.except.contains(where: { rooms.contains($0) }) {
                self.history.violations.append("\(id) got event \(number), which was not for it")
            }
        }
        return matching
    }

    // MARK: AdapterHost

    func hasLocalMembers(of room: Room) -> Bool { self.members.contains { $0.rooms.contains(room) } }

    func observeRooms(_ observer: (any RoomObserver)?) {
        self.observer = observer
        var known: Set<Room> = []
        for (id, rooms) in self.members {
            for room in rooms where known.insert(room).inserted {
                observer?.roomAppeared(room, isPrivate: room == Room(id))
            }
        }
    }

    func deliver(_ packet: EncodedPacket, options: BroadcastOptions) { _ = self.received(packet.text, options) }

    func eventsMayBeMissing() {
        self.history.gaps.append((self.node, self.now))
        self.history.trace.append("\(self.now) node \(self.node) may miss events")
    }

    func deliverWithAck(
        arguments: [JSONValue],
        options: BroadcastOptions,
        timeout: TimeAmount,
        onClientCount: @escaping @Sendable (Int) -> Void,
        onAcknowledgement: @escaping @Sendable (JSONValue?) -> Void
    ) {
        let text = ByteBuffer(string: arguments.last?.stringValue ?? "")
        let matching = self.received(text, options)
        onClientCount(matching.count)
        for index in matching { onAcknowledgement(.string(self.members[index].id)) }
    }

    func addLocalSockets(_ options: BroadcastOptions, rooms: [Room]) {
        for index in self.matching(options) { for room in rooms { self.join(index, room) } }
    }

    func delLocalSockets(_ options: BroadcastOptions, rooms: [Room]) {
        for index in self.matching(options) { for room in rooms { self.leave(index, room) } }
    }

    func disconnectLocalSockets(_ options: BroadcastOptions, closingConnection: Bool) {}

    func localSockets(_ options: BroadcastOptions) -> EventLoopFuture<[SocketDescription]> {
        let sockets = self.matching(options).map { index in
            SocketDescription(
                id: self.members[index].id,
                handshake: .object([:]),
                rooms: self.members[index].rooms,
                data: .object([:])
            )
        }
        return self.loop.makeSucceededFuture(sockets)
    }

    func localRooms() -> EventLoopFuture<Set<Room>> {
        self.loop.makeSucceededFuture(self.members.reduce(into: []) { $0.formUnion($1.rooms) })
    }

    func serverSideEvent(_ arguments: [JSONValue], reply: (@Sendable (JSONValue?) -> Void)?) {
        if !self.isDead { reply?(.string("node-\(self.node)")) }
    }
}
