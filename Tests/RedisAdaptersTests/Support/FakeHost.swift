import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import SocketIOServer
import SocketIOWire

/// A namespace with sockets that exist on paper.
final class FakeHost: AdapterHost {
    struct FakeSocket: Sendable {
        var name: String
        var description: SocketDescription
    }

    /// What the adapter did to the namespace.
    enum Call: Equatable, Sendable {
        case deliver(String, [[UInt8]], BroadcastOptions)
        case deliverWithAck([JSONValue], BroadcastOptions, TimeAmount)
        case join(BroadcastOptions, [Room])
        case leave(BroadcastOptions, [Room])
        case disconnect(BroadcastOptions, closing: Bool)
        case describe(BroadcastOptions)
        case serverSide([JSONValue], wantsReply: Bool)
    }

    private struct State {
        var calls: [Call] = []
        var sockets: [FakeSocket] = []
        var rooms: Set<Room> = []
        var acknowledgements: [JSONValue?] = []
        var serverSideAnswers: [JSONValue?] = []
        var lookups = 0
        var gaps = 0
        /// Those who ask about sockets, while they have to wait.
        var held: [EventLoopPromise<Void>]?
    }

    let name: String
    let eventLoop: any EventLoop
    private let state = NIOLockedValueBox(State())

    init(name: String = "/", eventLoop: any EventLoop = NIOAsyncTestingEventLoop()) {
        self.name = name
        self.eventLoop = eventLoop
    }

    var calls: [Call] { self.state.withLockedValue { $0.calls } }
    /// How often it was asked for members of a room.
    var lookups: Int { self.state.withLockedValue { $0.lookups } }

    /// Lets whoever asks about sockets wait.
    func hold(_ isHolding: Bool) {
        let held = self.state.withLockedValue { state in
            defer { state.held = isHolding ? [] : nil }
            return state.held ?? []
        }
        for promise in held { promise.succeed() }
    }

    private func waitWhileHeld() -> EventLoopFuture<Void> {
        let promise = self.eventLoop.makePromise(of: Void.self)
        let isHeld = self.state.withLockedValue { state in
            state.held?.append(promise)
            return state.held != nil
        }
        if !isHeld { promise.succeed() }
        return promise.futureResult
    }

    /// How often it was told that events may be missing.
    var gaps: Int { self.state.withLockedValue { $0.gaps } }

    func add(_ sockets: [FakeSocket]) {
        self.state.withLockedValue { state in
            state.sockets += sockets
            for socket in sockets { state.rooms.formUnion(socket.description.rooms) }
        }
    }

    /// What clients will acknowledge with, in this order.
    func acknowledge(with values: [JSONValue?]) { self.state.withLockedValue { $0.acknowledgements = values } }

    /// What a server-side event will be answered with; more than one to answer again.
    func answerServerSide(with values: [JSONValue?]) { self.state.withLockedValue { $0.serverSideAnswers = values } }

    func names(_ options: BroadcastOptions) -> [String] {
        self.matching(options).map(\.name)
    }

    private func matching(_ options: BroadcastOptions) -> [FakeSocket] {
        self.state.withLockedValue { state in
            state.sockets.filter { socket in
                let rooms = Set(socket.description.rooms)
                return (options.rooms.isEmpty || !rooms.isDisjoint(with: options.rooms))
                    && rooms.isDisjoint(with: options.except)
            }
        }
    }

    private func log(_ call: Call) { self.state.withLockedValue { $0.calls.append(call) } }

    // MARK: AdapterHost

    func hasLocalMembers(of room: Room) -> Bool {
        self.state.withLockedValue { state in
            state.lookups += 1
            return state.rooms.contains(room)
        }
    }

    func deliver(_ packet: EncodedPacket, options: BroadcastOptions) {
        self.log(
            .deliver(String(buffer: packet.text), packet.attachments.map { Array($0.readableBytesView) }, options)
        )
    }

    func eventsMayBeMissing() { self.state.withLockedValue { $0.gaps += 1 } }

    func deliverWithAck(
        arguments: [JSONValue],
        options: BroadcastOptions,
        timeout: TimeAmount,
        onClientCount: @escaping @Sendable (Int) -> Void,
        onAcknowledgement: @escaping @Sendable (JSONValue?) -> Void
    ) {
        self.log(.deliverWithAck(arguments, options, timeout))
        onClientCount(self.matching(options).count)
        for value in self.state.withLockedValue({ $0.acknowledgements }) { onAcknowledgement(value) }
    }

    func addLocalSockets(_ options: BroadcastOptions, rooms: [Room]) { self.log(.join(options, rooms)) }
    func delLocalSockets(_ options: BroadcastOptions, rooms: [Room]) { self.log(.leave(options, rooms)) }
    func disconnectLocalSockets(_ options: BroadcastOptions, closingConnection: Bool) {
        self.log(.disconnect(options, closing: closingConnection))
    }

    func localSockets(_ options: BroadcastOptions) -> EventLoopFuture<[SocketDescription]> {
        self.waitWhileHeld().map {
            // Not a question but a way to wait until earlier commands were carried out.
            if options.rooms != ["\u{0}"] { self.log(.describe(options)) }
            return self.matching(options).map(\.description)
        }
    }

    func localRooms() -> EventLoopFuture<Set<Room>> {
        self.eventLoop.makeSucceededFuture(self.state.withLockedValue { $0.rooms })
    }

    func serverSideEvent(_ arguments: [JSONValue], reply: (@Sendable (JSONValue?) -> Void)?) {
        self.log(.serverSide(arguments, wantsReply: reply != nil))
        guard let reply else { return }
        for value in self.state.withLockedValue({ $0.serverSideAnswers }) { reply(value) }
    }
}
