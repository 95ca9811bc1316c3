import NIOConcurrencyHelpers
import NIOCore
import OrderedCollections
import SocketIOServer
import SocketIOWire

/// A namespace whose clients may come back, on paper: it keeps account of what the log tells it.
final class LogHost: EventLogHost {
    private struct State {
        var lines: [String] = []
        var gaps = 0
        var reached: String?
        var sessions: [SessionID: KeptSession] = [:]
        /// Keeps those waiting who ask about sessions.
        var answers: AsyncStream<Void>?
        var silence: AsyncStream<Void>.Continuation?
    }

    let name: String
    let eventLoop: any EventLoop
    let keepsEvents = true
    private let state = NIOLockedValueBox(State())

    init(name: String = "/", eventLoop: any EventLoop) {
        self.name = name
        self.eventLoop = eventLoop
    }

    /// What happened, in order: `begins history offset`, `own 1-0 text`, `got 1-0 text`, `late 1-0 text`.
    var lines: [String] { self.state.withLockedValue { $0.lines } }
    /// How often it was told that events may be missing.
    var gaps: Int { self.state.withLockedValue { $0.gaps } }

    /// How far its log was read, by the last word of the reader.
    var reached: String? { self.state.withLockedValue { $0.reached } }

    func forget() { self.state.withLockedValue { $0.lines = [] } }

    func note(_ line: String) { self.state.withLockedValue { $0.lines.append(line) } }

    /// Gives a session away when another node has taken it.
    func give(_ session: KeptSession) { self.state.withLockedValue { $0.sessions[session.id] = session } }

    /// Answers no question about sessions any more.
    func fallSilent() {
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        self.state.withLockedValue { state in
            state.silence = continuation
            state.answers = stream
        }
    }

    static func text(_ offset: EventOffset?) -> String { offset.map { $0.text } ?? "-" }

    // MARK: EventLogHost

    func logBegins(_ history: String, after tail: EventOffset) { self.note("begins \(history) \(tail.text)") }

    func logReached(_ offset: EventOffset) { self.state.withLockedValue { $0.reached = offset.text } }

    func deliver(_ packet: EncodedPacket, options: BroadcastOptions, offset: EventOffset?) {
        self.note("got \(Self.text(offset)) \(String(buffer: packet.text))")
    }

    func arrivedLate(_ packet: EncodedPacket, options: BroadcastOptions, offset: EventOffset) {
        self.note("late \(offset.text) \(String(buffer: packet.text))")
    }

    func handOver(_ session: SessionID) async -> KeptSession? {
        self.note("hands over")
        if let answers = self.state.withLockedValue({ $0.answers }) { for await _ in answers {} }
        return self.state.withLockedValue { $0.sessions.removeValue(forKey: session) }
    }

    // MARK: AdapterHost

    func hasLocalMembers(of room: Room) -> Bool { false }
    func deliver(_ packet: EncodedPacket, options: BroadcastOptions) {
        self.note("plain \(String(buffer: packet.text))")
    }
    func eventsMayBeMissing() { self.state.withLockedValue { $0.gaps += 1 } }

    func deliverWithAck(
        arguments: [JSONValue],
        options: BroadcastOptions,
        timeout: TimeAmount,
        onClientCount: @escaping @Sendable (Int) -> Void,
        onAcknowledgement: @escaping @Sendable (JSONValue?) -> Void
    ) {
        self.note("asked \(JSONValue.array(arguments))")
        onClientCount(0)
    }

    func addLocalSockets(_ options: BroadcastOptions, rooms: [Room]) { self.note("joins \(rooms)") }
    func delLocalSockets(_ options: BroadcastOptions, rooms: [Room]) { self.note("leaves \(rooms)") }
    func disconnectLocalSockets(_ options: BroadcastOptions, closingConnection: Bool) { self.note("disconnects") }

    func localSockets(_ options: BroadcastOptions) -> EventLoopFuture<[SocketDescription]> {
        self.eventLoop.makeSucceededFuture([])
    }

    func localRooms() -> EventLoopFuture<Set<Room>> { self.eventLoop.makeSucceededFuture([]) }

    func serverSideEvent(_ arguments: [JSONValue], reply: (@Sendable (JSONValue?) -> Void)?) {
        self.note("serverside \(JSONValue.array(arguments))")
    }
}
