import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// What a message did to a node: the clients' events, the rooms, what was answered.
struct Consequences: Equatable, CustomStringConvertible {
    /// Each client's events, in order: whether it is to be acknowledged, then the event.
    var events: [String: [String]] = [:]
    var joined: [String: Set<String>] = [:]
    var left: [String: Set<String>] = [:]
    var disconnected: Set<String> = []
    /// Whose connection was closed with it.
    var closed: Set<String> = []
    /// Events of servers: `[event, argument...]`.
    var serverEvents: [String] = []
    /// Channel and answer, without what differs between two runs.
    var answers: [String] = []

    var description: String {
        var parts: [String] = []
        for name in self.events.keys.sorted() { parts.append("\(name) got \(self.events[name] ?? [])") }
        for name in self.joined.keys.sorted() { parts.append("\(name) joined \(self.joined[name]?.sorted() ?? [])") }
        for name in self.left.keys.sorted() { parts.append("\(name) left \(self.left[name]?.sorted() ?? [])") }
        if !self.disconnected.isEmpty { parts.append("disconnected \(self.disconnected.sorted())") }
        if !self.closed.isEmpty { parts.append("closed \(self.closed.sorted())") }
        if !self.serverEvents.isEmpty { parts.append("servers got \(self.serverEvents)") }
        if !self.answers.isEmpty { parts.append("answered \(self.answers)") }
        return parts.isEmpty ? "nothing" : parts.joined(separator: "; ")
    }
}

/// A namespace with clients in rooms, on paper: it keeps account of what an adapter does to them.
final class RosterHost: AdapterHost {
    struct Member: Sendable {
        var name: String
        var rooms: Set<Room>
        var id: String { Self.id(of: self.name) }

        init(_ name: String, _ rooms: [Room]) {
            self.name = name
            self.rooms = Set(rooms + [Room(Self.id(of: name))])
        }

        static func id(of name: String) -> String {
            let start = "sidOf_\(name)_"
            return start + String(repeating: "0", count: 20 - start.utf8.count)
        }
    }

    private struct State {
        var members: [Member]
        var consequences = Consequences()
    }

    let name: String
    let eventLoop: any EventLoop
    private let state: NIOLockedValueBox<State>

    init(name: String, members: [Member], eventLoop: any EventLoop) {
        self.name = name
        self.eventLoop = eventLoop
        self.state = NIOLockedValueBox(State(members: members))
    }

    var consequences: Consequences { self.state.withLockedValue { $0.consequences } }
    var rooms: Set<Room> { self.state.withLockedValue { $0.members.reduce(into: []) { $0.formUnion($1.rooms) } } }

    private static func isAddressed(_ member: Member, _ options: BroadcastOptions) -> Bool {
        (options.rooms.isEmpty || !member.rooms.isDisjoint(with: options.rooms))
            && member.rooms.isDisjoint(with: options.except)
    }

    private func update(_ options: BroadcastOptions, _ body: (inout Member, inout Consequences) -> Void) {
        self.state.withLockedValue { state in
            for index in state.members.indices where Self.isAddressed(state.members[index], options) {
                body(&state.members[index], &state.consequences)
            }
        }
    }

    private func send(_ event: String, _ options: BroadcastOptions) {
        self.update(options) { member, consequences in consequences.events[member.name, default: []].append(event) }
    }

    // MARK: AdapterHost

    func hasLocalMembers(of room: Room) -> Bool { self.rooms.contains(room) }
    func eventsMayBeMissing() {}

    func deliver(_ packet: EncodedPacket, options: BroadcastOptions) {
        let frames = [String(buffer: packet.text)]
        let attachments = packet.attachments.map { ByteBuffer($0.readableBytesView) }
        self.send(LenientEntry.event(frames[0], attachments), options)
    }

    func deliverWithAck(
        arguments: [JSONValue],
        options: BroadcastOptions,
        timeout: TimeAmount,
        onClientCount: @escaping @Sendable (Int) -> Void,
        onAcknowledgement: @escaping @Sendable (JSONValue?) -> Void
    ) {
        self.send("acknowledged " + LenientEntry.canonical(.array(arguments)), options)
        let names = self.state.withLockedValue { state in
            state.members.filter { Self.isAddressed($0, options) }.map(\.name)
        }
        onClientCount(names.count)
        for name in names { onAcknowledgement(.string("ack-\(name)")) }
    }

    func addLocalSockets(_ options: BroadcastOptions, rooms: [Room]) {
        self.update(options) { member, consequences in
            let new = Set(rooms).subtracting(member.rooms)
            member.rooms.formUnion(new)
            if !new.isEmpty { consequences.joined[member.name, default: []].formUnion(new.map(\.name)) }
        }
    }

    func delLocalSockets(_ options: BroadcastOptions, rooms: [Room]) {
        self.update(options) { member, consequences in
            // A socket can't leave the room of its own id here.
            let old = member.rooms.intersection(rooms).subtracting([Room(member.id)])
            member.rooms.subtract(old)
            if !old.isEmpty { consequences.left[member.name, default: []].formUnion(old.map(\.name)) }
        }
    }

    func disconnectLocalSockets(_ options: BroadcastOptions, closingConnection: Bool) {
        self.update(options) { member, consequences in
            consequences.disconnected.insert(member.name)
            if closingConnection { consequences.closed.insert(member.name) }
        }
    }

    func localSockets(_ options: BroadcastOptions) -> EventLoopFuture<[SocketDescription]> {
        let sockets = self.state.withLockedValue { state in
            state.members.filter { Self.isAddressed($0, options) }.map { member in
                SocketDescription(
                    id: member.id,
                    handshake: .object([:]),
                    rooms: Array(member.rooms),
                    data: ["name": .string(member.name)]
                )
            }
        }
        return self.eventLoop.makeSucceededFuture(sockets)
    }

    func localRooms() -> EventLoopFuture<Set<Room>> { self.eventLoop.makeSucceededFuture(self.rooms) }

    func serverSideEvent(_ arguments: [JSONValue], reply: (@Sendable (JSONValue?) -> Void)?) {
        self.state.withLockedValue { state in
            guard arguments.first != "nolistener" else { return }
            state.consequences.serverEvents.append(LenientEntry.canonical(.array(arguments)))
        }
        if arguments.first == "sseack" { reply?(["got": 1]) }
    }
}
